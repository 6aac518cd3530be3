from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated import random_walk

from forecast.features.volatility import VolatilityUnit, fit_unit, session_volatility


def test_the_unit_is_a_regression_by_hand():
    bars = random_walk(30, seed=1)
    weights = [-1.0, 0.5, 0.25, 0.25, 0.01, 0.02, 0.03, -0.04, -0.05, -0.06, 0.07, 0.08, 0.09]
    values = VolatilityUnit(floor=1e-4, weights=weights).at(bars)
    before = bars["close"].shift(1).fillna(bars["close"])
    true_range = np.log(np.maximum(bars["high"], before) / np.minimum(bars["low"], before))
    logs = np.log(true_range / (2 * np.sqrt(np.log(2)))).to_numpy()
    closes, volume = np.log(bars["close"].to_numpy()), np.log(bars["volume"].to_numpy() + 1)
    month = np.exp(logs[-22:].mean())
    moves = [
        np.clip((closes[-1] - closes[-1 - span]) / (month * np.sqrt(span)), -4, 4)
        for span in (1, 5, 22)
    ]
    ranges = np.log(bars["high"] / bars["low"]).to_numpy()
    bodies = np.log(bars["close"] / bars["open"]).to_numpy()
    days = np.log(np.sqrt(0.5 * ranges**2 - (2 * np.log(2) - 1) * bodies**2))
    inputs = [
        1.0,
        *(logs[-span:].mean() for span in (1, 5, 22)),
        *(abs(move) for move in moves),
        *(min(move, 0.0) for move in moves),
        np.clip(volume[-1] - volume[-22:].mean(), -3, 3),
        volume[-5:].mean() - volume[-22:].mean(),
        np.average(days[-22:], weights=0.75 ** np.arange(22)[::-1]),
    ]
    np.testing.assert_allclose(values.iloc[-1], np.exp(np.dot(weights, inputs)))
    assert values.iloc[:21].isna().all()
    assert values.iloc[21:].notna().all()


def test_a_session_s_volatility_without_the_night():
    bars = pd.DataFrame(
        {"open": [100.0, 100.0], "high": [102.0, 101.0], "low": [99.0, 101.0], "close": [101.0] * 2}
    )
    expected = 0.5 * np.log(102 / 99) ** 2 - (2 * np.log(2) - 1) * np.log(1.01) ** 2
    # The second session opened outside its range, as bad data can have it.
    np.testing.assert_allclose(session_volatility(bars, floor=1e-3), [np.sqrt(expected), 1e-3])


def test_a_unit_of_another_version_is_refused():
    with pytest.raises(ValueError, match="weights"):
        VolatilityUnit(floor=1e-4, weights=[-1.0, 0.5, 0.25, 0.25])


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


@pytest.mark.parametrize("places", [[21], [0, 30], [2400, 2499], [22, 23, 24], []])
def test_the_unit_of_some_sessions_is_that_of_all_bit_for_bit(aapl, places):
    bars, unit = aapl.iloc[:2500], fit_unit(aapl.iloc[:2000])
    origins = bars.index[places]
    np.testing.assert_array_equal(unit.of(bars, origins), unit.at(bars).loc[origins])


def test_a_price_that_stands_still_has_a_small_unit():
    bars = random_walk(200, seed=1)
    bars[["open", "high", "low", "close"]] = 7.0
    values = fit_unit(bars).at(bars).dropna()
    assert (values > 0).all()
    assert (values < 1e-3).all()
