"""Heterogeneous autoregression of the daily range: yesterday, last week, last month."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.baselines.training import (
    empirical_quantiles,
    positions,
    returns_ahead,
    training_length,
)
from forecast.features.targets import Prediction
from forecast.features.volatility import SMALLEST_VOLATILITY, SPANS, range_volatility


def har(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None = None,
) -> Prediction:
    """The last close with a spread regressed on the ranges of the last day, week and month.

    The mean log volatility of the coming `step` sessions is regressed by least squares on the
    means of the last 1, 5 and 22, each step on its own. Quantiles: predicted volatility times the
    empirical quantiles of the training part's returns divided by their predicted volatility.

    Source: F. Corsi (2009), A simple approximate long-memory model of realized volatility,
    Journal of Financial Econometrics 7; the range as measure: M. Parkinson (1980), The extreme
    value method for estimating the variance of the rate of return, Journal of Business 53.

    Args:
        bars: Bars.
        origins: Sessions to forecast from, shape (n,).
        horizon: Sessions ahead, >= 1.
        fitted_until: Last session of the training part.
        features: Not used.

    Returns:
        Point 0; quantiles proportional to the predicted volatility.

    Raises:
        NotEnoughBars: if the training part has fewer than horizon + 2 sessions.
    """
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    # A session without any range (no trade) counts a tenth of the training part's median.
    floor = 0.1 * float(range_volatility(bars.iloc[:length]).median())
    logs = np.log(range_volatility(bars, floor=max(floor, SMALLEST_VOLATILITY))).to_numpy()
    means = [pd.Series(logs).rolling(span, min_periods=1).mean() for span in SPANS]
    inputs = np.column_stack([np.ones(len(logs)), *means])
    cumulated = np.r_[0.0, logs[:length].cumsum()]
    volatility = np.empty((len(logs), horizon))
    for step in range(1, horizon + 1):
        known = length - step
        target = (cumulated[step + 1 :] - cumulated[1:-step]) / step
        weights = np.linalg.lstsq(inputs[:known], target, rcond=None)[0]
        # A product of the whole matrix may round differently with its number of rows.
        predicted = sum(weight * column for weight, column in zip(weights, inputs.T, strict=True))
        volatility[:, step - 1] = np.exp(predicted)
    standard = empirical_quantiles(returns_ahead(bars, length, horizon) / volatility[:length])
    at_origin = volatility[positions(bars, origins)]
    return Prediction(np.zeros(at_origin.shape), at_origin[:, :, None] * standard)
