"""What a network is asked for, and the way back from its answer to log returns.

Every forecast, whatever the target, becomes a `Prediction` in log returns; prices follow from
the close at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Probabilities of the seven quantiles that every forecast gives."""


@dataclass(frozen=True)
class Prediction:
    """Forecasts of many origins, in log returns from the origin's close.

    Attributes:
        point: shape (n, horizon).
        quantiles: shape (n, horizon, 7), at `LEVELS`, non-decreasing along the last axis.
    """

    point: np.ndarray
    quantiles: np.ndarray


def log_returns_ahead(close: pd.Series, *, horizon: int) -> np.ndarray:
    """Log return from each session's close to the closes of the next `horizon` sessions.

    Args:
        close: Adjusted close [quote currency], > 0, shape (n,).
        horizon: Sessions ahead, >= 1.

    Returns:
        Shape (n, horizon), float64; NaN where the later close is not known yet.

    Raises:
        ValueError: if `horizon` < 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be >= 1. Received {horizon}.")
    logs = np.log(close.to_numpy("float64"))
    ahead = np.full((len(logs), horizon), np.nan)
    for step in range(1, horizon + 1):
        ahead[: max(len(logs) - step, 0), step - 1] = logs[step:] - logs[:-step]
    return ahead
