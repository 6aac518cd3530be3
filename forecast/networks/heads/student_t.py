"""A Student-t distribution: location, scale and degrees of freedom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from forecast.features.targets import LEVELS
from forecast.networks.heads.head import Head

LEAST_FREEDOM = 2.0
"""With no more than these degrees of freedom there is no variance."""
LOCATION_PULL = 5.0
"""Near its middle the loss of a standard normal bends like half a square: a pull of ten halves
leaves an eleventh of what the training part's mean would be, as `quantiles` does to its point."""
_SMALLEST_SCALE = 1e-3
_HEAVY, _NORMAL = 3.0, 30.0
_UPPER_QUARTILE = 0.75


def location_scale_freedom(raw: Any, location: Any | None = None) -> Any:
    """Location, scale > 0 and degrees of freedom > 2 of each step.

    Args:
        raw: Keras tensor, shape (batch, [steps,] horizon, 3).
        location: Keras tensor added to the location, shape (batch, [steps,] horizon, 1), or None.

    Returns:
        Keras tensor, shape (batch, [steps,] horizon, 3).
    """
    from keras import ops

    middle = raw[..., :1]
    if location is not None:
        middle = middle + location
    scale = ops.softplus(raw[..., 1:2]) + _SMALLEST_SCALE
    freedom = ops.softplus(raw[..., 2:]) + LEAST_FREEDOM
    return ops.concatenate([middle, scale, freedom], -1)


def student_t_loss(*, centred: bool = True, weights: None = None) -> Callable[[Any, Any], Any]:
    """Negative log likelihood, and a pull of the location to zero as `quantiles` has it.

    Source: K. Lange, R. Little, J. Taylor (1989), Robust statistical modeling using the t
    distribution, JASA 84.

    Args:
        centred: The target is centred on zero. Else there is no pull.
        weights: None: there are no classes.

    Returns:
        Function of the encoded target, shape (batch, [steps,] horizon, 1), and the outputs, shape
        (batch, [steps,] horizon, 3), giving the loss, shape (batch, [steps,] horizon).
    """

    def student_t(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        location, scale, freedom = y_pred[..., 0], y_pred[..., 1], y_pred[..., 2]
        standard = (y_true[..., 0] - location) / scale
        likelihood = (
            _log_gamma_ratio(freedom / 2.0)
            - 0.5 * ops.log(np.pi * freedom)
            - ops.log(scale)
            - 0.5 * (freedom + 1.0) * ops.log1p(ops.square(standard) / freedom)
        )
        return LOCATION_PULL * ops.square(location) - likelihood if centred else -likelihood

    return student_t


def _log_gamma_ratio(z: Any) -> Any:
    """`log Γ(z + 1/2) - log Γ(z)` of z > 1 to 6e-7; Keras has no log of the gamma function.

    Stirling's series for the ratio (F. Tricomi, A. Erdélyi 1951, Pacific Journal of Mathematics 1)
    at z + 2, brought back by Γ(z + 1) = z Γ(z).
    """
    from keras import ops

    back = ops.log(z * (z + 1.0) / ((z + 0.5) * (z + 1.5)))
    up = z + 2.0
    series = -1.0 / (8.0 * up) + 1.0 / (192.0 * up**3) - 1.0 / (640.0 * up**5)
    return 0.5 * ops.log(up) + series + back


def student_t_biases(y: np.ndarray) -> np.ndarray:
    """Biases under which the untrained network gives about the outcomes' distribution.

    The location is their median, the degrees of freedom follow from their kurtosis (between 3 and
    30), the scale from their quartiles.

    Args:
        y: Encoded outcomes, shape (n, horizon).

    Returns:
        Shape (horizon, 3).
    """
    from scipy.special import stdtrit

    y = np.asarray(y, dtype="float64")
    low, middle, high = np.quantile(y, [1 - _UPPER_QUARTILE, 0.5, _UPPER_QUARTILE], axis=0)
    centred = y - y.mean(axis=0)
    variance = np.maximum((centred**2).mean(axis=0), _SMALLEST_SCALE**2)
    excess = (centred**4).mean(axis=0) / variance**2 - 3.0
    # The excess kurtosis of a t distribution is 6 / (freedom - 4).
    freedom = np.clip(4.0 + 6.0 / np.maximum(excess, 1e-3), _HEAVY, _NORMAL)
    scale = np.maximum((high - low) / 2.0 / stdtrit(freedom, _UPPER_QUARTILE), 2 * _SMALLEST_SCALE)
    raw = [middle, _softplus_inverted(scale - _SMALLEST_SCALE)]
    return np.stack([*raw, _softplus_inverted(freedom - LEAST_FREEDOM)], axis=1)


def _softplus_inverted(x: np.ndarray) -> np.ndarray:
    return np.asarray(x + np.log(-np.expm1(-x)))


def point_and_quantiles_of(outputs: np.ndarray) -> np.ndarray:
    """The location, and the distribution's quantiles at `LEVELS`.

    Args:
        outputs: Location, scale, degrees of freedom; shape (n, horizon, 3).

    Returns:
        Shape (n, horizon, 8).
    """
    from scipy.special import stdtrit

    location, scale, freedom = (outputs[..., part : part + 1] for part in range(3))
    quantiles = location + scale * stdtrit(freedom, np.array(LEVELS))
    return np.concatenate([location, quantiles], axis=-1)


STUDENT_T = Head(
    outputs=3,
    finish=location_scale_freedom,
    loss=student_t_loss,
    start=student_t_biases,
    # Nearly a standard normal.
    untrained=(0.0, *_softplus_inverted(np.array([1.0 - _SMALLEST_SCALE, 28.0])).tolist()),
    answer=point_and_quantiles_of,
    targets=("return", "price"),
)
