"""A transformer's encoder: positions, attention, and the row that the forecast is made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_HEADS = 4
_LONGEST_WAVE = 10_000.0


def transformer(
    inputs: Any, *, units: Sequence[int], dropout: float, l2: float, lookback: int
) -> Any:
    """Layers of self-attention over all rows of a window; the last row's place is the answer.

    Source: A. Vaswani et al. (2017), Attention Is All You Need; with the normalisation before
    each part (R. Xiong et al. 2020), which needs no warm-up of the learning rate.

    Args:
        inputs: Keras tensor, shape (batch, lookback, n_features).
        units: Width of each layer, from the input up.
        dropout: Share of each part's outputs dropped while training.
        l2: Weight of the squared kernels of the feed-forward parts in the loss.
        lookback: Rows a window.

    Returns:
        Keras tensor, shape (batch, width).
    """
    from keras import layers, ops, regularizers

    penalty = regularizers.L2(l2) if l2 else None
    hidden = inputs
    for depth, width in enumerate(units, start=1):
        if depth == 1 or hidden.shape[-1] != width:
            hidden = layers.Dense(width, name=f"embedding_{depth}")(hidden)
        if depth == 1:
            hidden = hidden + ops.convert_to_tensor(positions(lookback, width))
        heads = next(count for count in range(_HEADS, 0, -1) if width % count == 0)
        rows = layers.LayerNormalization(name=f"normal_{depth}a")(hidden)
        seen = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{depth}")(
            rows, rows
        )
        hidden = hidden + layers.Dropout(dropout, name=f"dropout_{depth}a")(seen)
        rows = layers.LayerNormalization(name=f"normal_{depth}b")(hidden)
        rows = layers.Dense(
            2 * width, activation="gelu", kernel_regularizer=penalty, name=f"wide_{depth}"
        )(rows)
        rows = layers.Dense(width, kernel_regularizer=penalty, name=f"narrow_{depth}")(rows)
        hidden = hidden + layers.Dropout(dropout, name=f"dropout_{depth}b")(rows)
    return layers.LayerNormalization(name="normal")(hidden[:, -1])


def positions(lookback: int, width: int) -> np.ndarray:
    """Sines and cosines that tell the rows of a window apart, shape (lookback, width), float32.

    Source: A. Vaswani et al. (2017), section 3.5.
    """
    rate = _LONGEST_WAVE ** (-2.0 * (np.arange(width) // 2) / width)
    angle = np.arange(lookback)[:, None] * rate
    return np.where(np.arange(width) % 2, np.cos(angle), np.sin(angle)).astype("float32")
