"""Technical indicators: pure, causal functions over the `ta` library, and the table of features.

Row *t* of every indicator depends on bars up to *t* alone. Warm-up rows are NaN, also where `ta`
leaves zeros. Where a formula divides zero by zero (a price that does not move, a session without
volume) the indicator takes its neutral value, which each docstring names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.features.volatility import SMALLEST_VOLATILITY, like, log_of, range_volatility


def log_return(close: pd.Series, *, span: int = 1) -> pd.Series:
    """Log return over the last `span` sessions.

    Args:
        close: Adjusted close [quote currency], index = session, shape (n,).
        span: Sessions, >= 1.

    Returns:
        Log units, same index; the first `span` values are NaN (warm-up).

    Raises:
        ValueError: if `span` < 1.
    """
    _at_least("span", span, 1)
    return log_of(close).diff(span)


def sma(close: pd.Series, *, period: int = 20) -> pd.Series:
    """Simple moving average [quote currency]; the first `period - 1` values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.trend import SMAIndicator

    return pd.Series(SMAIndicator(close, window=period).sma_indicator())


def ema(close: pd.Series, *, period: int = 20) -> pd.Series:
    """Exponential moving average, weight 2 / (period + 1) [quote currency].

    The first `period - 1` values are NaN. It starts at the first close, whose weight falls by
    (1 - 2 / (period + 1)) a session.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.trend import EMAIndicator

    return pd.Series(EMAIndicator(close, window=period).ema_indicator())


def rsi(close: pd.Series, *, period: int = 14) -> pd.Series:
    """Relative strength index, Wilder smoothing, in [0, 100]; 50 when the price has not moved.

    Source: J. W. Wilder (1978), New Concepts in Technical Trading Systems.

    Args:
        close: Adjusted close [quote currency], index = session, shape (n,).
        period: Smoothing length [sessions], >= 2.

    Returns:
        RSI [0-100], same index; the first `period` values are NaN (warm-up).

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.momentum import RSIIndicator

    # `ta` says 100 for a price that has never moved.
    moved = np.maximum.accumulate(np.r_[False, np.diff(close.to_numpy()) != 0.0])
    values = np.where(moved, RSIIndicator(close, window=period).rsi().to_numpy(), np.nan)
    return _settled(like(close, values), period, neutral=50.0)


def bollinger(close: pd.Series, *, period: int = 20, deviations: float = 2.0) -> pd.DataFrame:
    """Bollinger bands, %b and width.

    Source: J. Bollinger (2001), Bollinger on Bollinger Bands. Population standard deviation.

    Args:
        close: Adjusted close [quote currency], index = session, shape (n,).
        period: Length of the average [sessions], >= 2.
        deviations: Half width of the band [standard deviations].

    Returns:
        Columns `lower`, `middle`, `upper` [quote currency], `percent_b` (0 at the lower band,
        1 at the upper; 0.5 when the band has no width) and `width` (share of the middle); the
        first `period - 1` rows are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.volatility import BollingerBands

    bands = BollingerBands(close, window=period, window_dev=deviations)
    lower, middle, upper = (
        each.to_numpy()
        for each in (bands.bollinger_lband(), bands.bollinger_mavg(), bands.bollinger_hband())
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        percent_b = like(close, (close.to_numpy() - lower) / (upper - lower))
    return pd.DataFrame(
        {
            "lower": lower,
            "middle": middle,
            "upper": upper,
            "percent_b": _settled(percent_b, period - 1, neutral=0.5),
            "width": (upper - lower) / middle,
        },
        index=close.index,
    )


def macd(close: pd.Series, *, fast: int = 12, slow: int = 26, signal: int = 9) -> pd.DataFrame:
    """Moving average convergence divergence.

    Source: G. Appel (2005), Technical Analysis: Power Tools for Active Investors.

    Returns:
        Columns `line`, `signal`, `histogram` [quote currency]; the first `slow + signal - 2`
        rows are NaN.

    Raises:
        ValueError: if a length is below 2 or `fast` is not shorter than `slow`.
    """
    for name, length in (("fast", fast), ("slow", slow), ("signal", signal)):
        _at_least(name, length, 2)
    if fast >= slow:
        raise ValueError(f"fast must be shorter than slow. Received {fast} and {slow}.")
    from ta.trend import MACD

    lines = MACD(close, window_slow=slow, window_fast=fast, window_sign=signal)
    table = {
        "line": lines.macd(),
        "signal": lines.macd_signal(),
        "histogram": lines.macd_diff(),
    }
    return pd.DataFrame(
        {name: _masked(column, slow + signal - 2) for name, column in table.items()}
    )


def atr(high: pd.Series, low: pd.Series, close: pd.Series, *, period: int = 14) -> pd.Series:
    """Average true range, Wilder smoothing [quote currency]; the first `period` values are NaN.

    Source: J. W. Wilder (1978). Bit for bit what `ta` gives, which leaves zeros in the warm-up.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    if len(close) <= period:
        return _all_warm_up(close)
    highs, lows = high.to_numpy("float64"), low.to_numpy("float64")
    before = np.r_[math.nan, close.to_numpy("float64")[:-1]]
    # The first session has no close before it.
    true_range = np.fmax(highs - lows, np.fmax(np.abs(highs - before), np.abs(lows - before)))
    smoothed = [math.nan] * period
    value = float(pd.Series(true_range[:period]).mean())
    # `ta` has this very loop over a Series, which takes thirty times as long.
    for size in true_range[period:].tolist():
        value = (value * (period - 1) + size) / period
        smoothed.append(value)
    return like(close, np.array(smoothed))


