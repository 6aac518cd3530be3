"""Stacked recurrent networks: plain, LSTM and GRU, in one direction or both.

Every layer keeps to what the fused GPU kernels (cuDNN) ask for: tanh and sigmoid, a bias, no
unrolling, no recurrent dropout, `reset_after=True` for GRU. Dropout sits between the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from forecast.networks.fast import FAST, fast_layer


def stack(
    inputs: Any,
    *,
    cell: str,
    bidirectional: bool = False,
    units: Sequence[int],
    dropout: float,
    l2: float,
    every_step: bool,
    compiled: bool = False,
) -> Any:
    """Recurrent layers on top of each other.

    Args:
        inputs: Keras tensor, shape (batch, steps, n_features).
        cell: Keras's layer: `SimpleRNN`, `LSTM` or `GRU`.
        bidirectional: Read the window forwards and backwards, and join both.
        units: Width of each layer, from the input up.
        dropout: Share of each layer's outputs dropped while training.
        l2: Weight of the squared input kernels in the loss.
        every_step: Give the output at each step, not at the last one only.
        compiled: XLA will compile the training step: use the layer with a gradient of its own
            where there is one.

    Returns:
        Keras tensor, shape (batch, width), or (batch, steps, width) if `every_step`.
    """
    from keras import layers, regularizers, saving

    fast = compiled and cell in FAST
    kind = partial(fast_layer, cell) if fast else getattr(layers, cell)
    hidden = inputs
    for depth, width in enumerate(units):
        layer = kind(
            width,
            return_sequences=every_step or depth < len(units) - 1,
            kernel_regularizer=regularizers.L2(l2) if l2 else None,
            name=f"{cell.lower()}_{depth + 1}",
        )
        if bidirectional:
            # Keras makes both directions anew from the layer's settings, its class by name.
            with saving.custom_object_scope({type(layer).__name__: type(layer)}):
                layer = layers.Bidirectional(layer, name=f"bidirectional_{depth + 1}")
        hidden = layer(hidden)
        if dropout:
            # One mask for all steps (Y. Gal, Z. Ghahramani 2016), which also draws 119 times fewer
            # random numbers than one a step: they took a fifth of an update.
            noise = (None, 1, None) if hidden.ndim == 3 else None
            hidden = layers.Dropout(dropout, noise_shape=noise, name=f"dropout_{depth + 1}")(hidden)
    return hidden


@dataclass(frozen=True)
class Network:
    """One way to read a window.

    Attributes:
        build: (inputs, units, dropout, l2, every_step, compiled) → hidden tensor.
        causal: Step *t* of the output depends on rows up to *t* alone, so that the network may be
            trained on every step.
    """

    build: Callable[..., Any]
    causal: bool


NETWORKS: dict[str, Network] = {
    "simple_rnn": Network(partial(stack, cell="SimpleRNN"), causal=True),
    "lstm": Network(partial(stack, cell="LSTM"), causal=True),
    "gru": Network(partial(stack, cell="GRU"), causal=True),
    "bilstm": Network(partial(stack, cell="LSTM", bidirectional=True), causal=False),
    "bigru": Network(partial(stack, cell="GRU", bidirectional=True), causal=False),
}


def build(
    network: str,
    *,
    n_features: int,
    horizon: int,
    units: Sequence[int] = (64, 64),
    dropout: float = 0.0,
    l2: float = 0.0,
    scored: int | None = None,
    start: Sequence[Sequence[float]] | None = None,
    linear: Sequence[Sequence[float]] | None = None,
    compiled: bool = False,
) -> Any:
    """A network with the point-and-quantiles head.

    Args:
        network: Key of `NETWORKS`.
        n_features: Columns of a window.
        horizon: Steps ahead.
        units: Width of each layer.
        dropout: In [0, 1).
        l2: >= 0.
        scored: None for the forecast at the last row; a number to train a causal network on that
            many last steps at once.
        start: Quantiles of the untrained network, see `heads.point_and_quantiles`.
        linear: Slopes of point and median on the last row, which training leaves as they are,
            shape (n_features, horizon); None for no such part.
        compiled: XLA will compile the training step.

    Returns:
        keras.Model, (batch, lookback, n_features) → (batch, horizon, 8), or with `scored`
        (batch, steps, n_features) → (batch, scored, horizon, 8). The weights are the same in
        number and order either way.

    Raises:
        ValueError: if `scored` is asked of a network that is not causal.
    """
    import keras

    from forecast.networks.heads import point_and_quantiles

    kind = NETWORKS[network]
    if scored and not kind.causal:
        raise ValueError(f"{network} sees later rows: it cannot be trained on every step.")
    inputs = keras.Input((None, n_features), name="window")
    hidden = kind.build(
        inputs, units=units, dropout=dropout, l2=l2, every_step=bool(scored), compiled=compiled
    )
    if scored:
        hidden = hidden[:, -scored:]
    location = None
    if linear is not None:
        rows = inputs[:, -scored:] if scored else inputs[:, -1]
        kernel = keras.initializers.Constant([list(slopes) for slopes in linear])
        location = keras.layers.Dense(
            horizon, use_bias=False, kernel_initializer=kernel, trainable=False, name="linear"
        )(rows)
    outputs = point_and_quantiles(
        hidden, horizon=horizon, every_step=bool(scored), start=start, location=location
    )
    return keras.Model(inputs, outputs, name=network)
