"""Volatility from the daily range: the unit that the return target is measured in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

SPANS = (1, 5, 22)
"""Sessions in a day, a week and a month."""

SMALLEST_VOLATILITY = 1e-4
"""One basis point a session. A price that does not move must not make a spread of zero width."""

# Standardised outcomes beyond this count as it: one crash must not set the unit's size.
_CLIP = 5.0
_RETURN_CLIP, _VOLUME_CLIP = 4.0, 3.0
# What a session counts of the one after it.
_FADE = 0.75
# As many rows of prior that a term has no weight; standardised terms.
_PRIOR_ROWS = 10.0
# A term that moves less than this is a constant: no volume, or a price that stands still.
_CONSTANT = 1e-9


def range_volatility(bars: pd.DataFrame, *, floor: float = SMALLEST_VOLATILITY) -> pd.Series:
    """Volatility of each session from its true range [log return a session], at least `floor`.

    The range reaches to the close before, so that gaps over night count.

    Source: M. Parkinson (1980), The extreme value method for estimating the variance of the rate
    of return, Journal of Business 53.

    Args:
        bars: Bars, n rows.
        floor: For sessions with hardly any range (no trade), > 0.

    Returns:
        Index of the bars, no NaN.
    """
    high, low, close = (bars[name].to_numpy("float64") for name in ("high", "low", "close"))
    before = np.r_[close[:1], close[:-1]]
    true_range = np.log(np.maximum(high, before) / np.minimum(low, before))
    volatility = np.maximum(true_range / (2.0 * np.sqrt(np.log(2.0))), floor)
    return pd.Series(volatility, index=bars.index)


def session_volatility(bars: pd.DataFrame, *, floor: float = SMALLEST_VOLATILITY) -> pd.Series:
    """Volatility from open to close, without the night [log return a session], at least `floor`.

    Source: M. Garman, M. Klass (1980), On the estimation of security price volatilities from
    historical data, Journal of Business 53; its practical estimator: a third less noisy than the
    range alone.

    Args:
        bars: Bars, n rows.
        floor: For sessions with hardly any range (no trade), > 0.

    Returns:
        Index of the bars, no NaN.
    """
    opened, high, low, close = (
        np.log(bars[name].to_numpy("float64")) for name in ("open", "high", "low", "close")
    )
    variance = 0.5 * (high - low) ** 2 - (2.0 * np.log(2.0) - 1.0) * (close - opened) ** 2
    # An open outside the range would make it negative.
    volatility = np.maximum(np.sqrt(np.maximum(variance, 0.0)), floor)
    return pd.Series(volatility, index=bars.index)


def log_of(values: pd.Series) -> pd.Series:
    """Natural logarithm, same index."""
    return like(values, np.log(values.to_numpy()))


def like(values: pd.Series, computed: np.ndarray) -> pd.Series:
    """What was computed of a Series, as one. Arrays take a third of the time of a Series."""
    return pd.Series(computed, index=values.index, name=values.name, copy=False)


@dataclass(frozen=True)
class VolatilityUnit:
    """The coming session's volatility, as a regression on past ranges, falls and volume expects it.

    Attributes:
        floor: Of the daily volatility.
        weights: Constant, then one for each of `terms`.
    """

    floor: float
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.weights) != 1 + N_TERMS:
            raise ValueError(f"weights must be {1 + N_TERMS}. Received {len(self.weights)}.")

    def at(self, bars: pd.DataFrame) -> pd.Series:
        """The unit known at each session [log return a session]; the first 21 are NaN."""
        # Not a product of the whole matrix: that may round differently with its number of rows.
        predicted = sum(
            (w * term for w, term in zip(self.weights[1:], terms(bars, self.floor), strict=True)),
            start=np.full(len(bars), float(self.weights[0])),
        )
        return pd.Series(np.maximum(np.exp(predicted), SMALLEST_VOLATILITY), index=bars.index)

    def of(self, bars: pd.DataFrame, origins: pd.DatetimeIndex) -> np.ndarray:
        """The unit known at these sessions, shape (n,): of `at`, the same bits and no more."""
        first = bars.index.get_indexer(origins).min(initial=len(bars))
        # A session's terms reach back a month, and to the close before it.
        return self.at(bars.iloc[max(first - max(SPANS), 0) :]).loc[origins].to_numpy()


N_TERMS = 12


def terms(bars: pd.DataFrame, floor: float) -> list[np.ndarray]:
    """What the coming volatility is regressed on: `N_TERMS` arrays, the first 21 values NaN.

    The mean log volatility of the last day, week and month; the size of the return over each of
    them, in units of the month's volatility; the same where it is a fall (0 else: volatility rises
    after falls, F. Black 1976); the log of the last day's and week's volume over the month's; the
    mean log volatility from open to close, each session counting three quarters of the next.

    Args:
        bars: Bars, n rows.
        floor: Of the daily volatility.
    """
    # Arrays: frames take five times as long.
    logs = np.log(range_volatility(bars, floor=floor).to_numpy())
    means = [_mean(logs, span) for span in SPANS]
    month = np.exp(means[-1])
    closes = np.log(bars["close"].to_numpy("float64"))
    moves = [
        np.clip(
            (closes - _before(closes, span)) / (month * np.sqrt(span)), -_RETURN_CLIP, _RETURN_CLIP
        )
        for span in SPANS
    ]
    volume = np.log(bars["volume"].to_numpy("float64") + 1.0)
    usual = _mean(volume, max(SPANS))
    session = np.log(session_volatility(bars, floor=floor).to_numpy())
    return [
        *means,
        *(np.abs(move) for move in moves),
        *(np.minimum(move, 0.0) for move in moves),
        np.clip(volume - usual, -_VOLUME_CLIP, _VOLUME_CLIP),
        _mean(volume, SPANS[1]) - usual,
        _weighted_mean(session, _FADE ** np.arange(max(SPANS))),
    ]


def _mean(values: np.ndarray, span: int) -> np.ndarray:
    return _weighted_mean(values, np.ones(span))


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of the last values, the newest first; NaN where there are too few.

    Added up anew for each: what was before leaves no trace, not even by rounding.
    """
    rows, first = len(values), len(weights) - 1
    if rows <= first:
        return np.full(rows, np.nan)
    sums = sum(
        (weight * values[first - age : rows - age] for age, weight in enumerate(weights)),
        start=np.zeros(rows - first),
    )
    return np.r_[np.full(first, np.nan), sums / weights.sum()]


