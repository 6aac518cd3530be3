from __future__ import annotations

import numpy as np
import pandas as pd
from simulated import random_walk

from forecast.features.volatility import VolatilityUnit, fit_unit


def test_the_unit_is_a_regression_of_the_logs_by_hand():
    bars = random_walk(30, seed=1)
    unit = VolatilityUnit(floor=1e-4, weights=[-1.0, 0.5, 0.25, 0.25])
    before = bars["close"].shift(1).fillna(bars["close"])
    true_range = np.log(np.maximum(bars["high"], before) / np.minimum(bars["low"], before))
    logs = np.log(true_range / (2 * np.sqrt(np.log(2))))
    expected = (
        -1 + 0.5 * logs.iloc[-1] + 0.25 * logs.iloc[-5:].mean() + 0.25 * logs.iloc[-22:].mean()
    )
    values = unit.at(bars)
    np.testing.assert_allclose(values.iloc[-1], np.exp(expected))
    assert values.iloc[:21].isna().all()
    assert values.iloc[21:].notna().all()


def test_returns_in_the_fitted_unit_have_a_standard_deviation_of_one(aapl):
    bars = aapl.iloc[:2000]
    values = fit_unit(bars).at(bars)
    standard = (np.log(bars["close"]).diff().shift(-1) / values).dropna().clip(-5, 5)
    assert abs(standard.pow(2).mean() - 1) < 0.03


def test_later_bars_change_no_unit_bit_for_bit(aapl):
    unit = fit_unit(aapl.iloc[:2000])
    pd.testing.assert_series_equal(
        unit.at(aapl).iloc[:2500], unit.at(aapl.iloc[:2500]), check_exact=True
    )


def test_a_price_that_stands_still_has_a_small_unit():
    bars = random_walk(200, seed=1)
    bars[["open", "high", "low", "close"]] = 7.0
    values = fit_unit(bars).at(bars).dropna()
    assert (values > 0).all()
    assert (values < 1e-3).all()
