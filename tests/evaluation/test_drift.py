"""Alarms by hand, and how often they ring where nothing has changed."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, wasserstein_distance
from simulated import garch

from forecast.baselines.ewma import ewma
from forecast.evaluation import drift
from forecast.evaluation.coverage import independent_outcomes
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.features.inputs import feature_rows
from forecast.features.sets import DEFAULT_FEATURES

UNIT = np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645])


def frame_of(**columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.bdate_range("2000-01-03", periods=count))


def record_of(actual, quantiles, reference, step=1):
    actual = np.asarray(actual, "float64")
    rows = pd.DataFrame(
        {
            "ticker": "AAPL",
            "origin": pd.bdate_range("2020-01-01", periods=len(actual)),
            "step": step,
            "actual": actual,
        }
    )
    rows[QUANTILE_COLUMNS] = np.broadcast_to(quantiles, (len(actual), 7))
    rows[[f"reference_{name}" for name in QUANTILE_COLUMNS]] = np.broadcast_to(
        reference, (len(actual), 7)
    )
    return rows


def row(table, what):
    return table.set_index("what").loc[what]


def test_the_distance_is_wasserstein_s():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=2000)
    windows = np.vstack([rng.normal(size=60), rng.normal(2.0, 3.0, size=60)])
    ours = drift._distances(windows, whole)
    scipy_s = [wasserstein_distance(window, whole) for window in windows]
    assert ours == pytest.approx(scipy_s, rel=0.03)


def test_an_input_that_moves_further_than_ever_is_named():
    rng = np.random.default_rng(1)
    calm = rng.normal(size=(600, 2))
    features = frame_of(rsi_14=calm[:, 0], volume_ratio=calm[:, 1])
    trained_until = features.index[499]
    table = drift.input_drift(features, trained_until=trained_until)
    assert table["alarm"].tolist() == [False, False]
    # Ten standard deviations up in the last 60 sessions: further off by just about that much.
    features.loc[features.index[-60:], "rsi_14"] += 10
    moved = drift.input_drift(features, trained_until=trained_until)
    assert moved["alarm"].tolist() == [True, False]
    assert row(moved, "input rsi_14").value == pytest.approx(10 / calm[:500, 0].std(), rel=0.05)
    assert "rsi_14 has moved: its last 60 sessions are" in row(moved, "input rsi_14").sentence
    assert row(moved, "input volume_ratio").equals(row(table, "input volume_ratio"))


def test_a_threshold_is_a_margin_over_the_furthest_window_of_the_training_part():
    steady = np.tile([0.0, 1.0], 300)
    steady[120:180] = 4.0
    features = frame_of(x=np.r_[steady, np.full(60, 4.0)])
    table = drift.input_drift(features, trained_until=features.index[599])
    usual = steady
    largest = drift._distances(np.full((1, 60), 4.0), usual)[0] / usual.std()
    (one,) = table.itertuples()
    assert one.value == pytest.approx(largest)
    assert one.threshold == pytest.approx(drift.MARGIN * largest)
    assert not one.alarm


@pytest.mark.parametrize(("before", "after"), [(600, 59), (260, 60), (0, 100), (100, 0)])
def test_too_few_sessions_give_no_rows(before, after):
    features = frame_of(x=np.random.default_rng(0).normal(size=before + after))
    until = features.index[before - 1] if before else pd.Timestamp("1999-01-01")
    assert drift.input_drift(features, trained_until=until).empty


def test_a_feature_that_stood_still_is_left_out():
    features = frame_of(x=np.random.default_rng(0).normal(size=600), flat=np.full(600, 1e9))
    table = drift.input_drift(features, trained_until=features.index[500])
    assert table["what"].tolist() == ["input x"]


@pytest.mark.parametrize(("inside", "alarm"), [(39, False), (38, False), (37, True), (30, True)])
def test_coverage_by_the_binomial_distribution(inside, alarm):
    # Every outcome alone: misses spread so that they do not follow each other.
    hits = np.zeros(60, bool)
    hits[np.linspace(0, 59, inside).round().astype(int)] = True
    hits = np.random.default_rng(4).permutation(hits)
    record = record_of(np.where(hits, 0.0, 9.0), UNIT, UNIT)
    one = row(drift.record_drift(record), "coverage_80")
    assert one.value == pytest.approx(inside / 60)
    size = round(independent_outcomes(hits.astype(float), step=1))
    lowest = binom.ppf(0.001, size, 0.8) / size
    assert one.threshold == pytest.approx(lowest)
    assert one.alarm == (inside / 60 < lowest) == alarm


def test_bands_that_hold_everything_are_an_alarm_too():
    one = row(drift.record_drift(record_of(np.zeros(60), UNIT, UNIT)), "coverage_80")
    # binom.sf(59, 60, 0.8) is 1.5e-6.
    assert one.alarm
    assert one.threshold < 1.0
    assert "held 100 % of the last 60 outcomes" in one.sentence


def test_only_the_newest_outcomes_one_session_ahead_count():
    old = record_of(np.full(100, 9.0), UNIT, UNIT)
    new = record_of(np.random.default_rng(2).normal(size=60), UNIT, UNIT)
    new["origin"] += pd.Timedelta(days=365)
    far = record_of(np.full(100, 9.0), UNIT, UNIT, step=2)
    pending = record_of(np.full(5, math.nan), UNIT, UNIT)
    pending["origin"] += pd.Timedelta(days=800)
    table = drift.record_drift(pd.concat([pending, new, far, old]))
    alone = drift.record_drift(new)
    assert row(table, "coverage_80").equals(row(alone, "coverage_80"))
    assert not row(table, "coverage_80").alarm


def test_a_loss_clearly_above_the_reference_s_is_an_alarm():
    actual = np.random.default_rng(3).normal(size=120)
    worse = row(drift.record_drift(record_of(actual, 3 * UNIT, UNIT)), "skill_pinball")
    better = row(drift.record_drift(record_of(actual, UNIT, 3 * UNIT)), "skill_pinball")
    assert worse.alarm
    assert not better.alarm
    assert (1 - worse.value) * (1 - better.value) == pytest.approx(1)
    assert "above the reference's" in worse.sentence
    assert "below the reference's" in better.sentence


def test_the_reference_itself_is_no_alarm():
    one = row(drift.record_drift(record_of(np.arange(120.0), UNIT, UNIT)), "skill_pinball")
    assert (one.value, one.alarm) == (0.0, False)


def test_too_few_outcomes_are_told_and_no_alarm():
    table = drift.record_drift(record_of(np.full(59, 9.0), UNIT, UNIT))
    assert not table["alarm"].any()
    assert table["value"].isna().all()
    assert row(table, "coverage_80").sentence.startswith("coverage_80: 59 of 60 outcomes")


def test_alarms_come_first_and_call_for_a_training():
    rng = np.random.default_rng(5)
    features = frame_of(x=rng.normal(size=600), y=rng.normal(size=600))
    features.loc[features.index[-60:], "y"] += 9
    found = drift.drift(features, record_of([], UNIT, UNIT), trained_until=features.index[499])
    assert found.table["what"].tolist()[0] == "input y"
    assert found.retrain
    assert len(found.alarms) == 1
    calm = drift.drift(
        features[["x"]], record_of([], UNIT, UNIT), trained_until=features.index[499]
    )
    assert (calm.retrain, calm.alarms) == (False, [])
    assert set(calm.table["what"]) == {"input x", "coverage_80", "skill_pinball"}


TRAINED, LIVE, EVERY, HISTORIES = 2100, 1000, 10, 12


def rings(alarms):
    """How often an alarm begins to ring."""
    return sum(now and not before for before, now in pairwise([False, *alarms]))


def years(count):
    return count * LIVE / 252


def live_record(history, origins, widen):
    close = history.bars["close"]
    actual = np.log(close.shift(-1) / close).loc[origins].to_numpy()
    truth = history.truth(origins).quantiles[:, 0]
    reference = ewma(history.bars, origins, horizon=1, fitted_until=origins[0]).quantiles[:, 0]
    return record_of(actual, widen * truth, reference)


def wilder(bars, factor):
    """The same bars with every move of the last 60 sessions as many times as large."""
    changed, close = bars.copy(), bars["close"].to_numpy()
    steps = np.diff(np.log(close), prepend=np.log(close[0]))
    steps[-60:] *= factor
    path = close[0] * np.exp(steps.cumsum())
    for name in ("open", "high", "low", "close"):
        away = np.log(bars[name].to_numpy() / close)
        away[-60:] *= factor
        changed[name] = path * np.exp(away)
    return changed


@pytest.mark.slow
def test_how_often_alarms_ring():
    """GARCH histories that never change, and the same after something did. Run with -s to see."""
    counts = dict.fromkeys(["inputs", "coverage", "skill"], 0)
    caught = dict.fromkeys(["volatility x 3", "volatility x 5", "narrow", "wide"], 0)
    for seed in range(HISTORIES):
        history = garch(TRAINED + LIVE + 100, seed=seed)
        features = feature_rows(history.bars, DEFAULT_FEATURES["return"], ticker="X")
        until = features.index[TRAINED]
        ends = range(TRAINED + 61, TRAINED + LIVE, EVERY)
        tables = [drift.input_drift(features.iloc[:end], trained_until=until) for end in ends]
        counts["inputs"] += rings([bool(table["alarm"].any()) for table in tables])
        origins = history.bars.index[TRAINED : TRAINED + LIVE]
        record = live_record(history, origins, 1.0)
        told = [drift.record_drift(record.iloc[:end]) for end in range(60, LIVE, EVERY)]
        counts["coverage"] += rings([bool(row(one, "coverage_80").alarm) for one in told])
        counts["skill"] += rings([bool(row(one, "skill_pinball").alarm) for one in told])
        for name, widen in (("narrow", 0.6), ("wide", 1.7)):
            half_a_year = live_record(history, origins, widen).iloc[:126]
            caught[name] += any(
                drift.record_drift(half_a_year.iloc[:end])["alarm"].any()
                for end in range(60, 126, EVERY)
            )
        for factor in (3, 5):
            rows = feature_rows(
                wilder(history.bars.iloc[: TRAINED + 200], factor),
                DEFAULT_FEATURES["return"],
                ticker="X",
            )
            found = drift.input_drift(rows, trained_until=until)
            caught[f"volatility x {factor}"] += bool(found["alarm"].any())
    a_year = {name: round(count / years(HISTORIES), 3) for name, count in counts.items()}
    print(f"\nrings a year and ticker where nothing changed: {a_year}")
    print(f"caught of {HISTORIES}: {caught}")
    assert all(rate <= 0.2 for rate in a_year.values()), a_year
    # Three times the usual volatility is what some GARCH histories have had in training.
    assert caught.pop("volatility x 3") >= 0.4 * HISTORIES
    assert all(count >= 0.8 * HISTORIES for count in caught.values()), caught
