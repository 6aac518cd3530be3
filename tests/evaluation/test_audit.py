"""The audit finds every leak that is planted, and nothing where nothing leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.baselines import BASELINES
from forecast.errors import LeakError
from forecast.evaluation import intervals
from forecast.evaluation.audit import as_document, audit_bars, forecasts, inputs, require_no_leak
from forecast.evaluation.audit.forecasts import (
    baseline_checks,
    calibration_checks,
    network_checks,
    scored_windows,
)
from forecast.evaluation.audit.histories import changed_after, first_difference
from forecast.evaluation.audit.inputs import (
    first_bar_checks,
    indicator_checks,
    slice_checks,
    training_part_checks,
    window_checks,
)
from forecast.features import inputs as features_inputs
from forecast.features.indicators import INDICATORS, Indicator, log_return
from forecast.features.inputs import feature_rows, fit_inputs
from forecast.features.targets import Prediction
from forecast.market.bars import check_bars

NAMES = ("return_1", "rsi_14", "true_range_5")
LEAKS = {
    "one bar ahead": lambda b: log_return(b["close"]).shift(-1),
    "five bars ahead": lambda b: b["volume"].shift(-5),
    "a centred mean": lambda b: b["close"].rolling(5, center=True).mean(),
    "scaled over the whole history": lambda b: b["close"] / b["close"].max(),
    "the coming Monday's": lambda b: b["close"].where(b.index.day_of_week == 0).bfill(),
    "tomorrow's range": lambda b: (b["high"] - b["low"]).shift(-1),
    "the length of the history": lambda b: pd.Series(float(len(b)), index=b.index),
}


def fitted(bars, *, target="return", horizon=1):
    return fit_inputs(
        bars, ticker="XYZ", feature_names=NAMES, lookback=20, horizon=horizon, target=target
    )


def plant(monkeypatch, leak):
    monkeypatch.setitem(INDICATORS, "return_1", Indicator(leak, 0))


def failed(checks):
    return {check.subject for check in checks if not check.passed}


def test_nothing_leaks(walk):
    checks = audit_bars(walk, *fitted(walk), ticker="XYZ")
    assert failed(checks) == set()
    assert {check.subject for check in checks if check.check == "future"} >= set(INDICATORS)
    assert {check.subject for check in checks if check.check == "first bar"} == set(INDICATORS)
    subjects = {"scaler", "target", "unit", "slices"}
    assert {check.subject for check in checks if check.check == "training part"} == subjects


@pytest.mark.parametrize("target", ["return", "price"])
@pytest.mark.parametrize("horizon", [1, 5])
def test_training_goes_on_where_nothing_leaks(walk, target, horizon):
    own = fitted(walk, target=target, horizon=horizon)
    assert failed(require_no_leak(walk, *own, ticker="XYZ")) == set()


def test_the_cheap_part_passes_for_prices_of_a_history_longer_than_it_looks_back(aapl):
    inputs, split = fit_inputs(
        aapl, ticker="AAPL", feature_names=["close"], lookback=20, horizon=1, target="price"
    )
    assert failed(require_no_leak(aapl, inputs, split, ticker="AAPL")) == set()


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_named(leak, walk, monkeypatch):
    plant(monkeypatch, leak)
    assert failed(indicator_checks(walk, NAMES, cuts=12)) == {"return_1"}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_training_refuses_a_planted_leak(leak, walk, monkeypatch):
    own = fitted(walk)
    plant(monkeypatch, leak)
    with pytest.raises(LeakError, match=r"XYZ.*return_1: differs at \d{4}-.*forecast audit XYZ"):
        require_no_leak(walk, *own, ticker="XYZ")


def test_the_cheap_part_passes_with_a_lookback_longer_than_it_looks_back(walk):
    own = fit_inputs(
        walk, ticker="XYZ", feature_names=NAMES, lookback=400, horizon=1, target="return"
    )
    assert failed(require_no_leak(walk, *own, ticker="XYZ")) == set()


def test_a_scaler_that_knows_later_rows_is_found(walk, monkeypatch):
    def standardised(bars, names, *, ticker):
        rows = feature_rows(bars, names, ticker=ticker)
        return rows / rows.std()

    monkeypatch.setattr(features_inputs, "feature_rows", standardised)
    own = fitted(walk)
    assert failed(training_part_checks(walk, *own, ticker="XYZ")) == {"scaler"}
    assert "windows" in failed(window_checks(walk, own[0], ticker="XYZ", cuts=3))


def test_windows_whose_newest_row_is_another_are_found(walk, monkeypatch):
    own, _ = fitted(walk)
    whole = features_inputs.Inputs.newest

    def late(self, bars, *, ticker, count=1):
        return whole(self, bars.iloc[:-1], ticker=ticker, count=count)

    monkeypatch.setattr(features_inputs.Inputs, "newest", late)
    assert failed(window_checks(walk, own, ticker="XYZ", cuts=3)) == {"newest window"}


def test_a_split_without_purge_is_found(walk):
    own, split = fitted(walk, horizon=5)
    windows = own.windows(walk, ticker="XYZ")
    bare = replace(split, train=range(split.train.stop + 1))
    assert failed(slice_checks(windows, split)) == set()
    assert failed(slice_checks(windows, bare)) == {"train before validation"}


def test_slices_that_reach_too_far_are_found(walk, monkeypatch):
    own, split = fitted(walk)
    starts = inputs.slice_starts
    monkeypatch.setattr(inputs, "slice_starts", lambda *a, **k: starts(*a, **k) + 1)
    assert failed(slice_checks(own.windows(walk, ticker="XYZ"), split)) == {"slices"}


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_calibration_that_learns_too_early_is_found(walk, horizon, monkeypatch):
    own = fitted(walk, horizon=horizon)

    def early(prediction, actual, *, origins, sessions, state):
        known = np.repeat(origins.to_numpy()[:, None], horizon, axis=1)
        return intervals.calibrate(prediction, actual, origins=origins, sessions=known, state=state)

    assert failed(calibration_checks(walk, *own, ticker="XYZ", cuts=3)) == set()
    monkeypatch.setattr(forecasts, "calibrate", early)
    assert failed(calibration_checks(walk, *own, ticker="XYZ", cuts=3)) == {"calibration"}


def last_row(windows):
    """A forecast from each window alone."""
    newest = windows.gather(slice(None))[:, -1, :1]
    return np.tile(newest[:, None, :], (1, windows.horizon, 8)).astype("float64")


def against_the_others(windows):
    """A forecast that depends on which other windows are forecast with it."""
    outputs = last_row(windows)
    return outputs - outputs.mean(axis=0)


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_network_that_looks_at_other_windows_is_found(walk, horizon):
    own = fitted(walk, horizon=horizon)
    for forecast, found in ((last_row, set()), (against_the_others, {"network rnn"})):
        checks = network_checks(forecast, walk, *own, ticker="XYZ", name="rnn")
        assert failed(checks) == found


def test_a_baseline_fitted_on_later_bars_is_found(walk):
    own, split = fitted(walk)
    windows = own.windows(walk, ticker="XYZ")

    def future_spread(bars, origins, *, horizon, fitted_until, features=None):
        width = float(np.log(bars["close"]).diff().std())
        return Prediction(np.zeros((len(origins), 1)), np.full((len(origins), 1, 7), width))

    checks = baseline_checks(
        {**BASELINES, "future_spread": future_spread},
        walk,
        lambda bars: feature_rows(bars, NAMES, ticker="XYZ"),
        scored_windows(windows, split).origin,
        horizon=1,
        fitted_until=windows.origin[split.train.stop],
    )
    assert failed(checks) == {"baseline future_spread"}
    assert len(checks) == len(BASELINES) + 1


def test_how_long_the_first_bar_is_remembered(monkeypatch):
    # Each history begins with a close of 10 among ones. With a weight of a half, the value there
    # is 10 without the bars before and 5.5 with them; 4.5 · 2⁻ᵏ is below 1e-6 from k = 23 on.
    rows = 600
    close = pd.Series(1.0, index=pd.bdate_range("2010-01-04", periods=rows, name="session"))
    close.iloc[[0, 100, 200, 300]] = 10.0
    bars = pd.DataFrame({"close": close})
    compute = {
        "halves": lambda b: (
            b["close"].where(b.index != close.index[0], 1.0).ewm(alpha=0.5, adjust=False).mean()
        ),
        "for_ever": lambda b: b["close"].cumsum(),
        "at_once": lambda b: b["close"],
    }
    for name, function in compute.items():
        monkeypatch.setitem(INDICATORS, name, Indicator(function, 0))
    details = {check.subject: check.detail for check in first_bar_checks(bars, list(compute))}
    assert details == {
        "halves": "warm-up 0; agrees to 1e-06 after 23 further rows",
        "for_ever": "warm-up 0; never settles: it depends on the first bar for ever",
        "at_once": "warm-up 0; does not depend on the first bar",
    }


def test_changed_histories_are_bars_and_the_same_up_to_the_cut(walk):
    changed = changed_after(walk, 400)
    check_bars(changed, ticker="XYZ")
    pd.testing.assert_frame_equal(changed.iloc[:400], walk.iloc[:400], check_exact=True)
    assert (changed.iloc[400:] != walk.iloc[400:]).all(axis=None)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_one_bit_is_a_difference_and_two_missing_numbers_are_none(kind):
    one = np.array([[1.0, np.nan], [2.0, 0.0], [3.0, 1.0]], dtype=kind)
    other = one.copy()
    other[0, 1] = -other[0, 1]
    assert first_difference(one, other) is None
    other[2, 0] = np.nextafter(other[2, 0], np.array(9, dtype=kind))
    assert first_difference(one, other) == 2
    other[1, 1] = -0.0
    assert first_difference(one, other) == 1
    assert first_difference(one, one[:2]) == 0
    assert first_difference(one, one.astype("float16")) == 0


def test_the_signed_table_says_what_leaks(walk, monkeypatch):
    clean = as_document(indicator_checks(walk, NAMES, cuts=2))
    assert clean["passed"] is True
    assert clean["text"].startswith("3 checks: ")
    assert clean["text"].endswith("Nothing sees the future.")
    assert list(clean["rows"][0]) == ["check", "subject", "passed", "detail"]
    plant(monkeypatch, LEAKS["one bar ahead"])
    leaking = as_document(indicator_checks(walk, NAMES, cuts=2))
    assert leaking["passed"] is False
    assert leaking["text"].endswith("These see the future: return_1.")


def test_rows_that_cannot_fail_are_not_counted_as_checks(walk):
    checks = [*indicator_checks(walk, NAMES, cuts=2), *first_bar_checks(walk, NAMES)]
    document = as_document(checks)
    assert len(document["rows"]) == 6
    assert document["text"].startswith("3 checks: ")