def _before(values: np.ndarray, span: int) -> np.ndarray:
    """The values `span` sessions ago; the first one where there are none."""
    return np.r_[np.repeat(values[:1], min(span, len(values))), values[:-span]]


def fit_unit(bars: pd.DataFrame) -> VolatilityUnit:
    """The unit fitted by ridge regression on all bars given: those of the training part.

    Tomorrow's log volatility is regressed on the `terms`; the constant is then set so that returns
    measured in the unit have a standard deviation of 1.

    Source: F. Corsi (2009), A simple approximate long-memory model of realized volatility,
    Journal of Financial Econometrics 7; with falls as in F. Corsi, R. Renò (2012), Discrete-time
    volatility forecasting with persistent leverage effect, Journal of Business & Economic
    Statistics 30.

    Args:
        bars: More than 2 × 22 rows.
    """
    floor = max(SMALLEST_VOLATILITY, 0.1 * float(range_volatility(bars).median()))
    columns = terms(bars, floor)
    known = slice(max(SPANS) - 1, len(bars) - 1)
    inputs = np.column_stack(columns)[known]
    target = columns[0][1:][known]
    center, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale[scale < _CONSTANT] = 1.0
    standard = (inputs - center) / scale
    prior = np.sqrt(_PRIOR_ROWS) * np.eye(N_TERMS)
    slopes = np.linalg.lstsq(
        np.vstack([standard, prior]), np.r_[target - target.mean(), np.zeros(N_TERMS)], rcond=None
    )[0]
    slopes = slopes / scale
    constant = target.mean() - center @ slopes
    returns = log_of(bars["close"]).diff().to_numpy()[1:][known]
    outcomes = np.clip(returns / np.exp(constant + inputs @ slopes), -_CLIP, _CLIP)
    size = float(np.sqrt(np.mean(outcomes**2)))
    constant += np.log(size) if size > 0 else 0.0
    return VolatilityUnit(floor, [float(constant), *slopes.tolist()])
