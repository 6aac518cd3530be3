"""One network over several tickers: what each gets, what all get, and who is left out."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated import random_walk

from forecast.config import load_settings
from forecast.errors import TrainingError
from forecast.evaluation.forecasts import read_forecasts
from forecast.networks.training import infer
from forecast.pipeline import processes
from forecast.pipeline.every import FailedRun
from forecast.pipeline.many import fetch_all, make_all_ready
from forecast.pipeline.preparing import prepare
from forecast.pipeline.processes import for_each
from forecast.pipeline.reporting import Clock, Job, Shared, report
from forecast.pipeline.scoring import score_outputs, scored_windows
from forecast.pipeline.train import train
from forecast.pipeline.watch import Watch

TICKERS = ["AAA", "BBB", "CCC", "DDD"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Four tickers of 700 sessions and one of 100, as CSV files."""
    home = tmp_path_factory.mktemp("home")
    (home / "csv").mkdir()
    for number, ticker in enumerate([*TICKERS, "SHORT"]):
        bars = random_walk(700 if ticker in TICKERS else 100, seed=number)
        bars.round(4).to_csv(home / "csv" / f"{ticker}.csv", index_label="Date")
    return home


@pytest.fixture(scope="module")
def settings(home):
    return load_settings(home, source=f"csv:{home / 'csv'}", lookback=20, units=(4,), epochs=2)


@pytest.fixture(scope="module")
def runs(home, settings):
    asked = [*TICKERS[:2], "SHORT", *TICKERS[2:], "NONE"]
    with pytest.MonkeyPatch.context() as patch:
        # In this process: that others give the same is a test of its own, below.
        patch.setattr(processes, "FEWEST", len(asked) + 1)
        return train(asked, home=home, settings=settings, together=True)


def test_a_bad_ticker_is_left_out_and_named(runs):
    assert [type(run).__name__ for run in runs] == [
        *["Run"] * 2,
        "FailedRun",
        *["Run"] * 2,
        "FailedRun",
    ]
    assert [run.ticker for run in runs if isinstance(run, FailedRun)] == ["SHORT", "NONE"]
    assert [type(run.error).__name__ for run in runs if isinstance(run, FailedRun)] == [
        "NotEnoughBars",
        "UnknownTicker",
    ]


def test_each_ticker_has_its_own_scores_report_and_file(runs, home):
    done = [run for run in runs if not isinstance(run, FailedRun)]
    assert [run.document["ticker"] for run in done] == TICKERS
    (name,) = {run.document["run"] for run in done}
    saved = json.loads((home / "models" / "_together" / name / "inputs.json").read_text())
    assert list(saved) == TICKERS
    for run in done:
        folder = run.report.parent
        assert run.report.exists()
        assert json.loads((folder / "metrics.json").read_text()) == run.document
        assert run.forecasts.equals(read_forecasts(folder / "forecasts.csv"))
        assert set(run.forecasts["ticker"]) == {run.document["ticker"]}
        assert len(run.document["plots"]) >= 5
    assert not list((home / "reports").rglob(".*"))
    assert not (home / "reports" / "SHORT").exists()


def test_all_together_get_one_verdict_and_a_page(runs, home):
    done = [run for run in runs if not isinstance(run, FailedRun)]
    pooled = done[0].pooled
    assert all(run.pooled == pooled for run in done)
    assert pooled["tickers"] == TICKERS
    assert pooled["forecasts"] == sum(run.document["split"]["test"]["origins"] for run in done)
    for kind in ("price", "uncertainty"):
        assert sum(pooled["counts"][kind].values()) == len(TICKERS)
    page = (home / pooled["report"]).read_text()
    for run in done:
        target = (home / pooled["report"]).parent / Path("../..", run.document["ticker"])
        assert (target / run.document["run"] / "index.html").resolve() == run.report
        assert f">{run.document['ticker']}</a>" in page
    listed = (home / pooled["report"]).with_name("tickers.txt").read_text().split()
    assert listed == [f"{run.document['ticker']}={run.document['snapshot']}" for run in done]


def _speechless(*tickers):
    """`infer` of a network that has no number for these of `TICKERS`, in their order."""
    asked = iter(TICKERS)

    def answer(model, windows, *, head):
        if next(asked) in tickers:
            raise TrainingError("a forecast must be a finite number. The network gave NaN.")
        return infer(model, windows, head=head)

    return answer


