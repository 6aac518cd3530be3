"""What a network over several tickers learns of each of them, beside what it learns of all."""

from __future__ import annotations

from typing import Any

_NAME = "tickers"


def embedded(inputs: Any, *, tickers: int, width: int) -> Any:
    """Rows in which the ticker's number is replaced by what is learnt of it.

    Source: C. Guo, F. Berkhahn (2016), Entity Embeddings of Categorical Variables.

    Args:
        inputs: Keras tensor, shape (batch, steps, 1 + n_features): the ticker's number, from 1 on,
            before the features; 0 for a ticker that the network never saw.
        tickers: Numbers there are, 0 included.
        width: Of what is learnt.

    Returns:
        Keras tensor, shape (batch, steps, n_features + width).
    """
    from keras import initializers, layers, ops

    numbers = ops.one_hot(ops.cast(inputs[..., 0], "int32"), tickers)
    # Small at first: what tickers have in common is learnt before what sets one apart.
    learnt = layers.Dense(
        width,
        use_bias=False,
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        name=_NAME,
    )(numbers)
    return ops.concatenate([inputs[..., 1:], learnt], axis=-1)


def know_strangers(model: Any) -> None:
    """Let a ticker that the network never saw be the mean of those that it did."""
    layer = model.get_layer(_NAME)
    (kernel,) = layer.get_weights()
    kernel[0] = kernel[1:].mean(axis=0)
    layer.set_weights([kernel])
