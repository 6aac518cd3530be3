"""Output layers and their losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from forecast.features.targets import LEVELS

OUTPUTS = 1 + len(LEVELS)
_MIDDLE = LEVELS.index(0.5)
_SMALLEST_GAP = 1e-3


NORMAL = tuple(NormalDist().inv_cdf(level) for level in LEVELS)
"""Quantiles of a standard normal."""


def point_and_quantiles(
    hidden: Any,
    *,
    horizon: int,
    every_step: bool,
    start: Sequence[Sequence[float]] | None = None,
    location: Any | None = None,
) -> Any:
    """A point forecast and seven quantiles that cannot cross.

    The median is free; each further quantile lies a softplus away from its inner neighbour
    (cf. Wen et al. 2017, A Multi-Horizon Quantile Recurrent Forecaster). Untrained, the network
    gives a point of 0 and the quantiles in `start`.

    Args:
        hidden: Keras tensor, shape (batch, width) or (batch, steps, width).
        horizon: Steps ahead.
        every_step: Which of the two shapes `hidden` has.
        start: For each step the quantiles at `LEVELS` of the untrained network; None for those of
            a standard normal.
        location: Keras tensor added to the point and to the median with its quantiles, shape
            (batch, [steps,] horizon), or None.

    Returns:
        Keras tensor, shape (batch, [steps,] horizon, 8): the point, then the quantiles at `LEVELS`.
    """
    from keras import initializers, layers, ops

    raw = layers.Dense(
        horizon * OUTPUTS,
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        bias_initializer=initializers.Constant(_biases(start or [NORMAL] * horizon)),
        # In half precision too: gaps of a thousandth must not round away.
        dtype="float32",
        name="head",
    )(hidden)
    shape = (-1, horizon, OUTPUTS) if every_step else (horizon, OUTPUTS)
    raw = layers.Reshape(shape, dtype="float32", name="steps")(raw)
    point, median = raw[..., :1], raw[..., 1:2]
    if location is not None:
        location = layers.Reshape((*shape[:-1], 1), dtype="float32", name="location")(location)
        point, median = point + location, median + location
    below = ops.cumsum(ops.softplus(raw[..., 2 : 2 + _MIDDLE]), axis=-1)
    above = ops.cumsum(ops.softplus(raw[..., 2 + _MIDDLE :]), axis=-1)
    return ops.concatenate([point, median - ops.flip(below, axis=-1), median, median + above], -1)


POINT_WEIGHT = 0.1
POINT_PULL, MEDIAN_PULL = 1.0, 0.2


def point_and_quantile_loss(*, centred: bool = True) -> Callable[[Any, Any], Any]:
    """Pinball loss of the quantiles, squared error of the point, and a pull of both to zero.

    Daily returns are nearly all noise. Without the pull a network learns the training part's
    noise as if it were a mean; with it the point is what a ridge regression would leave.

    Args:
        centred: The target is centred on zero. Else there is no pull, and the squared error of
            the point counts in full.

    Returns:
        Function of the encoded target, shape (batch, [steps,] horizon, 1), and the outputs, shape
        (batch, [steps,] horizon, 8), giving the loss, shape (batch, [steps,] horizon).
    """

    def point_and_quantiles(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        levels = ops.convert_to_tensor(LEVELS, dtype=y_pred.dtype)
        point, quantiles = y_pred[..., 0], y_pred[..., 1:]
        error = y_true - quantiles
        pinball = ops.mean(ops.maximum(levels * error, (levels - 1.0) * error), axis=-1)
        squared = ops.square(y_true[..., 0] - point)
        if not centred:
            return pinball + squared
        pull = POINT_PULL * ops.square(point) + MEDIAN_PULL * ops.square(quantiles[..., _MIDDLE])
        return pinball + POINT_WEIGHT * squared + pull

    return point_and_quantiles


def _biases(start: Sequence[Sequence[float]]) -> list[float]:
    """Biases under which the head gives these quantiles: point, median, gaps below, gaps above."""
    quantiles = np.asarray(start, dtype="float64")
    gaps = np.maximum(np.diff(quantiles, axis=1), _SMALLEST_GAP)
    raw_gaps = np.log(np.expm1(gaps))  # softplus inverted
    middle = quantiles[:, _MIDDLE : _MIDDLE + 1]
    parts = [np.zeros_like(middle), middle, raw_gaps[:, :_MIDDLE][:, ::-1], raw_gaps[:, _MIDDLE:]]
    biases: list[float] = np.concatenate(parts, axis=1).ravel().tolist()
    return biases
