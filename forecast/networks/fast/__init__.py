"""Recurrent layers whose training on the CPU costs what its arithmetic costs.

For an LSTM TensorFlow has one operation, for a GRU it has not, and JAX has none: there the loop is
compiled, with its gradient written out (docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from forecast.networks.fast import block
from forecast.networks.fast.written_out import WRITTEN_OUT


def fast_layer(
    cell: str, units: int, *, given: bool = False, states: bool = False, **kwargs: Any
) -> Any:
    """Keras's layer with a loop of its own; weights, outputs and saved form are Keras's.

    Args:
        cell: Keras's layer: `SimpleRNN`, `LSTM` or `GRU`.
        units: Width.
        given: It will be started from given states.
        states: It gives those after the last step too.
        kwargs: As Keras's layer takes them.

    Returns:
        A layer for inputs without a mask, if its loop is written out in training for a batch of
        known shape; Keras's own where there is nothing faster.
    """
    import keras

    if cell == "LSTM" and keras.backend.backend() == "tensorflow":
        return block_lstm()(units, return_state=states, **kwargs)
    if cell in WRITTEN_OUT and not given and not states:
        return written_out(cell)(units, **kwargs)
    return getattr(keras.layers, cell)(units, return_state=states, **kwargs)


def as_fast(layer: Any) -> Any:
    """A fast layer with the same weights, for inference with TensorFlow; else the layer itself."""
    from keras import layers

    if type(layer) is layers.LSTM:
        fast = block_lstm().from_config(layer.get_config())
        fast.cell, fast.built = layer.cell, True
        return fast
    return layer


def last_rows(hidden: Any, count: int) -> Any:
    """The last so many rows of a Keras tensor, (batch, steps, width) → (batch, count, width)."""
    import keras

    if keras.backend.backend() == "tensorflow":
        return _last_rows()(count)(hidden)
    return hidden[:, -count:]


@cache
def _last_rows() -> Any:
    import keras

    class LastRows(keras.Operation):  # type: ignore[misc]
        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

        def call(self, rows: Any) -> Any:
            return block.last_rows(rows, self.count)

        def compute_output_spec(self, rows: Any) -> Any:
            batch, _, width = rows.shape
            return keras.KerasTensor((batch, self.count, width), rows.dtype)

    return LastRows


def both_ways(layer: Any, *, name: str) -> Any:
    """A recurrent layer that reads forwards and backwards, and joins both."""
    from keras import layers, saving

    # Keras makes both directions anew from the layer's settings, its class by name.
    with saving.custom_object_scope({type(layer).__name__: type(layer)}):
        return layers.Bidirectional(layer, name=name)


@cache
def block_lstm() -> Any:
    """Keras's LSTM with the whole loop as one operation of TensorFlow's."""
    return _with_loop("LSTM", block.lstm)


@cache
def written_out(cell: str) -> Any:
    """Keras's layer, trained with the gradient of its loop written out; inference is Keras's.

    Args:
        cell: Key of `WRITTEN_OUT`.
    """

    def loop(*given: Any, **_: Any) -> tuple[Any, Callable[[], list[Any]]]:
        every = WRITTEN_OUT[cell](*given)
        return every, lambda: [every[:, -1]]

    return _with_loop(cell, loop, only_training=True)


def _with_loop(cell: str, loop: Callable[..., Any], *, only_training: bool = False) -> Any:
    from keras import layers, ops

    class Fast(getattr(layers, cell)):  # type: ignore[misc]
        def call(
            self,
            sequences: Any,
            initial_state: Any = None,
            mask: Any = None,
            training: bool = False,
        ) -> Any:
            if only_training and not training:
                return super().call(sequences, initial_state, mask, training)
            if self.go_backwards:
                sequences = ops.flip(sequences, axis=1)
            own = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
            weights = (ops.convert_to_tensor(each) for each in own)
            every, last = loop(
                sequences,
                *weights,
                start=initial_state,
                states=self.return_state,
                spare=block.spare_units(self.units) if training else 0,
            )
            outputs = every if self.return_sequences else last()[0]
            return [outputs, *last()] if self.return_state else outputs

    return Fast
