"""Output layers and their losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from forecast.features.targets import LEVELS

OUTPUTS = 1 + len(LEVELS)
_MIDDLE = LEVELS.index(0.5)
_SMALLEST_GAP = 1e-3


NORMAL = tuple(NormalDist().inv_cdf(level) for level in LEVELS)
"""Quantiles of a standard normal."""


def answers(
    hidden: Any,
    *,
    horizon: int,
    outputs: int,
    every_step: bool,
    biases: Sequence[Sequence[float]],
) -> Any:
    """The numbers that a head makes its answer of.

    Args:
        hidden: Keras tensor, shape (batch, width) or (batch, steps, width).
        horizon: Steps ahead.
        outputs: Numbers a step ahead.
        every_step: Which of the two shapes `hidden` has.
        biases: What the untrained network gives, shape (horizon, outputs).

    Returns:
        Keras tensor, shape (batch, [steps,] horizon, outputs).
    """
    from keras import initializers, layers

    raw = layers.Dense(
        horizon * outputs,
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        bias_initializer=initializers.Constant(np.ravel(biases).tolist()),
        # In half precision too: gaps of a thousandth must not round away.
        dtype="float32",
        name="head",
    )(hidden)
    shape = (-1, horizon, outputs) if every_step else (horizon, outputs)
    return layers.Reshape(shape, dtype="float32", name="steps")(raw)


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


@dataclass(frozen=True)
class Head:
    """One kind of answer to a window.

    Attributes:
        outputs: Numbers a step ahead.
        finish: (what `answers` gives, the linear part or None) → the network's outputs.
        loss: (centred, ) → loss of encoded targets, shape (batch, [steps,] horizon, 1), and
            outputs; shape (batch, [steps,] horizon).
        start: Encoded outcomes of the training part, shape (n, horizon) → biases under which the
            untrained network gives what they give, shape (horizon, outputs).
        untrained: Biases of one step where there are no outcomes.
    """

    outputs: int
    finish: Callable[..., Any]
    loss: Callable[..., Callable[[Any, Any], Any]]
    start: Callable[[np.ndarray], np.ndarray]
    untrained: tuple[float, ...]


HEADS: dict[str, Head] = {
    "quantiles": Head(
        outputs=OUTPUTS,
        finish=point_and_quantiles,
        loss=point_and_quantile_loss,
        start=lambda y: quantile_biases(np.quantile(y, LEVELS, axis=0).T),
        untrained=tuple(quantile_biases(np.array([NORMAL]))[0].tolist()),
    ),
}


def point_alone(raw: Any, location: Any | None = None) -> Any:
    """The raw numbers themselves, plus the linear part if there is one.

    Args:
        raw: Keras tensor, shape (batch, [steps,] horizon, 1).
        location: Keras tensor of the same shape, or None.

    Returns:
        Keras tensor of the same shape.
    """
    return raw if location is None else raw + location


def squared_error(*, centred: bool = True) -> Callable[[Any, Any], Any]:
    """Squared error as the textbooks have it.

    Args:
        centred: Makes no difference: nothing is pulled to zero.

    Returns:
        Function of the encoded target and the outputs, both of shape (batch, [steps,] horizon, 1),
        giving the loss, shape (batch, [steps,] horizon).
    """

    def squared(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        return ops.square(y_true[..., 0] - y_pred[..., 0])

    return squared


POINT = Head(
    outputs=1,
    finish=point_alone,
    loss=squared_error,
    start=lambda y: y.mean(axis=0)[:, None],
    untrained=(0.0,),
)
"""One number a step: the textbooks' regression. It says nothing of the spread, which every forecast
of this program must, so it is for `examples/` and has no name among `HEADS`."""


def head_of(head: str | Head) -> Head:
    """The head of this name, or the one given: some, like `POINT`, have none."""
    return HEADS[head] if isinstance(head, str) else head
