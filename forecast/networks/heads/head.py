"""What a head is, and the output layer that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Loss = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]
"""From what the head's last layer gives, shape (n, outputs), and encoded outcomes, shape (n,), to
the mean loss and its gradient in the former, shape (n, outputs)."""

Widening = Callable[[np.ndarray], np.ndarray]
"""From the same to how it changes with the log of the spread, same shape."""


@dataclass(frozen=True)
class Head:
    """One kind of answer to a window.

    Attributes:
        outputs: Numbers a step ahead.
        finish: (what `answers` gives, the linear part or None) → the network's outputs.
        loss: (centred, weights) → loss of encoded targets, shape (batch, [steps,] horizon, 1), and
            outputs; shape (batch, [steps,] horizon). `weights` of the classes are for heads of
            classes alone, and None for the others.
        start: Encoded outcomes of the training part, shape (n, horizon) → biases under which the
            untrained network gives what they give, shape (horizon, outputs).
        untrained: Biases of one step where there are no outcomes.
        answer: The network's outputs, shape (n, horizon, outputs) → what is scored: point and
            seven quantiles in the target's unit, shape (n, horizon, 8), or the probability of each
            class, shape (n, horizon, classes).
        gradient: centred → the same loss with its gradient, in NumPy; None where that is not
            written out.
        widening: Where the gradient is.
        targets: Keys of `features.targets.TARGETS` that it can be asked for.
        classes: How many classes it tells apart; 0 if it forecasts a number.
    """

    outputs: int
    finish: Callable[..., Any]
    loss: Callable[..., Callable[[Any, Any], Any]]
    start: Callable[[np.ndarray], np.ndarray]
    untrained: tuple[float, ...]
    answer: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[bool], Loss] | None = None
    widening: Widening | None = None
    targets: tuple[str, ...] = ()
    classes: int = 0


def answers(
    hidden: Any,
    *,
    horizon: int,
    outputs: int,
    every_step: bool,
    decoded: bool = False,
    biases: Sequence[Sequence[float]],
) -> Any:
    """The numbers that a head makes its answer of.

    Args:
        hidden: Keras tensor, shape (batch, width) or (batch, steps, width); if `decoded`
            (batch, horizon, width).
        horizon: Steps ahead.
        outputs: Numbers a step ahead.
        every_step: Which of the two shapes `hidden` has.
        decoded: `hidden` has a row a step ahead: one layer makes the answer of each.
        biases: What the untrained network gives, shape (horizon, outputs); if `decoded` it gives
            their mean at each step.

    Returns:
        Keras tensor, shape (batch, [steps,] horizon, outputs).
    """
    from keras import initializers, layers

    if decoded:
        biases = np.mean(biases, axis=0, keepdims=True).tolist()
    raw = layers.Dense(
        len(biases) * outputs,
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        bias_initializer=initializers.Constant(np.ravel(biases).tolist()),
        # In half precision too: gaps of a thousandth must not round away.
        dtype="float32",
        name="head",
    )(hidden)
    shape = (-1, horizon, outputs) if every_step else (horizon, outputs)
    return layers.Reshape(shape, dtype="float32", name="steps")(raw)
