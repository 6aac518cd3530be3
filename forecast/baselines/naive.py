"""What a child would guess: tomorrow is today, or goes on as it went on average."""

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


def last_close(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None = None,
) -> Prediction:
    """Every coming close equals the last one; the spread is that of the training part.

    The quantiles are the empirical ones of the training part's `step`-session log returns less
    their median, so that the median agrees with the point forecast.

    Args:
        bars: Bars.
        origins: Sessions to forecast from, shape (n,).
        horizon: Sessions ahead, >= 1.
        fitted_until: Last session of the training part.
        features: Not used.

    Returns:
        Point 0 and the same quantiles for every origin.

    Raises:
        NotEnoughBars: if the training part has fewer than horizon + 2 sessions.
    """
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    ahead = returns_ahead(bars, length, horizon)
    quantiles = empirical_quantiles(ahead - np.nanmedian(ahead, axis=0))
    n = len(positions(bars, origins))
    return Prediction(np.zeros((n, horizon)), np.tile(quantiles, (n, 1, 1)))


def drift(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None = None,
) -> Prediction:
    """The price goes on growing at the mean log return of the training part.

    The quantiles are the empirical ones of the training part's `step`-session log returns,
    moved so that the samples' mean is the point forecast.

    Args, Returns and Raises: as `last_close`, with point `step * mean log return`.
    """
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    ahead = returns_ahead(bars, length, horizon)
    point = np.nanmean(ahead[:, 0]) * np.arange(1, horizon + 1)
    quantiles = empirical_quantiles(ahead - np.nanmean(ahead, axis=0) + point)
    n = len(positions(bars, origins))
    return Prediction(np.tile(point, (n, 1)), np.tile(quantiles, (n, 1, 1)))
