"""Has a network learnt anything from its training part?"""

from __future__ import annotations

import math

import numpy as np

from forecast.features.targets import LEVELS

LEARNT = 3.5
"""From this t statistic on a network has learnt; docs/decisions/0090 has the trial behind it."""

# Of the outcomes' spread; less is the rounding of a network's float32 outputs.
_STILL = 1e-5


def learning(quantiles: np.ndarray, outcomes: np.ndarray, *, step: int) -> float:
    """T statistic of what a network has learnt from its training part: far above 0 if anything.

    A score test against constants. At each origin and level, how far the network moves its
    quantile away from its own mean is multiplied by the slope of the pinball loss there at the
    constant that fits the outcomes best; the sum is positive where the network moved the right
    way. A network that was trained on other outcomes than these (shuffled ones, say) moves at
    random: mean 0, standard deviation near 1. How far it moves does not matter, so a network
    that stopped early counts as much as one that went on.

    Held-out origins cannot tell the two apart: a return target is measured in the volatility that
    is expected anyway (docs/decisions/0090).

    Args:
        quantiles: Network outputs at `LEVELS`, in the target's unit, shape (n, 7).
        outcomes: Encoded targets that came, shape (n,), no NaN.
        step: Sessions ahead; neighbouring outcomes overlap by `step - 1`.

    Returns:
        t, with the standard error of Newey and West (1987), Econometrica 55; 0 for constants.
    """
    levels = np.array(LEVELS)
    constants = np.quantile(outcomes, levels)
    if np.ptp(quantiles, axis=0).max() <= _STILL * np.ptp(constants):
        return 0.0
    slope = levels - (outcomes[:, None] < constants)
    gain = ((quantiles - quantiles.mean(axis=0)) * slope).sum(axis=1)
    from statsmodels.stats.sandwich_covariance import S_hac_simple

    n = len(gain)
    lags = max(math.ceil(n ** (1 / 3)), 2 * step)
    variance = S_hac_simple((gain - gain.mean())[:, None], nlags=lags).item()
    return float(gain.mean() / (math.sqrt(variance) / n)) if variance > 0 else 0.0
