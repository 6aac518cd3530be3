"""Stacked recurrent networks: plain, LSTM and GRU, in one direction or both.

Every layer keeps to what the fused GPU kernels (cuDNN) ask for: tanh and sigmoid, a bias, no
unrolling, no recurrent dropout, `reset_after=True` for GRU. Dropout sits between the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forecast.networks.fast import both_ways, fast_layer


def stack(
    inputs: Any,
    *,
    cell: str,
    bidirectional: bool = False,
    units: Sequence[int],
    dropout: float,
    l2: float,
    every_step: bool,
    fast: bool = False,
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
        fast: Use the layers made for training on the CPU (`networks.fast`).

    Returns:
        Keras tensor, shape (batch, width), or (batch, steps, width) if `every_step`.
    """
    return stack_with_states(
        inputs,
        cell=cell,
        bidirectional=bidirectional,
        units=units,
        dropout=dropout,
        l2=l2,
        every_step=every_step,
        fast=fast,
    )[0]


States = list[list[Any]]
"""Keras tensors, shape (batch, width), of each layer: one for a GRU, two for an LSTM."""


def stack_with_states(
    inputs: Any,
    *,
    cell: str,
    bidirectional: bool = False,
    units: Sequence[int],
    dropout: float,
    l2: float,
    every_step: bool,
    fast: bool = False,
    start: States | None = None,
    states: bool = False,
    name: str = "",
) -> tuple[Any, States]:
    """The same, begun from states and ended with them.

    Args:
        inputs: As for `stack`.
        cell: Same.
        bidirectional: Same.
        units: Same.
        dropout: Same.
        l2: Same.
        every_step: Same.
        fast: Same.
        start: Of each layer; None means zero.
        states: Give those after the last step; of two directions joined.
        name: Before the name of each layer.

    Returns:
        What `stack` gives, and the states; none if they were not asked for.
    """
    from keras import layers, ops, regularizers

    hidden, last = inputs, []
    for depth, width in enumerate(units):
        form = {
            "return_sequences": every_step or depth < len(units) - 1,
            "kernel_regularizer": regularizers.L2(l2) if l2 else None,
            "name": f"{name}{cell.lower()}_{depth + 1}",
        }
        if fast:
            layer = fast_layer(cell, width, given=start is not None, states=states, **form)
        else:
            layer = getattr(layers, cell)(width, return_state=states, **form)
        if bidirectional:
            layer = both_ways(layer, name=f"{name}bidirectional_{depth + 1}")
        outputs = layer(hidden) if start is None else layer(hidden, initial_state=start[depth])
        hidden, *state = outputs if states else [outputs]
        if bidirectional and states:
            half = len(state) // 2
            pairs = zip(state[:half], state[half:], strict=True)
            state = [ops.concatenate(pair, axis=-1) for pair in pairs]
        last.append(state)
        if dropout:
            # One mask for all steps (Y. Gal, Z. Ghahramani 2016), which also draws far fewer random
            # numbers than one a step: they took a fifth of an update.
            noise = (None, 1, None) if hidden.ndim == 3 else None
            hidden = layers.Dropout(dropout, noise_shape=noise, name=f"{name}dropout_{depth + 1}")(
                hidden
            )
    return hidden, last if states else []
