"""The verb `fetch` around the market's: what is pruned, and what a home's settings hold for all."""

import json

import pandas as pd
import pytest
from loopback import made_up

from forecast.config import Settings
from forecast.pipeline.fetch import fetch

NOW = pd.Timestamp("2026-11-20 23:00", tz="UTC")


@pytest.fixture
def grow(tmp_path):
    """Each call lets the file hold a session more, and fetches it."""
    rows = iter(range(300, 400))

    def grow(home, **settings):
        made_up(next(rows)).rename_axis("Date").to_csv(tmp_path / "ACME.csv")
        known = Settings(source=f"csv:{tmp_path}", keep_snapshots=2, **settings)
        (one,) = fetch(["ACME"], home=home, settings=known, now=NOW)
        return one.snapshot

    return grow


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


def test_a_store_that_homes_share_is_not_pruned(tmp_path, grow):
    one, other, shared = tmp_path / "one", tmp_path / "other", tmp_path / "shared"
    first = grow(one, store=str(shared))
    named_by_a_run(one, first)
    later = {grow(other, store=str(shared)) for _ in range(4)}
    assert stored(shared) == {first, *later}