def adx(high: pd.Series, low: pd.Series, close: pd.Series, *, period: int = 14) -> pd.Series:
    """Average directional index in [0, 100]; 0 when there is no movement in any direction.

    Source: J. W. Wilder (1978). The first `2 * period` values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    if len(close) <= 2 * period:
        return _all_warm_up(close)
    from ta.trend import ADXIndicator

    with np.errstate(divide="ignore", invalid="ignore"):
        values = ADXIndicator(high, low, close, period).adx()
    return _settled(values, 2 * period, neutral=0.0)


def stochastic(high: pd.Series, low: pd.Series, close: pd.Series, *, period: int = 14) -> pd.Series:
    """Fast stochastic %K: the close within the range of `period` sessions, in [0, 100].

    Source: G. C. Lane (1984), Lane's Stochastics. 50 when the range is empty; the first
    `period - 1` values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.momentum import StochasticOscillator

    values = StochasticOscillator(high, low, close, window=period).stoch()
    return _settled(values, period - 1, neutral=50.0)


def mfi(
    high: pd.Series, low: pd.Series, close: pd.Series, volume: pd.Series, *, period: int = 14
) -> pd.Series:
    """Money flow index in [0, 100]; 50 when no money flowed (no volume, no movement).

    Source: G. Quong and A. Soudack (1989), Volume-Weighted RSI: Money Flow. The first `period`
    values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.volume import MFIIndicator

    values = MFIIndicator(high, low, close, volume, window=period).money_flow_index()
    return _settled(values, period, neutral=50.0)


def cci(high: pd.Series, low: pd.Series, close: pd.Series, *, period: int = 20) -> pd.Series:
    """Commodity channel index; 0 when the typical price has not moved.

    Source: D. R. Lambert (1980), Commodity Channel Index. The first `period - 1` values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.trend import CCIIndicator

    return _settled(CCIIndicator(high, low, close, window=period).cci(), period - 1, neutral=0.0)


def williams_r(high: pd.Series, low: pd.Series, close: pd.Series, *, period: int = 14) -> pd.Series:
    """Williams %R in [-100, 0]; -50 when the range is empty; the first `period - 1` are NaN.

    Source: L. R. Williams (1979), How I Made One Million Dollars.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    from ta.momentum import WilliamsRIndicator

    values = WilliamsRIndicator(high, low, close, lbp=period).williams_r()
    return _settled(values, period - 1, neutral=-50.0)


def realised_volatility(close: pd.Series, *, period: int = 20) -> pd.Series:
    """Root mean square of the daily log returns of `period` sessions [log units a session].

    The first `period` values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    return _root(log_return(close) ** 2, period)