def test_a_ticker_that_the_network_has_no_number_for_is_that_ticker_s_error(
    runs, home, settings, monkeypatch
):
    monkeypatch.setattr("forecast.pipeline.train.infer", _speechless("BBB"))
    monkeypatch.setattr(processes, "FEWEST", len(TICKERS) + 1)
    told = train(TICKERS, home=home, settings=settings, together=True)
    assert [run.ticker for run in told if isinstance(run, FailedRun)] == ["BBB"]
    assert "must be a finite number" in told[1].error.message
    others = [run for run in told if not isinstance(run, FailedRun)]
    assert [run.document["ticker"] for run in others] == others[0].pooled["tickers"]
    assert others[0].pooled["tickers"] == ["AAA", "CCC", "DDD"]
    (name,) = {run.document["run"] for run in others}
    assert not (home / "reports" / "BBB" / name).exists()
    # The others' scores are those that all four have together.
    scored = {run.document["ticker"]: run for run in runs if not isinstance(run, FailedRun)}
    for run in others:
        assert run.scores.equals(scored[run.document["ticker"]].scores)


def test_a_network_that_has_no_number_for_any_leaves_nothing(home, settings, monkeypatch):
    before = sorted((home / "models" / "_together").glob("*"))
    monkeypatch.setattr("forecast.pipeline.train.infer", _speechless(*TICKERS))
    told = train(TICKERS, home=home, settings=settings, together=True)
    assert [type(run).__name__ for run in told] == ["FailedRun"] * len(TICKERS)
    assert sorted((home / "models" / "_together").glob("*")) == before
    with pytest.raises(TrainingError, match="must be a finite number"):
        monkeypatch.setattr("forecast.pipeline.train.infer", _speechless("AAA"))
        train(["AAA"], home=home, settings=settings)


@pytest.fixture(scope="module")
def ready(home, settings):
    fetched = fetch_all(TICKERS, home=home, settings=settings, as_of={}, watch=Watch())
    return fetched, make_all_ready(fetched, home=home, settings=settings, watch=Watch())


def outputs_of(one):
    """What a network might give."""
    spread = np.array([0.0, -1.6, -1.3, -0.7, 0.0, 0.7, 1.3, 1.6])
    noise = np.random.default_rng(5).normal(0, 0.02, (len(scored_windows(one)), 1, 1))
    return spread + noise


def reports(ready, home, folder, settings, *, workers):
    shared = Shared(
        data=home / "data",
        run="20261121T000000Z-0000",
        folder=Path("models/_together/20261121T000000Z-0000"),
        snapshots={one.ticker: one.fetched.snapshot for one in ready},
        settings=settings,
        history={},
        pictures=False,
        listed=Path("reports/_together/20261121T000000Z-0000/tickers.txt"),
    )

    def jobs():
        for one in ready:
            stage = folder / one.ticker
            stage.mkdir(parents=True)
            yield Job(one.without_rows(), outputs_of(one), stage, Clock(), shared)

    return list(
        for_each(
            report,
            jobs(),
            named=attrgetter("ready.ticker"),
            count=len(ready),
            workers=workers,
        )
    )


def whole_score(bars, one, settings):
    """On one thread, as everything here: on two a product of matrices may round differently."""
    (scored,) = for_each(
        lambda _: score_outputs(prepare(bars, settings), outputs_of(one), network="lstm"),
        [None],
        named=str,
        count=1,
    )
    return scored


def test_scores_are_the_same_bits_in_one_process_and_in_two(ready, home, settings, tmp_path):
    fetched, tickers = ready
    here = reports(tickers, home, tmp_path / "here", settings, workers=1)
    there = reports(tickers, home, tmp_path / "there", settings, workers=2)
    for bars, one, (mine, days), (theirs, other) in zip(fetched, tickers, here, there, strict=True):
        for found in (mine, theirs):
            found.document.pop("seconds")
            assert (
                found.document["command"].startswith("FORECAST_")
                or "@reports" in (found.document["command"])
            )
        assert mine.document == theirs.document
        assert mine.calibration.as_document() == theirs.calibration.as_document()
        pd.testing.assert_frame_equal(days, other, check_exact=True)
        files = [tmp_path / place / one.ticker / "forecasts.csv" for place in ("here", "there")]
        assert files[0].read_bytes() == files[1].read_bytes()
        # And the same as from all that preparing gives, with nothing left out.
        whole = whole_score(bars, one, settings)
        pd.testing.assert_frame_equal(read_forecasts(files[0]), whole.forecasts, check_exact=True)
