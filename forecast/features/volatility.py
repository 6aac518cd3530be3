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
    before = bars["close"].shift(1).fillna(bars["close"])
    high, low = np.maximum(bars["high"], before), np.minimum(bars["low"], before)
    true_range = log_of(pd.Series(high / low, index=bars.index))
    return (true_range / (2.0 * np.sqrt(np.log(2.0)))).clip(lower=floor)


def log_of(values: pd.Series) -> pd.Series:
    """Natural logarithm, same index."""
    return pd.Series(np.log(values), index=values.index)


@dataclass(frozen=True)
class VolatilityUnit:
    """The coming session's volatility, as a regression on past ranges expects it.

    Attributes:
        floor: Of the daily volatility.
        weights: Constant, then one for each of `SPANS`.
    """

    floor: float
    weights: Sequence[float]

    def at(self, bars: pd.DataFrame) -> pd.Series:
        """The unit known at each session [log return a session]; the first 21 are NaN."""
        columns = _means(bars, self.floor)
        # Not a product of the whole matrix: that may round differently with its number of rows.
        predicted = sum(
            (weight * column for weight, column in zip(self.weights[1:], columns, strict=True)),
            start=pd.Series(float(self.weights[0]), index=bars.index),
        )
        return pd.Series(np.exp(predicted), index=bars.index).clip(lower=SMALLEST_VOLATILITY)


def fit_unit(bars: pd.DataFrame) -> VolatilityUnit:
    """The unit fitted by least squares on all bars given: those of the training part.

    Tomorrow's log volatility is regressed on its means over the last day, week and month; the
    constant is then set so that returns measured in the unit have a standard deviation of 1.

    Source: F. Corsi (2009), A simple approximate long-memory model of realized volatility,
    Journal of Financial Econometrics 7.

    Args:
        bars: More than 2 × 22 rows.
    """
    floor = max(SMALLEST_VOLATILITY, 0.1 * float(range_volatility(bars).median()))
    columns = _means(bars, floor)
    known = slice(max(SPANS) - 1, len(bars) - 1)
    inputs = np.column_stack([np.ones(len(bars)), *columns])[known]
    target = columns[0].to_numpy()[1:][known]
    weights = np.linalg.lstsq(inputs, target, rcond=None)[0]
    returns = log_of(bars["close"]).diff().to_numpy()[1:][known]
    standard = np.clip(returns / np.exp(inputs @ weights), -_CLIP, _CLIP)
    size = float(np.sqrt(np.mean(standard**2)))
    weights[0] += np.log(size) if size > 0 else 0.0
    return VolatilityUnit(floor, weights.tolist())


def _means(bars: pd.DataFrame, floor: float) -> list[pd.Series]:
    logs = log_of(range_volatility(bars, floor=floor))
    return [logs.rolling(span).mean() for span in SPANS]
