"""A temporal convolution network: causal, dilated, residual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_WIDEST = 5


def tcn(
    inputs: Any,
    *,
    units: Sequence[int],
    dropout: float,
    l2: float,
    every_step: bool,
    lookback: int,
) -> Any:
    """Residual blocks of two causal convolutions each, the dilation growing from block to block.

    Source: S. Bai, J. Kolter, V. Koltun (2018), An Empirical Evaluation of Generic Convolutional
    and Recurrent Networks for Sequence Modeling. Without its weight normalisation, which Keras has
    not; and the dilation does not double, but grows as fast as it may without skipping a row: with
    two blocks it would see 25 of 60 rows.

    The receptive field never reaches beyond `lookback` rows: what a window's last row gives is
    then the same whether or not more rows come before the window.

    Args:
        inputs: Keras tensor, shape (batch, steps, n_features).
        units: Width of each block, from the input up.
        dropout: Share of each convolution's outputs dropped while training.
        l2: Weight of the squared kernels in the loss.
        every_step: Give the output at each step, not at the last one only.
        lookback: Rows a window.

    Returns:
        Keras tensor, shape (batch, width), or (batch, steps, width) if `every_step`.
    """
    from keras import layers, regularizers

    hidden = inputs
    for depth, (width, (kernel, dilation)) in enumerate(
        zip(units, kernels(len(units), lookback=lookback), strict=True), start=1
    ):
        new = hidden
        for part in "ab":
            new = layers.Conv1D(
                width,
                kernel,
                padding="causal",
                data_format="channels_last",
                dilation_rate=dilation,
                activation="relu",
                kernel_regularizer=regularizers.L2(l2) if l2 else None,
                name=f"convolution_{depth}{part}",
            )(new)
            if dropout:
                noise = (None, 1, None)
                new = layers.Dropout(dropout, noise_shape=noise, name=f"dropout_{depth}{part}")(new)
        if hidden.shape[-1] != width:
            hidden = layers.Dense(width, name=f"residual_{depth}")(hidden)
        hidden = layers.Activation("relu", name=f"block_{depth}")(
            layers.Add(name=f"sum_{depth}")([hidden, new])
        )
    return hidden if every_step else hidden[:, -1]


def kernels(blocks: int, *, lookback: int) -> Iterator[tuple[int, int]]:
    """Kernel size and dilation of each block, such that no output sees more than `lookback` rows.

    A block's dilation is the number of rows seen by the one below it, or what is left of the
    lookback; where nothing is left a block is of single rows.
    """
    field = 1
    for _ in range(blocks):
        kernel = min(_WIDEST, 1 + (lookback - field) // 2)
        reach = 2 * (kernel - 1)
        dilation = max(1, min(field, (lookback - field) // max(reach, 1)))
        yield kernel, dilation
        field += reach * dilation
