from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from simulated import random_walk

from forecast.errors import ConfigError, NotEnoughBars
from forecast.features import indicators
from forecast.features.indicators import INDICATORS
from forecast.features.sets import compute_features

EVERY = pytest.mark.parametrize("name", list(INDICATORS))


@EVERY
def test_features_of_a_prefix_are_the_prefix_of_the_features(name, aapl):
    whole = INDICATORS[name].compute(aapl)
    for length in (90, 300, 1271, 3000):
        pd.testing.assert_series_equal(
            INDICATORS[name].compute(aapl.iloc[:length]), whole.iloc[:length], check_exact=True
        )


@EVERY
def test_a_poisoned_future_changes_nothing_before_it(name, aapl):
    poisoned = aapl.copy()
    poisoned.iloc[2000:] = [1e6, 1e7, 1e-3, 5.0, 1e12]
    before = INDICATORS[name].compute(aapl).iloc[:2000]
    pd.testing.assert_series_equal(
        INDICATORS[name].compute(poisoned).iloc[:2000], before, check_exact=True
    )


@EVERY
def test_warm_up_is_masked_and_nothing_else(name, aapl):
    values, warm_up = INDICATORS[name].compute(aapl), INDICATORS[name].warm_up
    assert values.index.equals(aapl.index)
    assert values.iloc[:warm_up].isna().all()
    assert np.isfinite(values.iloc[warm_up:]).all()


@EVERY
def test_a_price_that_does_not_move_gives_numbers(name, aapl):
    still = aapl.iloc[:400].copy()
    still[["open", "high", "low", "close"]] = 10.0
    still["volume"] = 0.0
    values = INDICATORS[name].compute(still)
    assert np.isfinite(values.iloc[INDICATORS[name].warm_up :]).all()


@EVERY
@pytest.mark.parametrize("length", [1, 4, 13, 14, 15, 20, 27, 28])
def test_short_histories_are_all_warm_up_or_numbers(name, length, aapl):
    values = INDICATORS[name].compute(aapl.iloc[:length])
    assert len(values) == length
    assert values.isna().sum() == min(length, INDICATORS[name].warm_up)


def test_indicators_agree_with_an_independent_library():
    # A random walk has no ties: where a price repeats, rounding decides what counts as a rise.
    bars = random_walk(2000, seed=1)
    high, low, close, volume = (
        bars[name].to_numpy() for name in ("high", "low", "close", "volume")
    )
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    ours = indicators.bollinger(bars["close"])
    pairs = {
        "rsi": (indicators.rsi(bars["close"]), talib.RSI(close, 14)),
        "sma": (indicators.sma(bars["close"], period=20), talib.SMA(close, 20)),
        "ema": (indicators.ema(bars["close"], period=20), talib.EMA(close, 20)),
        "bollinger upper": (ours["upper"], upper),
        "bollinger middle": (ours["middle"], middle),
        "bollinger lower": (ours["lower"], lower),
        "macd": (indicators.macd(bars["close"])["histogram"], talib.MACD(close)[2]),
        "atr": (
            indicators.atr(bars["high"], bars["low"], bars["close"]),
            talib.ATR(high, low, close, 14),
        ),
        "adx": (
            indicators.adx(bars["high"], bars["low"], bars["close"]),
            talib.ADX(high, low, close, 14),
        ),
        "mfi": (
            indicators.mfi(bars["high"], bars["low"], bars["close"], bars["volume"]),
            talib.MFI(high, low, close, volume, 14),
        ),
        "cci": (
            indicators.cci(bars["high"], bars["low"], bars["close"], period=20),
            talib.CCI(high, low, close, 20),
        ),
        "williams": (
            indicators.williams_r(bars["high"], bars["low"], bars["close"]),
            talib.WILLR(high, low, close, 14),
        ),
        "stochastic": (
            indicators.stochastic(bars["high"], bars["low"], bars["close"]),
            talib.STOCHF(high, low, close, 14, 1)[0],
        ),
    }
    for name, (own, theirs) in pairs.items():
        # Smoothing starts differently in the two; after 500 sessions that is forgotten.
        np.testing.assert_allclose(
            own.to_numpy()[500:], theirs[500:], rtol=1e-6, atol=1e-6, err_msg=name
        )


def test_hand_computed_values():
    close = pd.Series([10.0, 11.0, 12.1, 11.0])
    np.testing.assert_allclose(indicators.log_return(close)[1:3], np.log(1.1))
    assert indicators.sma(close, period=2).tolist()[1:] == [10.5, 11.55, 11.55]
    volume = pd.Series([1.0, 3.0])
    # Average 2, plus one share each: log(4 / 3).
    assert indicators.volume_change(volume, period=2)[1] == pytest.approx(np.log(4 / 3))
    moves = pd.Series(np.exp(np.cumsum([0.0, 0.1, -0.1, 0.1])))
    assert indicators.realised_volatility(moves, period=3)[3] == pytest.approx(0.1)
    assert indicators.ewma_volatility(moves, warm_up=2)[3] == pytest.approx(0.1)
    high, low = pd.Series([2.0, 2.0]), pd.Series([1.0, 1.0])
    expected = np.log(2) / np.sqrt(4 * np.log(2))
    assert indicators.parkinson_volatility(high, low, period=2)[1] == pytest.approx(expected)


def test_neutral_values_of_a_price_that_does_not_move():
    still = pd.Series([10.0] * 40)
    assert indicators.rsi(still).iloc[-1] == 50
    assert indicators.bollinger(still)["percent_b"].iloc[-1] == 0.5
    assert indicators.stochastic(still, still, still).iloc[-1] == 50
    assert indicators.williams_r(still, still, still).iloc[-1] == -50
    assert indicators.mfi(still, still, still, 0 * still).iloc[-1] == 50
    assert indicators.cci(still, still, still).iloc[-1] == 0
    assert indicators.adx(still, still, still).iloc[-1] == 0


def test_bad_parameters_are_refused(aapl):
    with pytest.raises(ValueError, match="period must be >= 2"):
        indicators.rsi(aapl["close"], period=1)
    with pytest.raises(ValueError, match="fast must be shorter"):
        indicators.macd(aapl["close"], fast=26, slow=12)
    with pytest.raises(ValueError, match="decay"):
        indicators.ewma_volatility(aapl["close"], decay=1.0)


def test_the_chosen_features_in_the_chosen_order(aapl):
    features = compute_features(aapl, ["rsi_14", "return_5"], ticker="AAPL")
    assert list(features.columns) == ["rsi_14", "return_5"]
    assert features.index.equals(aapl.index[14:])
    assert not features.isna().any().any()


@pytest.mark.parametrize(
    ("names", "message"),
    [(["rsi_15"], "rsi_15"), ([], "none"), (["rsi_14", "rsi_14"], "Repeated: rsi_14")],
)
def test_unknown_or_repeated_features_are_refused(names, message, aapl):
    with pytest.raises(ConfigError, match=message):
        compute_features(aapl, names, ticker="AAPL")


def test_too_short_a_history_says_how_many_sessions_it_needs(aapl):
    with pytest.raises(NotEnoughBars, match=r"more than 28 sessions.*Received 28"):
        compute_features(aapl.iloc[:28], ["adx_14"], ticker="AAPL")
