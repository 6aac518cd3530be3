"""The calendar of the sessions ahead: hand-computed days, and nothing known too early."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ForecastError
from forecast.evaluation.audit.inputs import training_part_checks, window_checks
from forecast.features.calendar import CALENDAR, calendar_ahead, trading_week
from forecast.features.inputs import Inputs, fit_inputs

FEATURES = ["return_1", "volatility_20"]
WEEKDAYS, ALL_DAYS = "1111100", "1111111"


def days(*texts):
    return pd.DatetimeIndex(texts)


def waves(*texts):
    """What the calendar gives for these days, from its definition."""
    found = []
    for day in days(*texts):
        week, year = 2 * np.pi * day.weekday() / 7, 2 * np.pi * day.timetuple().tm_yday / 365.25
        found += [np.sin(week), np.cos(week), np.sin(year), np.cos(year)]
    return np.array([found], dtype="float32")


@pytest.mark.parametrize(
    ("origin", "week", "ahead"),
    [
        ("2024-03-06", WEEKDAYS, ["2024-03-07", "2024-03-08", "2024-03-11"]),
        ("2024-12-31", WEEKDAYS, ["2025-01-01", "2025-01-02", "2025-01-03"]),
        ("2024-03-08", ALL_DAYS, ["2024-03-09", "2024-03-10", "2024-03-11"]),
        ("2024-03-07", "1111001", ["2024-03-10", "2024-03-11", "2024-03-12"]),
        # A rare session on a Saturday: what follows is Monday.
        ("2024-03-09", WEEKDAYS, ["2024-03-11", "2024-03-12", "2024-03-13"]),
    ],
    ids=["over a weekend", "a holiday is not known", "all days", "Sunday to Thursday", "Saturday"],
)
def test_the_next_days_of_the_trading_week(origin, week, ahead):
    found = calendar_ahead(days(origin), week=week, horizon=3)
    assert found.dtype == "float32"
    assert found.shape == (1, 3 * len(CALENDAR))
    np.testing.assert_allclose(found, waves(*ahead), atol=1e-6)


def test_the_trading_week_is_the_days_that_are_no_exceptions():
    weekdays = pd.bdate_range("2024-01-01", periods=100)
    assert trading_week(weekdays) == WEEKDAYS
    assert trading_week(weekdays.append(days("2024-01-20"))) == WEEKDAYS
    assert trading_week(pd.date_range("2024-01-01", periods=100)) == ALL_DAYS
    assert trading_week(weekdays[weekdays.day_of_week < 4]) == "1111000"


@pytest.fixture
def fitted(walk):
    return fit_inputs(
        walk, ticker="T", feature_names=FEATURES, lookback=5, horizon=2, target="return", ahead=True
    )


def test_rows_end_with_the_calendar_as_it_is(walk, fitted):
    inputs, _ = fitted
    plain, _ = fit_inputs(
        walk, ticker="T", feature_names=FEATURES, lookback=5, horizon=2, target="return"
    )
    windows, without = inputs.windows(walk, ticker="T"), plain.windows(walk, ticker="T")
    assert (windows.known, without.known) == (4, 0)
    assert (inputs.week, plain.week) == (WEEKDAYS, None)
    assert windows.features.shape[1] == 2 + 2 * 4
    np.testing.assert_array_equal(windows.features[:, :2], without.features)
    last = windows.gather(slice(0, 1))[:, -1]
    expected = calendar_ahead(windows.origin[:1], week=WEEKDAYS, horizon=2)
    np.testing.assert_array_equal(last[:, 2:], expected)
    newest = inputs.newest(walk, ticker="T").gather(slice(0, 1))[:, -1]
    np.testing.assert_array_equal(
        newest[:, 2:], calendar_ahead(walk.index[-1:], week=WEEKDAYS, horizon=2)
    )


def test_nothing_is_known_too_early(walk, fitted):
    inputs, split = fitted
    checks = [
        *window_checks(walk, inputs, ticker="T", cuts=4),
        *training_part_checks(walk, inputs, split, ticker="T"),
    ]
    assert all(check.passed for check in checks)
    assert "week" in {check.subject for check in checks}


def test_inputs_come_back_with_their_week(fitted):
    inputs, _ = fitted
    document = inputs.as_document()
    assert Inputs.from_document(document) == inputs
    del document["week"]  # as before there was one
    assert Inputs.from_document(document).week is None
    with pytest.raises(ForecastError):
        Inputs.from_document({"week": WEEKDAYS})
