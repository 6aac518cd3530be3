"""Probabilities read off the seven quantiles."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from forecast.features.targets import LEVELS

_NORMAL = NormalDist()
_SCORES = np.array([_NORMAL.inv_cdf(level) for level in LEVELS])


def probability_up(quantiles: np.ndarray) -> float:
    """Probability that the log return is above zero.

    The normal score of the level is interpolated linearly between the quantiles, and along the
    outermost pair beyond them: exact for a normal distribution.

    Args:
        quantiles: Log returns at `LEVELS`, non-decreasing, shape (7,).
    """
    widths = np.diff(quantiles)
    segment = int(np.clip(np.searchsorted(quantiles, 0.0) - 1, 0, len(widths) - 1))
    if widths[segment] <= 0.0:
        # No width where zero lies: all that can be said is on which side it is.
        return float(np.mean(quantiles > 0.0) if (quantiles != 0.0).any() else 0.5)
    slope = (_SCORES[segment + 1] - _SCORES[segment]) / widths[segment]
    return 1.0 - _NORMAL.cdf(float(_SCORES[segment] - slope * quantiles[segment]))
