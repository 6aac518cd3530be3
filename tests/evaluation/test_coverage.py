from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from forecast.evaluation.coverage import coverage_break, pit_histogram, rolling_coverage
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


def test_no_warning_where_the_band_holds():
    assert coverage_break(frame_of(NORMAL), model="net", step=1) is None


@pytest.mark.parametrize(("width", "words"), [(0.7, "too few"), (1.6, "too many"), (9, "too many")])
def test_warning_where_it_does_not(width, words):
    assert words in coverage_break(frame_of(NORMAL, width=width), model="net", step=1)


def test_warning_where_it_broke_for_a_while():
    actual = NORMAL.copy()
    actual[300:340] = 150
    # The rest is narrower, so that on the whole the share is right.
    actual[:300] = 100 + 0.9 * (actual[:300] - 100)
    text = coverage_break(frame_of(actual), model="net", step=1)
    assert "it broke there" in text


def test_too_few_outcomes_for_a_warning():
    assert coverage_break(frame_of(np.full(59, 150.0)), model="net", step=1) is None