def ewma_volatility(close: pd.Series, *, decay: float = 0.94, warm_up: int = 20) -> pd.Series:
    """Exponentially weighted volatility of the daily log returns [log units a session].

    Source: RiskMetrics Technical Document (1996). Started with the mean square of the first
    `warm_up` returns, so that no single first return rules the start; the first `warm_up`
    values are NaN.

    Raises:
        ValueError: if `decay` is not in (0, 1) or `warm_up` < 2.
    """
    _at_least("warm_up", warm_up, 2)
    if not 0.0 < decay < 1.0:
        raise ValueError(f"decay must be in (0, 1). Received {decay}.")
    if len(close) <= warm_up:
        return _all_warm_up(close)
    squares = log_return(close) ** 2
    start = squares.copy()
    start.iloc[warm_up] = squares.iloc[1 : warm_up + 1].mean()
    variance = start.iloc[warm_up:].ewm(alpha=1.0 - decay, adjust=False).mean()
    return variance.pow(0.5).reindex(close.index)


def parkinson_volatility(high: pd.Series, low: pd.Series, *, period: int = 10) -> pd.Series:
    """Volatility from the high-low range [log units a session]; first `period - 1` are NaN.

    Source: M. Parkinson (1980), The Extreme Value Method for Estimating the Variance of the
    Rate of Return.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    return _root(log_of(high / low) ** 2 / (4.0 * np.log(2.0)), period)


def high_low_range(high: pd.Series, low: pd.Series) -> pd.Series:
    """Logarithm of the session's range log(high / low), at least one basis point; no warm-up."""
    return _log_floor(log_of(high / low))


def overnight_return(open_: pd.Series, close: pd.Series) -> pd.Series:
    """Log return from the previous close to the open; the first value is NaN."""
    return log_of(open_ / close.shift(1))


def volume_change(volume: pd.Series, *, period: int = 20) -> pd.Series:
    """Log of the volume over its average of `period` sessions; one share is added to both.

    0 where nothing was ever traded; the first `period - 1` values are NaN.

    Raises:
        ValueError: if `period` < 2.
    """
    _at_least("period", period, 2)
    average = np.maximum(volume.rolling(period).mean().to_numpy(), 0.0)
    return like(volume, np.log((volume.to_numpy() + 1.0) / (average + 1.0)))


def weekday_wave(sessions: pd.DatetimeIndex, *, phase: str) -> pd.Series:
    """Day of the week on a circle of seven days: `phase` is `sin` or `cos`; no warm-up."""
    angle = 2.0 * np.pi * sessions.day_of_week.to_numpy() / 7.0
    return pd.Series(np.sin(angle) if phase == "sin" else np.cos(angle), index=sessions)


def _log_true_range(bars: pd.DataFrame, *, period: int) -> pd.Series:
    return log_of(range_volatility(bars)).rolling(period).mean()


def _root(squares: pd.Series, period: int) -> pd.Series:
    """Of their rolling mean, which rounding may leave below zero."""
    means = squares.rolling(period).mean().to_numpy()
    return like(squares, np.sqrt(np.maximum(means, 0.0)))


def _log_floor(volatility: pd.Series) -> pd.Series:
    return like(volatility, np.log(np.maximum(volatility.to_numpy(), SMALLEST_VOLATILITY)))


@dataclass(frozen=True)
class Indicator:
    """One feature: how it is computed from Bars, and how many first rows it cannot fill."""

    compute: Callable[[pd.DataFrame], pd.Series]
    warm_up: int


