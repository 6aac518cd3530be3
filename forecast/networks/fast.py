"""Recurrent layers whose training on the CPU costs what its arithmetic costs.

Keras differentiates the loop over the steps: each step is dozens of operations, and adds its share
to the weight gradients. TensorFlow has the whole loop of an LSTM as one operation, and its gradient
as another. For a GRU it has none: the loops here hold only what is recurrent, with the input
projection before and the weight gradients after them, each as one large product. That pays where
XLA compiles the loops (docs/decisions/0008).
"""

from __future__ import annotations

from functools import cache
from typing import Any


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
        A layer for inputs without a mask, a GRU in training for a batch of known shape; Keras's
        own where there is nothing faster.
    """
    import keras

    if cell == "LSTM" and keras.backend.backend() == "tensorflow":
        return _fast_lstm()(units, return_state=states, **kwargs)
    if cell == "GRU" and not given and not states:
        return _fast_gru()(units, **kwargs)
    return getattr(keras.layers, cell)(units, return_state=states, **kwargs)


def as_fast(layer: Any) -> Any:
    """A fast layer with the same weights, for inference with TensorFlow; else the layer itself."""
    from keras import layers

    if type(layer) is layers.LSTM:
        fast = _fast_lstm().from_config(layer.get_config())
        fast.cell, fast.built = layer.cell, True
        return fast
    return layer


def both_ways(layer: Any, *, name: str) -> Any:
    """A recurrent layer that reads forwards and backwards, and joins both."""
    from keras import layers, saving

    # Keras makes both directions anew from the layer's settings, its class by name.
    with saving.custom_object_scope({type(layer).__name__: type(layer)}):
        return layers.Bidirectional(layer, name=name)


@cache
def _fast_lstm() -> Any:
    from keras import layers, ops

    class FastLSTM(layers.LSTM):  # type: ignore[misc]
        def call(
            self,
            sequences: Any,
            initial_state: Any = None,
            mask: Any = None,
            training: bool = False,
        ) -> Any:
            if self.go_backwards:
                sequences = ops.flip(sequences, axis=1)
            weights = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
            every, *last = lstm(sequences, *weights, start=initial_state)
            outputs = every if self.return_sequences else last[0]
            return [outputs, *last] if self.return_state else outputs

    return FastLSTM


@cache
def _fast_gru() -> Any:
    from keras import layers, ops

    class FastGRU(layers.GRU):  # type: ignore[misc]
        def call(
            self,
            sequences: Any,
            initial_state: Any = None,
            mask: Any = None,
            training: bool = False,
        ) -> Any:
            if not training:
                return super().call(sequences, initial_state, mask, training)
            if self.go_backwards:
                sequences = ops.flip(sequences, axis=1)
            weights = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
            outputs = gru(sequences, *(ops.convert_to_tensor(each) for each in weights))
            return outputs if self.return_sequences else outputs[:, -1]

    return FastGRU


def lstm(
    inputs: Any, kernel: Any, recurrent: Any, bias: Any, *, start: Any = None
) -> tuple[Any, Any, Any]:
    """An LSTM by TensorFlow's `BlockLSTMV2`, which holds the whole loop.

    Source: S. Hochreiter, J. Schmidhuber (1997), Long Short-Term Memory, Neural Computation 9;
    gates in Keras's order: input, forget, candidate, output.

    Args:
        inputs: (batch, steps, n_features).
        kernel: (n_features, 4 × units).
        recurrent: (units, 4 × units).
        bias: (4 × units,).
        start: Output and cell state before the first step, each (batch, units); None for zero.

    Returns:
        Outputs at every step, (batch, steps, units); output and cell state after the last.
    """
    import tensorflow as tf

    units = recurrent.shape[0]

    # TensorFlow registers the gradient of its first version, which has other gates in the middle.
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Any, h: Any, c: Any, w: Any, b: Any) -> Any:
        given = {
            "seq_len_max": tf.shape(x, out_type=tf.int64)[0],
            **{"x": x, "h_prev": h, "cs_prev": c, "w": w, "b": b, "use_peephole": False},
            **dict.fromkeys(("wci", "wcf", "wco"), tf.zeros(units)),
        }
        ran = tf.raw_ops.BlockLSTMV2(**given, cell_clip=0.0)

        def gradient(dh: Any, dc: Any) -> tuple[Any, ...]:
            back = tf.raw_ops.BlockLSTMGradV2(**given, **ran._asdict(), h_grad=dh, cs_grad=dc)
            return back.x_grad, back.h_prev_grad, back.cs_prev_grad, back.w_grad, back.b_grad

        return (ran.h, ran.cs), gradient

    zero = tf.zeros((tf.shape(inputs)[0], units))
    hs, cs = run(
        tf.transpose(inputs, (1, 0, 2)),
        *(start or (zero, zero)),
        tf.concat([kernel, recurrent], axis=0),
        tf.convert_to_tensor(bias),
    )
    return tf.transpose(hs, (1, 0, 2)), hs[-1], cs[-1]


def gru(inputs: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Outputs of a GRU (`reset_after`) at every step, with the gradient written out.

    Source: K. Cho et al. (2014), Learning Phrase Representations using RNN Encoder-Decoder; the
    reset after the product as in cuDNN; gates in Keras's order: update, reset, candidate.

    Args:
        inputs: (batch, steps, n_features), shape known.
        kernel: (n_features, 3 × units).
        recurrent: (units, 3 × units).
        bias: (2, 3 × units): of the inputs, of the state.

    Returns:
        (batch, steps, units).
    """
    from keras import ops

    batch, steps, _ = inputs.shape
    units = recurrent.shape[0]

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        flat = _flat(ops.transpose(inputs, (1, 0, 2)))
        projected = ops.reshape(ops.matmul(flat, kernel) + bias[0], (steps, batch, -1))
        zero = ops.zeros((batch, units))

        def forwards(t: Any, h: Any, hs: Any, gates: Any) -> Any:
            x, s = _at(projected, t), ops.matmul(h, recurrent) + bias[1]
            both = 0.5 * ops.tanh(0.5 * (x[:, : 2 * units] + s[:, : 2 * units])) + 0.5
            z, r, inner = both[:, :units], both[:, units:], s[:, 2 * units :]
            g = ops.tanh(x[:, 2 * units :] + r * inner)
            h = z * h + (1.0 - z) * g
            return t + 1, h, _put(hs, t, h), _put(gates, t, ops.concatenate([both, g, inner], -1))

        *_, hs, gates = ops.while_loop(
            lambda t, *_: t < steps,
            forwards,
            (0, zero, ops.zeros((steps, batch, units)), ops.zeros((steps, batch, 4 * units))),
        )

        def gradient(*args: Any, upstream: Any = None) -> Any:
            above = ops.transpose(args[0] if upstream is None else upstream, (1, 0, 2))
            turned = ops.transpose(recurrent)
            before = ops.concatenate([zero[None], hs[:-1]])

            def backwards(t: Any, dh: Any, from_inputs: Any, from_state: Any) -> Any:
                z, r, g, inner = ops.split(_at(gates, t), 4, axis=-1)
                dh = dh + _at(above, t)
                dg = dh * (1.0 - z) * (1.0 - g * g)
                dz = dh * (_at(before, t) - g) * z * (1.0 - z)
                dr = dg * inner * r * (1.0 - r)
                state = ops.concatenate([dz, dr, dg * r], axis=-1)
                return (
                    t - 1,
                    dh * z + ops.matmul(state, turned),
                    _put(from_inputs, t, ops.concatenate([dz, dr, dg], axis=-1)),
                    _put(from_state, t, state),
                )

            room = ops.zeros_like(projected)
            *_, dx, ds = ops.while_loop(
                lambda t, *_: t >= 0, backwards, (steps - 1, zero, room, room)
            )
            dx, ds = _flat(dx), _flat(ds)
            return (
                _batch_first(ops.matmul(dx, ops.transpose(kernel)), steps),
                ops.matmul(ops.transpose(flat), dx),
                ops.matmul(ops.transpose(_flat(before)), ds),
                ops.stack([ops.sum(dx, axis=0), ops.sum(ds, axis=0)]),
            )

        return ops.transpose(hs, (1, 0, 2)), gradient

    return run(inputs, kernel, recurrent, bias)


def _at(sequence: Any, step: Any) -> Any:
    from keras import ops

    return ops.slice(sequence, (step, 0, 0), (1, *sequence.shape[1:]))[0]


def _put(sequence: Any, step: Any, value: Any) -> Any:
    from keras import ops

    return ops.slice_update(sequence, (step, 0, 0), value[None])


def _flat(sequence: Any) -> Any:
    """(steps, batch, width) → (steps × batch, width)."""
    from keras import ops

    return ops.reshape(sequence, (-1, sequence.shape[-1]))


def _batch_first(flat: Any, steps: int) -> Any:
    """(steps × batch, width) → (batch, steps, width)."""
    from keras import ops

    return ops.transpose(ops.reshape(flat, (steps, -1, flat.shape[-1])), (1, 0, 2))
