"""One number a step: the textbooks' regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forecast.networks.heads.head import Head


def point_alone(raw: Any, location: Any | None = None) -> Any:
    """The raw numbers themselves, plus the linear part if there is one.

    Args:
        raw: Keras tensor, shape (batch, [steps,] horizon, 1).
        location: Keras tensor of the same shape, or None.

    Returns:
        Keras tensor of the same shape.
    """
    return raw if location is None else raw + location


def squared_error(*, centred: bool = True, weights: None = None) -> Callable[[Any, Any], Any]:
    """Squared error as the textbooks have it.

    Args:
        centred: Makes no difference: nothing is pulled to zero.
        weights: None: there are no classes.

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
    answer=lambda outputs: outputs,
)
"""It says nothing of the spread, which every forecast of this program must, so it is for
`examples/` and has no name among `HEADS`."""
