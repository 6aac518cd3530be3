"""What all baselines share: the training part, a variance recursion, a standardised spread."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.errors import NotEnoughBars
from forecast.features.targets import LEVELS, log_returns_ahead

STANDS_STILL = 1e-6
"""Volatility [log return per session] below which a series counts as standing still."""


def training_length(bars: pd.DataFrame, *, fitted_until: pd.Timestamp, horizon: int) -> int:
    """How many bars a baseline may fit on.

    Args:
        bars: Bars, index `session`.
        fitted_until: Last session of the training part.
        horizon: Sessions ahead, >= 1.

    Raises:
        NotEnoughBars: if no step of the horizon has a known return in the training part.
    """
    length = int(bars.index.searchsorted(fitted_until, side="right"))
    if length < horizon + 2:
        raise NotEnoughBars(
            f"the training part must hold at least horizon + 2 = {horizon + 2} sessions. "
            f"Received {length} up to {fitted_until:%Y-%m-%d}.",
            hint="a longer history or a shorter horizon",
        )
    return length


def positions(bars: pd.DataFrame, origins: pd.Index) -> np.ndarray:
    """Row number of each origin in the bars, shape (n,).

    Raises:
        ValueError: if an origin is no session of the bars.
    """
    rows: np.ndarray = bars.index.get_indexer(origins)
    if (rows < 0).any():
        raise ValueError(
            f"every origin must be a session of the bars. First other: {origins[rows < 0][0]}."
        )
    return rows


def returns_ahead(bars: pd.DataFrame, length: int, horizon: int) -> np.ndarray:
    """Log returns of the training part, shape (length, horizon); NaN where it ends too early."""
    return log_returns_ahead(bars["close"].iloc[:length], horizon=horizon)


def daily_returns(bars: pd.DataFrame) -> np.ndarray:
    """Log return from the close before, shape (n - 1,): entry i belongs to row i + 1."""
    return np.diff(np.log(bars["close"].to_numpy("float64")))


def empirical_quantiles(samples: np.ndarray) -> np.ndarray:
    """Quantiles of each step's known samples at `LEVELS`.

    Args:
        samples: Shape (m, horizon); NaN = not known, at least one known a step.

    Returns:
        Shape (horizon, 7), linear interpolation between order statistics.
    """
    quantiles: np.ndarray = np.nanquantile(samples, LEVELS, axis=0)
    return quantiles.T


def next_variance(
    squares: np.ndarray, *, constant: float, shock: float, persistence: float, start: float
) -> np.ndarray:
    """Variance of the coming session: `constant + shock * squares + persistence * variance`.

    Args:
        squares: Squared shock of each session, shape (n,).
        constant: Added each session.
        shock: Weight of the newest square.
        persistence: Weight of the variance before.
        start: Variance of the first session.

    Returns:
        Shape (n + 1,): entry i is known after i sessions and holds for session i + 1.
    """
    variance = np.empty(len(squares) + 1)
    variance[0] = value = start
    for i, square in enumerate(squares):
        value = constant + shock * float(square) + persistence * value
        variance[i + 1] = value
    return variance
