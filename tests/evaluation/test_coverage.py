from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from forecast.evaluation.coverage import (
    by_chance,
    coverage_text,
    independent_outcomes,
    pit_histogram,
    rolling_coverage,
)
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.features.targets import LEVELS


def frame_of(actual, *, width=1.0):
    """Forecasts of normal prices around 100; the quantiles `width` times as far out."""
    sessions = pd.bdate_range("2015-01-01", periods=len(actual) + 1)
    quantiles = 100 + width * norm.ppf(LEVELS)
    return pd.DataFrame(
        {
            "ticker": "T",
            "origin": sessions[:-1],
            "step": 1,
            "session": sessions[1:],
            "model": "net",
            "predicted": 100.0,
            **dict(zip(QUANTILE_COLUMNS, quantiles, strict=True)),
            "actual": actual,
        }
    )


NORMAL = 100 + np.random.default_rng(0).normal(size=600)


def test_pit_by_hand():
    frame = frame_of(np.array([90.0, 98.5, 100.0, 100.1, 100.2, 101.5, 110.0, 111.0]))
    histogram = pit_histogram(frame, model="net", step=1)
    # Quantiles 98.36 98.72 99.33 100 100.67 101.28 101.64; an outcome on one counts below it.
    np.testing.assert_allclose(histogram["observed"] * 8, [1, 1, 0, 1, 2, 0, 1, 2])
    np.testing.assert_allclose(
        histogram["expected"], [0.05, 0.05, 0.15, 0.25, 0.25, 0.15, 0.05, 0.05]
    )
    assert histogram["upto"].tolist() == [*LEVELS, 1.0]
    assert pit_histogram(frame, model="other", step=1)["observed"].isna().all()


def test_rolling_coverage_by_hand():
    frame = frame_of(np.array([100.0, 105.0, 100.0, np.nan, 100.0]))
    rolling = rolling_coverage(frame, model="net", step=1, window=2)
    assert rolling.iloc[1:].tolist() == [0.5, 0.5, 1.0]
    assert np.isnan(rolling.iloc[0])
    assert rolling.index[-1] == frame["session"].iloc[-1]


@pytest.mark.parametrize("step", [1, 5, 20])
def test_chance_keeps_a_share_within_reach_nineteen_times_in_twenty(step):
    normal = np.random.default_rng(9).standard_normal((3000, 470 + step))
    sums = np.cumsum(normal, axis=1)
    inside = np.abs(sums[:, step:] - sums[:, :-step]) < norm.ppf(0.9) * np.sqrt(step)
    apart = np.abs(inside.mean(axis=1) - 0.8)
    # With every `step`-th outcome alone it would be 99 times in a hundred.
    assert 0.93 < (apart <= by_chance(0.8, 470, step=step)).mean() < 0.975


def test_no_warning_where_the_band_holds():
    assert coverage_text(frame_of(NORMAL), model="net", step=1) == (
        "The 80 % band of net held 80.0 % of 600 outcomes at step 1: no sign that it breaks its "
        "promise over the whole test part or along it."
    )


@pytest.mark.parametrize(("width", "words"), [(0.7, "too few"), (1.6, "too many"), (9, "too many")])
def test_warning_where_it_does_not(width, words):
    text = coverage_text(frame_of(NORMAL, width=width), model="net", step=1)
    assert f"{words} for chance" in text


def test_warning_where_it_broke_for_a_while():
    actual = NORMAL.copy()
    actual[300:340] = 150
    # The rest is narrower, so that on the whole the share is right.
    actual[:300] = 100 + 0.9 * (actual[:300] - 100)
    text = coverage_text(frame_of(actual), model="net", step=1)
    assert "it broke there" in text


@pytest.mark.parametrize(
    ("n", "step", "outside", "words"),
    [
        # Fewer than 60 * step outcomes: the whole is tested all the same.
        (472, 8, 472, "held 0.0 % of 472 outcomes at step 8: too few for chance"),
        (472, 8, 0, "held 100.0 % of 472 outcomes at step 8: too many for chance"),
        (472, 8, 94, "no sign that it breaks its promise over the whole test part, which is too"),
        (59, 1, 59, "held 0.0 % of 59 outcomes at step 1: too few for chance"),
        # Of 22 independent outcomes all may be inside by chance (p = 0.013), of 23 not (p = 0.008).
        (22, 1, 0, "held 100.0 % of 22 outcomes at step 1: too few outcomes to tell"),
        (23, 1, 0, "too many for chance"),
        # They overlap: 40 are no more than 40 / 10.5 independent ones.
        (40, 20, 0, "too few outcomes to tell"),
    ],
)
def test_whatever_can_be_told_is(n, step, outside, words):
    actual = np.full(n, 100.0)
    actual[np.linspace(0, n - 1, outside).round().astype(int)] = 150.0
    frame = frame_of(actual).assign(step=step)
    assert words in coverage_text(frame, model="net", step=step)


def test_misses_in_runs_count_for_less():
    alone = np.tile([1.0, 1, 1, 0], 15)
    runs = np.repeat([1.0, 0, 1, 1, 0, 1], [15, 8, 10, 10, 7, 10])
    assert alone.sum() == runs.sum()
    assert independent_outcomes(alone, step=1) == 60
    assert independent_outcomes(runs, step=1) < 25
    assert independent_outcomes(np.ones(60), step=1) == 60


@pytest.mark.parametrize("step", [5, 20])
def test_bands_that_hold_are_seldom_warned_of_at_long_steps(step):
    """1 % of them, by outcomes that overlap; the test of Diebold and Mariano warns of 2 and 4 %."""
    rng = np.random.default_rng(3)
    walks = np.cumsum(rng.standard_normal((1000, 470 + step)), axis=1)
    inside = np.abs(walks[:, step:] - walks[:, :-step]) < norm.ppf(0.9) * np.sqrt(step)
    sizes = [round(independent_outcomes(row, step=step)) for row in inside.astype("float64")]
    pairs = zip(inside.mean(axis=1), sizes, strict=True)
    warned = [binomtest(round(share * size), size, 0.8).pvalue < 0.01 for share, size in pairs]
    assert np.mean(warned) < 0.015
