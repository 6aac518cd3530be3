"""The verb `fetch` around the market's: what is pruned, and what a home's settings hold for all."""

import json

import pandas as pd
import pytest
from loopback import made_up

from forecast.config import Settings, load_settings
from forecast.errors import ArtifactError
from forecast.pipeline import folds
from forecast.pipeline.feature_cache import FeatureCache
from forecast.pipeline.fetch import fetch, fetch_for
from forecast.pipeline.preparing import make_ready
from forecast.pipeline.provenance import command
from forecast.pipeline.watch import Watch

NOW = pd.Timestamp("2026-11-20 23:00", tz="UTC")


@pytest.fixture
def grow(tmp_path):
    """Each call lets the file hold a session more, and fetches it."""
    rows = iter(range(300, 400))

    def grow(home, **settings):
        count = next(rows)
        write(tmp_path, made_up(count))
        known = Settings(source=f"csv:{tmp_path}", keep_snapshots=2, **settings)
        now = NOW + pd.Timedelta(days=count)
        (one,) = fetch(["ACME"], home=home, settings=known, now=now)
        return one.snapshot

    return grow


def write(folder, quotes):
    columns = ["open", "high", "low", "close", "adj_close", "volume"]
    quotes[columns].rename_axis("Date").to_csv(folder / "ACME.csv", float_format="%.17g")


def stored(data):
    return {path.stem for path in (data / "bars" / "ACME").glob("*.parquet")}


def named_by_a_run(home, snapshot):
    folder = home / "models" / "ACME" / "20261120T230000Z-aaaa"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"tickers": {"ACME": {"snapshot": snapshot}}}))


def test_a_home_keeps_the_newest_snapshots_and_those_its_runs_name(tmp_path, grow):
    home = tmp_path / "home"
    first = grow(home)
    named_by_a_run(home, first)
    *_, before, newest = [grow(home) for _ in range(4)]
    assert stored(home / "data") == {first, before, newest}


def test_a_folder_in_the_way_of_pruning_is_no_fault(tmp_path, grow):
    home = tmp_path / "home"
    grow(home)
    (home / "data" / "bars" / "ACME" / ".ipynb_checkpoints").mkdir()
    *_, before, newest = [grow(home) for _ in range(4)]
    assert stored(home / "data") == {before, newest}


def test_what_cannot_be_pruned_is_told_and_the_bars_are_stored(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ArtifactError("20261120T230000Z-aaaa.json must be removable.")

    monkeypatch.setattr("forecast.pipeline.fetch.prune", refuse)
    write(tmp_path, made_up(300))
    told = []
    known = Settings(source=f"csv:{tmp_path}")
    watch = Watch(notice=told.append)
    (one,) = fetch(["ACME"], home=tmp_path / "home", settings=known, watch=watch)
    assert one.sessions == 300
    assert told == [
        "ACME: its bars are stored, and old snapshots stay. "
        "20261120T230000Z-aaaa.json must be removable."
    ]


def test_a_snapshot_replaced_within_the_day_may_be_in_use(tmp_path):
    home, snapshots = tmp_path / "home", []
    known = Settings(source=f"csv:{tmp_path}", keep_snapshots=1)
    for hours in (0, 2, 4, 30, 56):
        write(tmp_path, made_up(300 + hours))
        now = NOW + pd.Timedelta(hours=hours)
        (one,) = fetch(["ACME"], home=home, settings=known, now=now)
        snapshots.append(one.snapshot)
        # A training that began within the last day began with one of these.
        still = {0: 0, 2: 0, 4: 0, 30: 2, 56: 3}[hours]
        assert stored(home / "data") == set(snapshots[still:])


def test_a_store_that_homes_share_is_not_pruned(tmp_path, grow):
    one, other, shared = tmp_path / "one", tmp_path / "other", tmp_path / "shared"
    first = grow(one, store=str(shared))
    named_by_a_run(one, first)
    later = {grow(other, store=str(shared)) for _ in range(4)}
    assert stored(shared) == {first, *later}


def test_a_ticker_spelt_twice_is_one_to_the_progress_too(tmp_path):
    write(tmp_path, made_up(300))
    stages, steps = [], []
    watch = Watch(stage=stages.append, step=lambda *step: steps.append(step))
    (one,) = fetch(
        ["acme", "ACME "], home=tmp_path, settings=Settings(source=f"csv:{tmp_path}"), watch=watch
    )
    assert one.ticker == "ACME"
    assert (stages, steps) == (["fetching 1 ticker"], [(1, 1, "ACME")])


def test_a_start_in_the_settings_is_every_verbs(tmp_path):
    (tmp_path / "forecast.toml").write_text("start = 2024-06-03\n")
    write(tmp_path, made_up(500))
    whole = Settings(source=f"csv:{tmp_path}")
    settings = load_settings(tmp_path, source=f"csv:{tmp_path}")
    cut, all_of_it = (fetch_for("ACME", home=tmp_path, settings=one) for one in (settings, whole))
    assert (cut.first, all_of_it.first) == ("2024-06-03", "2024-01-02")
    assert cut.snapshot == all_of_it.snapshot
    (fetched,) = fetch(["ACME"], home=tmp_path, settings=settings)
    assert fetched.first == "2024-06-03"
    earlier = pd.Timestamp("2024-02-01").date()
    (fetched,) = fetch(["ACME"], home=tmp_path, settings=settings, start=earlier)
    assert fetched.first == "2024-02-01"
    # What is kept of the one is never taken for the other's, and a run can be made again.
    cache = FeatureCache.of(tmp_path)
    cache.store(make_ready(all_of_it, whole), whole)
    assert cache.has(all_of_it, whole) and not cache.has(cut, settings)
    assert folds.key_of(cut.bars, settings) != folds.key_of(all_of_it.bars, whole)
    assert "FORECAST_START=2024-06-03" in command("train", ["ACME"], settings).split()
