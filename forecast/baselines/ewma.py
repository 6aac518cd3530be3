"""Exponentially weighted volatility: RiskMetrics with empirical tails."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.baselines.training import (
    STANDS_STILL,
    daily_returns,
    empirical_quantiles,
    next_variance,
    positions,
    returns_ahead,
    training_length,
)
from forecast.features.targets import Prediction

DECAY = 0.94
"""Weight of the variance before, RiskMetrics' value for daily returns."""


def ewma(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None = None,
) -> Prediction:
    """The last close with a spread that follows the recent squared returns.

    Volatility: RiskMetrics, `v[t+1] = 0.94 v[t] + 0.06 r[t]^2`, started at the training part's
    mean square. Quantiles: volatility times the empirical quantiles of the training part's
    `step`-session log returns divided by the volatility at their origin (so the square root of
    the step and the tails come from the data).

    Source: J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, 4th ed., section 5.2;
    standardised quantiles: filtered historical simulation, Barone-Adesi et al. (1999).

    Args:
        bars: Bars.
        origins: Sessions to forecast from, shape (n,).
        horizon: Sessions ahead, >= 1.
        fitted_until: Last session of the training part.
        features: Not used.

    Returns:
        Point 0; quantiles proportional to the volatility at the origin.

    Raises:
        NotEnoughBars: if the training part has fewer than horizon + 2 sessions.
    """
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    volatility = coming_volatility(bars, length)
    ahead = returns_ahead(bars, length, horizon)
    standard = empirical_quantiles(ahead / volatility[:length, None])
    at_origin = volatility[positions(bars, origins)]
    point = np.zeros((len(origins), horizon))
    return Prediction(point, at_origin[:, None, None] * standard)


def coming_volatility(bars: pd.DataFrame, length: int) -> np.ndarray:
    """Volatility of the coming session as known at each row.

    Args:
        bars: Bars, n rows.
        length: Rows of the training part, which give the first value.

    Returns:
        Shape (n,) [log return per session], at least `STANDS_STILL`.
    """
    squares = daily_returns(bars) ** 2
    variance = next_variance(
        squares,
        constant=0.0,
        shock=1 - DECAY,
        persistence=DECAY,
        start=float(squares[: length - 1].mean()),
    )
    volatility: np.ndarray = np.maximum(np.sqrt(variance), STANDS_STILL)
    return volatility
