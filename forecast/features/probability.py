"""Probabilities read off the seven quantiles."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from forecast.features.targets import NORMAL

_SCORES = np.array(NORMAL)


def probability_up(quantiles: np.ndarray) -> float:
    """Probability that the log return is above zero, of quantiles of shape (7,)."""
    return float(probability_above(quantiles[None], np.zeros(1))[0])


def probability_above(quantiles: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Probability that each log return is above its edge.

    The normal score of the level is interpolated linearly between the quantiles, and along the
    outermost pair beyond them: exact for a normal distribution.

    Args:
        quantiles: Log returns at `LEVELS`, non-decreasing, shape (n, 7).
        edges: Log returns, shape (n,).

    Returns:
        Shape (n,).
    """
    widths = np.diff(quantiles, axis=1)
    below = (quantiles < edges[:, None]).sum(axis=1)
    segment = np.clip(below - 1, 0, widths.shape[1] - 1)
    rows = np.arange(len(quantiles))
    width, start = widths[rows, segment], quantiles[rows, segment]
    slope = (_SCORES[segment + 1] - _SCORES[segment]) / np.where(width > 0.0, width, 1.0)
    scores = _SCORES[segment] + slope * (edges - start)
    # Not SciPy's: importing it takes longer than `predict` needs for one ticker.
    cdf = NormalDist().cdf
    above = np.array([cdf(-score) for score in scores.tolist()])
    # No width where the edge lies: all that can be said is on which side it is.
    apart = quantiles - edges[:, None]
    side = np.where((apart != 0.0).any(axis=1), (apart > 0.0).mean(axis=1), 0.5)
    return np.where(width > 0.0, above, side)
