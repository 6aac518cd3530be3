"""What goes in, what comes out, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from ledger.issues import bars_of, fill, issue_at

from forecast.errors import ArtifactError, UnknownTicker
from forecast.ledger import Settlement, examine, open_ledger

BARS = bars_of(12)
LATER = datetime(2012, 1, 20, tzinfo=UTC)


def test_an_issue_comes_back_exactly_as_it_went_in(tmp_path):
    issue = issue_at(BARS, 4, horizon=3)
    with open_ledger(tmp_path) as ledger:
        assert ledger.issue(issue, known_until=issue.origin)
    with open_ledger(tmp_path, read_only=True) as ledger:
        record = ledger.track_record("AAPL")
    assert record["step"].tolist() == [1, 2, 3]
    assert record["session"].dt.date.tolist() == [step.session for step in issue.steps]
    assert set(record["origin"].dt.date) == {issue.origin}
    assert set(record["issued_at"]) == {pd.Timestamp(issue.issued_at)}
    assert set(record["run"]) == {"run-1"}
    assert set(record["snapshot"]) == {"snapshot-4"}
    assert set(record["last_close"]) == {issue.last_close}
    quantiles = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]
    for number, step in enumerate(issue.steps):
        row = record.iloc[number]
        assert row["point"] == step.point
        assert tuple(row[quantiles]) == step.quantiles
        assert tuple(row[[f"reference_{name}" for name in quantiles]]) == step.reference_quantiles
    assert record["actual"].isna().all()
    assert set(record["status"]) == {"pending"}


def test_a_second_forecast_from_one_origin_is_not_recorded(tmp_path):
    first = issue_at(BARS, 4)
    again = replace(issue_at(BARS, 4, point=0.5), run="run-2")
    with open_ledger(tmp_path) as ledger:
        assert ledger.issue(first, known_until=first.origin)
        assert not ledger.issue(again, known_until=first.origin)
        assert ledger.issue(replace(again, ticker="IBM"), known_until=first.origin)
        assert ledger.origins("AAPL") == [first.origin]
        assert ledger.runs() == {"AAPL": {"run-1"}, "IBM": {"run-2"}}
        assert ledger.track_record("AAPL")["point"].tolist() == [0.001]


def test_a_forecast_of_a_closed_session_is_refused(tmp_path):
    issue = issue_at(BARS, 4, horizon=2)
    with open_ledger(tmp_path) as ledger:
        with pytest.raises(ArtifactError, match=r"before its outcome can be known.*2012-01-09"):
            ledger.issue(issue, known_until=issue.steps[0].session)
        assert ledger.origins("AAPL") == []


@pytest.mark.parametrize(
    "nonsense",
    [
        {"last_close": math.nan},
        {"last_close": 0.0},
        {"steps": ()},
        {"run": ""},
        {"issued_at": datetime(2012, 1, 6, 23)},
        {"point": math.inf},
        {"reference_point": math.nan},
        {"quantiles": (0.0,) * 6},
        {"quantiles": (0.0,) * 6 + (math.nan,)},
        {"quantiles": (0.1,) + (0.0,) * 6},
        {"reference_quantiles": (0.0,) * 6 + (-1e-9,)},
        {"step": 2},
        {"session": date(2012, 1, 6)},
    ],
    ids=str,
)
def test_nonsense_is_refused_and_nothing_is_written(tmp_path, nonsense):
    issue = issue_at(BARS, 4)
    outer = {name: value for name, value in nonsense.items() if hasattr(issue, name)}
    inner = {name: value for name, value in nonsense.items() if name not in outer}
    steps = outer.pop("steps", (replace(issue.steps[0], **inner),))
    with open_ledger(tmp_path) as ledger:
        with pytest.raises(ValueError, match=r"must|needs"):
            ledger.issue(replace(issue, steps=steps, **outer), known_until=issue.origin)
        assert ledger.head().entries == 0
        with pytest.raises(UnknownTicker):
            ledger.issue(replace(issue, ticker="../x"), known_until=issue.origin)


def test_outcomes_are_log_returns_between_adjusted_closes_of_one_snapshot(tmp_path):
    closes = [10.0, 11.0, 10.5, 10.5, 12.0]
    bars = bars_of(5).assign(close=closes)
    with open_ledger(tmp_path) as ledger:
        issue = issue_at(bars, 1, horizon=3)
        ledger.issue(issue, known_until=issue.origin)
        # Later adjusted for a dividend: all closes fall alike, the outcome stays.
        known = (0.98 * bars).iloc[:4]
        done = ledger.settle("AAPL", known, snapshot="s", now=LATER)
        assert done == Settlement(settled=2, corrected=0, pending=1, void=0)
        record = ledger.track_record()
    assert record["actual"].tolist()[:2] == pytest.approx(
        [math.log(10.5 / 11.0), math.log(10.5 / 11.0)], rel=1e-14
    )
    assert math.isnan(record["actual"].iloc[2])
    assert record["status"].tolist() == ["settled", "settled", "pending"]
    assert record["settled_at"].iloc[0] == pd.Timestamp(LATER)


def test_settling_again_with_the_same_bars_writes_nothing(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, range(3, 8))
        before = ledger.head()
        done = ledger.settle("AAPL", BARS.iloc[:8], snapshot="s", now=LATER)
        assert done == Settlement(settled=0, corrected=0, pending=1)
        assert ledger.head() == before
        assert ledger.settle("IBM", BARS, snapshot="s", now=LATER).settled == 0


def test_a_correction_is_added_once_and_the_first_settlement_stays(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [3])
        ledger.settle("AAPL", BARS, snapshot="first", now=LATER)
        first = ledger.track_record()["actual"].iloc[0]
        assert math.isnan(ledger.track_record()["corrected"].iloc[0])
        nearly, other = BARS.copy(), BARS.copy()
        nearly.iloc[4, nearly.columns.get_loc("close")] *= math.exp(9e-7)
        other.iloc[4, other.columns.get_loc("close")] *= 1.01
        assert ledger.settle("AAPL", nearly, snapshot="a", now=LATER).corrected == 0
        assert ledger.settle("AAPL", other, snapshot="b", now=LATER).corrected == 1
        assert ledger.settle("AAPL", other, snapshot="b", now=LATER).corrected == 0
        record = ledger.track_record().iloc[0]
        assert record["actual"] == first
        assert record["corrected"] == pytest.approx(first + math.log(1.01), abs=1e-14)
        # Back again: a correction of the correction.
        assert ledger.settle("AAPL", BARS, snapshot="c", now=LATER).corrected == 1
        assert ledger.track_record()["corrected"].iloc[0] == pytest.approx(first, abs=1e-15)
        assert ledger.verify() == []


def test_a_session_that_never_came_is_void_once_a_later_bar_proves_it(tmp_path):
    closed = BARS.drop(BARS.index[5])  # the calendar had it, the exchange stayed shut
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
        soon = datetime(2012, 1, 10, tzinfo=UTC)
        waiting = ledger.settle("AAPL", closed.iloc[:5], snapshot="s", now=soon)
        assert waiting == Settlement(settled=0, corrected=0, pending=1)
        done = ledger.settle("AAPL", closed.iloc[:6], snapshot="s", now=soon)
        assert done == Settlement(settled=0, corrected=0, pending=0, void=1)
        row = ledger.track_record().iloc[0]
        assert (row["status"], row["reason"]) == (
            "void",
            "no bar of 2012-01-09; the next one is of 2012-01-10",
        )
        assert math.isnan(row["actual"])
        # The vendor fills the gap after all.
        assert ledger.settle("AAPL", BARS, snapshot="s", now=LATER).corrected == 1
        row = ledger.track_record().iloc[0]
        assert row["status"] == "void"
        assert row["corrected"] == pytest.approx(
            np.log(BARS["close"].iloc[5] / BARS["close"].iloc[4])
        )


def test_forecasts_of_a_ticker_that_stopped_trading_do_not_wait_for_ever(tmp_path):
    last = BARS.iloc[:8]
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [7], horizon=2)
        session = datetime(2012, 1, 12, tzinfo=UTC)
        day_30 = ledger.settle("AAPL", last, snapshot="s", now=session + timedelta(days=30))
        assert (day_30.pending, day_30.void) == (2, 0)
        day_31 = ledger.settle("AAPL", last, snapshot="s", now=session + timedelta(days=31))
        assert (day_31.pending, day_31.void) == (1, 1)
        reason = ledger.track_record()["reason"].iloc[0]
        assert (
            reason == "no bar of 2012-01-12 or later within 30 days; the last one is of 2012-01-11"
        )


def test_forecasts_of_a_ticker_that_can_no_longer_be_fetched_do_not_wait_for_ever(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [7])
        session = datetime(2012, 1, 12, tzinfo=UTC)
        day_30 = ledger.settle("AAPL", None, snapshot=None, now=session + timedelta(days=30))
        assert (day_30.pending, day_30.void) == (1, 0)
        day_31 = ledger.settle("AAPL", None, snapshot=None, now=session + timedelta(days=31))
        assert (day_31.pending, day_31.void) == (0, 1)
        assert ledger.track_record()["reason"].iloc[0].endswith("none could be had")
        # It comes back after all.
        back = ledger.settle("AAPL", BARS, snapshot="s", now=session + timedelta(days=40))
        assert back == Settlement(settled=0, corrected=1, pending=0)


def test_an_origin_whose_bar_was_taken_back_makes_its_forecast_void(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
        done = ledger.settle("AAPL", BARS.drop(BARS.index[4]), snapshot="s", now=LATER)
        assert done.void == 1
        assert "no close at the origin 2012-01-06" in ledger.track_record()["reason"].iloc[0]


def test_bars_that_are_none_settle_nothing(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
        poisoned = BARS.copy()
        poisoned.iloc[5, poisoned.columns.get_loc("close")] = math.nan
        for bars in (BARS.iloc[:0], BARS.iloc[::-1], poisoned):
            with pytest.raises(ValueError, match="must be"):
                ledger.settle("AAPL", bars, snapshot="s", now=LATER)
        with pytest.raises(ValueError, match="time zone"):
            ledger.settle("AAPL", BARS, snapshot="s", now=datetime(2012, 3, 1))
        assert set(ledger.track_record()["status"]) == {"pending"}


def test_bars_of_days_to_come_settle_nothing(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
        eve = BARS.index[5].tz_localize("UTC") - pd.Timedelta(seconds=1)
        with pytest.raises(ValueError, match="bars must not be of after"):
            ledger.settle("AAPL", BARS.iloc[:6], snapshot="s", now=eve)
        assert (
            ledger.settle(
                "AAPL", BARS.iloc[:6], snapshot="s", now=BARS.index[6].tz_localize("UTC")
            ).settled
            == 1
        )


def test_where_nothing_was_recorded_reading_creates_nothing(tmp_path):
    with open_ledger(tmp_path, read_only=True) as ledger:
        assert ledger.track_record().empty
        assert ledger.origins("AAPL") == []
        assert ledger.runs() == {}
        assert ledger.verify() == []
    assert examine(tmp_path).problems == []
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_opened_to_read_cannot_be_written(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
    with open_ledger(tmp_path, read_only=True) as ledger:
        with pytest.raises(ArtifactError):
            ledger.issue(issue_at(BARS, 5), known_until=BARS.index[5].date())
        assert len(ledger.origins("AAPL")) == 1


@pytest.mark.parametrize("name", ["record.csv", "record.parquet"])
def test_an_export_reads_back_bit_for_bit(tmp_path, name):
    from forecast.ledger import write_record

    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, range(3, 8), horizon=2)
        record = ledger.track_record()
    write_record(tmp_path / name, record)
    if name.endswith(".csv"):
        back = pd.read_csv(tmp_path / name)
        assert back["origin"].tolist() == record["origin"].dt.strftime("%Y-%m-%d").tolist()
    else:
        back = pd.read_parquet(tmp_path / name)
        assert (back["origin"] == record["origin"]).all()
    assert list(back.columns) == list(record.columns)
    for column in record.select_dtypes("float64"):
        assert np.array_equal(back[column], record[column], equal_nan=True), column
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        write_record(tmp_path / "record.xlsx", record)
