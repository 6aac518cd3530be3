"""Probabilities of two classes or more.

The network gives log odds; the loss and `answer` make probabilities of them. A network that gave
probabilities would give 0 or 1 where it is sure, in float32, and from there no gradient leads back
(docs/decisions/0130).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from forecast.features.targets import class_shares
from forecast.networks.heads.head import Head

CLASS_WEIGHTS = ("none", "balanced")
"""How much each class counts in the loss while a network is trained."""


@cache
def classes(n: int) -> Head:
    """The head that tells n classes apart: softmax and cross-entropy.

    Targets are class numbers 0 … n - 1, as floats.

    Raises:
        ValueError: if n < 2.
    """
    if n < 2:
        raise ValueError(f"there must be at least 2 classes. Received {n}.")
    return Head(
        outputs=n,
        finish=_as_they_are,
        loss=partial(softmax_loss, classes=n),
        start=lambda y: np.log(class_shares(y, n)),
        untrained=(0.0,) * n,
        answer=softmax,
        classes=n,
    )


def softmax_loss(
    *, classes: int, centred: bool = False, weights: Sequence[float] | None = None
) -> Callable[[Any, Any], Any]:
    """Cross-entropy of the softmax, each outcome times the weight of its class.

    Args:
        classes: How many.
        centred: Not used: classes have no mean.
        weights: One a class, or None for 1.

    Returns:
        Function of class numbers, shape (batch, [steps,] horizon, 1), and log odds, shape
        (batch, [steps,] horizon, classes), giving the loss, shape (batch, [steps,] horizon).
    """

    def softmax_cross_entropy(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        came = ops.one_hot(ops.cast(y_true[..., 0], "int32"), classes, dtype=y_pred.dtype)
        loss = ops.logsumexp(y_pred, axis=-1) - ops.sum(came * y_pred, axis=-1)
        if weights is None:
            return loss
        return loss * ops.sum(came * ops.convert_to_tensor(weights, dtype=y_pred.dtype), axis=-1)

    return softmax_cross_entropy


def sigmoid_loss(
    *, centred: bool = False, weights: Sequence[float] | None = None
) -> Callable[[Any, Any], Any]:
    """Binary cross-entropy of the sigmoid, each outcome times the weight of its class.

    Args:
        centred: Not used: classes have no mean.
        weights: Of class 0 and class 1, or None for 1.

    Returns:
        Function of class numbers, shape (batch, [steps,] horizon, 1), and the log odds of class 1,
        shape (batch, [steps,] horizon, 1), giving the loss, shape (batch, [steps,] horizon).
    """

    def binary_cross_entropy(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        came, odds = y_true[..., 0], y_pred[..., 0]
        loss = ops.softplus(odds) - came * odds
        if weights is None:
            return loss
        return loss * (weights[0] + came * (weights[1] - weights[0]))

    return binary_cross_entropy


def _as_they_are(raw: Any, location: Any | None = None) -> Any:
    """Log odds need no finish, and classes no location."""
    return raw


def softmax(log_odds: np.ndarray) -> np.ndarray:
    """Probabilities of log odds along the last axis, same shape."""
    odds = np.exp(log_odds - log_odds.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


def both_of(log_odds: np.ndarray) -> np.ndarray:
    """Probabilities of class 0 and class 1 from the log odds of class 1.

    Shape (n, horizon, 1) → (n, horizon, 2).
    """
    return softmax(np.concatenate([np.zeros_like(log_odds), log_odds], axis=-1))


def balanced_weights(y: np.ndarray, n: int) -> np.ndarray:
    """Weights under which each class counts the same in all, as scikit-learn's `balanced`.

    Source: G. King, L. Zeng (2001), Logistic regression in rare events data, Political Analysis 9.

    Args:
        y: Class numbers, shape (origins, horizon).
        n: How many classes.

    Returns:
        `1 / (n × share of the class)`, shape (n,).
    """
    return np.asarray(1.0 / (n * class_shares(y.reshape(-1, 1), n)[0]))


def shift_of(weights: np.ndarray, head: Head) -> np.ndarray:
    """What class weights add to the log odds that a network learns, shape (outputs,).

    Trained with weights, a network gives the odds of a world in which the classes are as much more
    frequent; less this it gives those of the world there is.

    Source: C. Elkan (2001), The foundations of cost-sensitive learning, IJCAI, theorem 2.
    """
    logs = np.log(weights)
    return np.asarray(logs if head.outputs == head.classes else logs[1:] - logs[:1])


DIRECTION = Head(
    outputs=1,
    finish=_as_they_are,
    loss=sigmoid_loss,
    start=lambda y: np.diff(np.log(class_shares(y, 2)), axis=1),
    untrained=(0.0,),
    answer=both_of,
    targets=("direction",),
    classes=2,
)
MOVE = replace(classes(3), targets=("move",))
