"""A point forecast and seven quantiles."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from forecast.features.targets import LEVELS, NORMAL
from forecast.networks.heads.head import Head, Loss

OUTPUTS = 1 + len(LEVELS)
_MIDDLE = LEVELS.index(0.5)
_SMALLEST_GAP = 1e-3


def point_and_quantiles(raw: Any, location: Any | None = None) -> Any:
    """A point forecast and seven quantiles that cannot cross.

    The median is free; each further quantile lies a softplus away from its inner neighbour
    (cf. Wen et al. 2017, A Multi-Horizon Quantile Recurrent Forecaster).

    Args:
        raw: Keras tensor, shape (batch, [steps,] horizon, 8).
        location: Keras tensor added to the point and to the median with its quantiles, shape
            (batch, [steps,] horizon, 1), or None.

    Returns:
        Keras tensor, shape (batch, [steps,] horizon, 8): the point, then the quantiles at `LEVELS`.
    """
    from keras import ops

    point, median = raw[..., :1], raw[..., 1:2]
    if location is not None:
        point, median = point + location, median + location
    below = ops.cumsum(ops.softplus(raw[..., 2 : 2 + _MIDDLE]), axis=-1)
    above = ops.cumsum(ops.softplus(raw[..., 2 + _MIDDLE :]), axis=-1)
    return ops.concatenate([point, median - ops.flip(below, axis=-1), median, median + above], -1)


POINT_WEIGHT = 0.1
POINT_PULL, MEDIAN_PULL = 1.0, 0.2


def point_and_quantile_loss(
    *, centred: bool = True, weights: None = None
) -> Callable[[Any, Any], Any]:
    """Pinball loss of the quantiles, squared error of the point, and a pull of both to zero.

    Daily returns are nearly all noise. Without the pull a network learns the training part's
    noise as if it were a mean; with it the point is what a ridge regression would leave.

    Args:
        centred: The target is centred on zero. Else there is no pull, and the squared error of
            the point counts in full.
        weights: None: there are no classes.

    Returns:
        Function of the encoded target, shape (batch, [steps,] horizon, 1), and the outputs, shape
        (batch, [steps,] horizon, 8), giving the loss, shape (batch, [steps,] horizon).
    """
    weights_of_all = _weights(centred)

    def point_and_quantiles(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        levels, share, squares, pulls = (
            ops.convert_to_tensor(each, dtype=y_pred.dtype) for each in weights_of_all
        )
        error = y_true - y_pred
        # max(τ e, (τ - 1) e) = τ e + max(-e, 0)
        pinball = share * (levels * error + ops.relu(-error))
        loss = pinball + squares * ops.square(error)
        if centred:
            loss = loss + pulls * ops.square(y_pred)
        return ops.sum(loss, axis=-1)

    return point_and_quantiles


def _weights(centred: bool) -> tuple[tuple[float, ...], ...]:
    """Levels, and weights of pinball, squared error and pull: for the point and each quantile.

    All outputs are computed with at once: slices of so small a tensor, and their gradients, cost
    more than arithmetic (docs/decisions/0240).
    """
    return (
        (0.0, *LEVELS),
        (0.0, *(1.0 / len(LEVELS) for _ in LEVELS)),
        (POINT_WEIGHT if centred else 1.0, *(0.0 for _ in LEVELS)),
        (POINT_PULL, *(MEDIAN_PULL if level == 0.5 else 0.0 for level in LEVELS)),
    )


def point_and_quantile_gradient(centred: bool) -> Loss:
    """The same loss of what the last layer gives, and its gradient, in NumPy.

    Args:
        centred: As `point_and_quantile_loss`.
    """
    levels, share, squares, pulls = np.array(_weights(centred), dtype="float32")[..., None]
    if not centred:
        pulls = np.zeros_like(pulls)

    # A training that diverges ends with an error of its own.
    @np.errstate(over="ignore", invalid="ignore")
    def loss(raw: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        # An output a row: a sum over neighbouring outputs is then one over whole rows.
        raw, count = np.ascontiguousarray(raw.T), len(raw)
        median, free = raw[1], raw[2:]
        # Not log1p, for which NumPy has no vectors without AVX-512.
        gaps = np.maximum(free, 0.0) + np.log(1.0 + np.exp(-np.abs(free)))
        below, above = accumulate(gaps[:_MIDDLE]), accumulate(gaps[_MIDDLE:])
        quantiles = [*(median - each for each in below)][::-1], *(median + each for each in above)
        outputs = np.stack([raw[0], *quantiles[0], median, *quantiles[1:]])
        error = y - outputs
        slope = share * (levels - (error < 0.0))
        square, pull = squares * error, pulls * outputs
        total = float(((slope + square) * error + pull * outputs).sum())
        towards = 2.0 * (pull - square) - slope
        point, *lower, _ = towards[: 2 + _MIDDLE]
        upper = towards[2 + _MIDDLE :]
        further = [*accumulate(lower)][::-1], [*accumulate(upper[::-1])][::-1]
        outer = np.stack([*(-each for each in further[0]), *further[1]]) * np.exp(free - gaps)
        gradient = np.concatenate([[point, towards[1:].sum(axis=0)], outer])
        return total / count, np.ascontiguousarray(gradient.T) / np.float32(count)

    return loss


def gaps_widening(raw: np.ndarray) -> np.ndarray:
    """How what the last layer gives changes with the log of the spread, all gaps alike.

    Args:
        raw: Shape (n, 8).

    Returns:
        Same shape; 0 for point and median.
    """
    gaps = np.logaddexp(0.0, raw[:, 2:])
    widening = np.zeros_like(raw)
    widening[:, 2:] = gaps / -np.expm1(-gaps)  # the gap over the slope of softplus
    return widening


def quantile_biases(quantiles: np.ndarray) -> np.ndarray:
    """Biases under which `point_and_quantiles` gives a point of 0 and these quantiles.

    Args:
        quantiles: At `LEVELS`, shape (horizon, 7).

    Returns:
        Point, median, gaps below, gaps above; shape (horizon, 8).
    """
    quantiles = np.asarray(quantiles, dtype="float64")
    gaps = np.maximum(np.diff(quantiles, axis=1), _SMALLEST_GAP)
    raw_gaps = np.log(np.expm1(gaps))  # softplus inverted
    middle = quantiles[:, _MIDDLE : _MIDDLE + 1]
    parts = [np.zeros_like(middle), middle, raw_gaps[:, :_MIDDLE][:, ::-1], raw_gaps[:, _MIDDLE:]]
    return np.concatenate(parts, axis=1)


QUANTILES = Head(
    outputs=OUTPUTS,
    finish=point_and_quantiles,
    loss=point_and_quantile_loss,
    start=lambda y: quantile_biases(np.quantile(y, LEVELS, axis=0).T),
    untrained=tuple(quantile_biases(np.array([NORMAL]))[0].tolist()),
    answer=lambda outputs: outputs,
    gradient=point_and_quantile_gradient,
    widening=gaps_widening,
    targets=("return", "price"),
)
