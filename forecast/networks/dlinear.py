"""DLinear: is anything but a line worth its while?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_TREND_ROWS = 25


def dlinear(inputs: Any, *, units: Sequence[int], dropout: float, l2: float, lookback: int) -> Any:
    """A linear map over the rows of each feature's moving average, and one over what is left.

    Source: A. Zeng et al. (2023), Are Transformers Effective for Time Series Forecasting?, with the
    maps shared by all features as there. Every layer is linear, also those after the first.

    Args:
        inputs: Keras tensor, shape (batch, lookback, n_features).
        units: Numbers a feature that the two maps give; then the width of each further layer.
        dropout: Share of each layer's outputs dropped while training.
        l2: Weight of the squared kernels in the loss.
        lookback: Rows a window.

    Returns:
        Keras tensor, shape (batch, width).
    """
    from keras import layers, regularizers

    penalty = regularizers.L2(l2) if l2 else None
    rows = layers.Permute((2, 1), name="rows")(inputs)
    # A product with a constant: XLA's own moving average takes ten times as long.
    average = layers.Dense(lookback, use_bias=False, trainable=False, name="average")
    trend = average(rows)
    average.set_weights([moving_average(lookback)])
    first = {
        name: layers.Dense(units[0], kernel_regularizer=penalty, name=name)(part)
        for name, part in (("trend", trend), ("remainder", rows - trend))
    }
    hidden = layers.Flatten(name="features")(first["trend"] + first["remainder"])
    for depth, width in enumerate(units):
        if depth:
            hidden = layers.Dense(width, kernel_regularizer=penalty, name=f"linear_{depth + 1}")(
                hidden
            )
        if dropout:
            hidden = layers.Dropout(dropout, name=f"dropout_{depth + 1}")(hidden)
    return hidden


def moving_average(lookback: int) -> np.ndarray:
    """The matrix that makes a window's centred moving average over 25 rows, or all if fewer.

    Before the first row and after the last one those two count again, as in the source.

    Returns:
        Shape (lookback, lookback), float32; column *t* holds the shares of the rows in average *t*.
    """
    reach = min(_TREND_ROWS, lookback) // 2
    shares = np.zeros((lookback, lookback), dtype="float32")
    for row in range(lookback):
        seen = np.clip(np.arange(row - reach, row + reach + 1), 0, lookback - 1)
        np.add.at(shares[:, row], seen, 1.0 / len(seen))
    return shares