INDICATORS: dict[str, Indicator] = {
    "close": Indicator(lambda b: b["close"], 0),
    "return_1": Indicator(lambda b: log_return(b["close"], span=1), 1),
    "return_2": Indicator(lambda b: log_return(b["close"], span=2), 2),
    "return_5": Indicator(lambda b: log_return(b["close"], span=5), 5),
    "return_10": Indicator(lambda b: log_return(b["close"], span=10), 10),
    "return_20": Indicator(lambda b: log_return(b["close"], span=20), 20),
    "return_60": Indicator(lambda b: log_return(b["close"], span=60), 60),
    "return_overnight": Indicator(lambda b: overnight_return(b["open"], b["close"]), 1),
    "sma_10_ratio": Indicator(lambda b: log_of(b["close"] / sma(b["close"], period=10)), 9),
    "sma_20_ratio": Indicator(lambda b: log_of(b["close"] / sma(b["close"], period=20)), 19),
    "sma_50_ratio": Indicator(lambda b: log_of(b["close"] / sma(b["close"], period=50)), 49),
    "sma_200_ratio": Indicator(lambda b: log_of(b["close"] / sma(b["close"], period=200)), 199),
    "ema_12_ratio": Indicator(lambda b: log_of(b["close"] / ema(b["close"], period=12)), 11),
    "ema_26_ratio": Indicator(lambda b: log_of(b["close"] / ema(b["close"], period=26)), 25),
    "rsi_14": Indicator(lambda b: rsi(b["close"], period=14), 14),
    "bollinger_20_b": Indicator(lambda b: bollinger(b["close"])["percent_b"], 19),
    "bollinger_20_width": Indicator(lambda b: bollinger(b["close"])["width"], 19),
    "macd_ratio": Indicator(lambda b: macd(b["close"])["histogram"] / b["close"], 33),
    "atr_14_ratio": Indicator(lambda b: atr(b["high"], b["low"], b["close"]) / b["close"], 14),
    "adx_14": Indicator(lambda b: adx(b["high"], b["low"], b["close"]), 28),
    "stochastic_14": Indicator(lambda b: stochastic(b["high"], b["low"], b["close"]), 13),
    "mfi_14": Indicator(lambda b: mfi(b["high"], b["low"], b["close"], b["volume"]), 14),
    "cci_20": Indicator(lambda b: cci(b["high"], b["low"], b["close"]), 19),
    "williams_r_14": Indicator(lambda b: williams_r(b["high"], b["low"], b["close"]), 13),
    "volatility_5": Indicator(lambda b: _log_floor(realised_volatility(b["close"], period=5)), 5),
    "volatility_20": Indicator(
        lambda b: _log_floor(realised_volatility(b["close"], period=20)), 20
    ),
    "volatility_60": Indicator(
        lambda b: _log_floor(realised_volatility(b["close"], period=60)), 60
    ),
    "volatility_ewma": Indicator(lambda b: _log_floor(ewma_volatility(b["close"])), 20),
    "parkinson_5": Indicator(
        lambda b: _log_floor(parkinson_volatility(b["high"], b["low"], period=5)), 4
    ),
    "parkinson_20": Indicator(
        lambda b: _log_floor(parkinson_volatility(b["high"], b["low"], period=20)), 19
    ),
    "true_range_1": Indicator(lambda b: _log_true_range(b, period=1), 0),
    "true_range_5": Indicator(lambda b: _log_true_range(b, period=5), 4),
    "true_range_22": Indicator(lambda b: _log_true_range(b, period=22), 21),
    "true_range_66": Indicator(lambda b: _log_true_range(b, period=66), 65),
    "range_1": Indicator(lambda b: high_low_range(b["high"], b["low"]), 0),
    "volume_20_ratio": Indicator(lambda b: volume_change(b["volume"], period=20), 19),
    "weekday_sin": Indicator(lambda b: weekday_wave(_sessions(b), phase="sin"), 0),
    "weekday_cos": Indicator(lambda b: weekday_wave(_sessions(b), phase="cos"), 0),
}


def _sessions(bars: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(bars.index)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be >= {least}. Received {value}.")


def _all_warm_up(values: pd.Series) -> pd.Series:
    return pd.Series(np.nan, index=values.index)


def _masked(values: pd.Series, warm_up: int) -> pd.Series:
    masked = values.to_numpy("float64", copy=True)
    masked[:warm_up] = np.nan
    return like(values, masked)


def _settled(values: pd.Series, warm_up: int, *, neutral: float) -> pd.Series:
    """Warm-up masked, and the neutral value where the formula came to 0 / 0 after it."""
    found = values.to_numpy("float64")
    return _masked(like(values, np.where(np.isnan(found), neutral, found)), warm_up)
