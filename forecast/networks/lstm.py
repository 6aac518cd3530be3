"""An LSTM layer whose training costs what its arithmetic costs."""

from __future__ import annotations

from typing import Any


def fast_lstm(units: int, **kwargs: Any) -> Any:
    """Keras's LSTM layer with a gradient of its own; weights, outputs and saved form are Keras's.

    Keras differentiates the loop over the steps: each step then adds its share to the weight
    gradients. Here the loops hold only what is recurrent. The input projection comes before them,
    and the gradients of the weights after them, each as one large product. It pays where XLA
    compiles the loop.

    Args:
        units: Width.
        kwargs: As `keras.layers.LSTM` takes them.

    Returns:
        A layer. In training it needs a batch of known shape, a start from zero and no mask.
    """
    from keras import layers, ops

    class FastLSTM(layers.LSTM):  # type: ignore[misc]
        def call(
            self,
            sequences: Any,
            initial_state: Any = None,
            mask: Any = None,
            training: bool = False,
        ) -> Any:
            if not (training and self.return_sequences):
                return super().call(sequences, initial_state, mask, training)
            cell = self.cell
            weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
            return lstm(sequences, *(ops.convert_to_tensor(weight) for weight in weights))

    return FastLSTM(units, **kwargs)


def lstm(inputs: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Outputs of an LSTM at every step, with the gradient written out.

    Source: S. Hochreiter, J. Schmidhuber (1997), Long Short-Term Memory, Neural Computation 9;
    gates in Keras's order: input, forget, candidate, output.

    Args:
        inputs: (batch, steps, n_features), shape known.
        kernel: (n_features, 4 × units).
        recurrent: (units, 4 × units).
        bias: (4 × units,).

    Returns:
        (batch, steps, units).
    """
    from keras import ops

    batch, steps, features = inputs.shape
    units = recurrent.shape[0]
    # sigmoid(z) = tanh(z / 2) / 2 + 1 / 2: one tanh over all four gates.
    halves = ops.concatenate([0.5 * ops.ones(2 * units), ops.ones(units), 0.5 * ops.ones(units)])

    def gates(a: Any) -> tuple[Any, Any, Any, Any]:
        i, f, g, o = ops.split(a, 4, axis=-1)
        return 0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (steps * batch, features))
        projected = ops.reshape((ops.matmul(flat, kernel) + bias) * halves, (steps, batch, -1))
        scaled = recurrent * halves
        zero = ops.zeros((batch, units))

        def forwards(t: Any, h: Any, c: Any, hs: Any, cs: Any, activated: Any) -> Any:
            a = ops.tanh(_at(projected, t) + ops.matmul(h, scaled))
            i, f, g, o = gates(a)
            c = f * c + i * g
            h = o * ops.tanh(c)
            return t + 1, h, c, _put(hs, t, h), _put(cs, t, c), _put(activated, t, a)

        narrow, wide = ops.zeros((steps, batch, units)), ops.zeros_like(projected)
        *_, hs, cs, activated = ops.while_loop(
            lambda t, *_: t < steps, forwards, (0, zero, zero, narrow, narrow, wide)
        )

        def gradient(*args: Any, upstream: Any = None) -> Any:
            above = ops.transpose(args[0] if upstream is None else upstream, (1, 0, 2))
            turned = ops.transpose(recurrent)

            def backwards(t: Any, dh: Any, dc: Any, dzs: Any) -> Any:
                c, i, f, g, o = _at(cs, t), *gates(_at(activated, t))
                dh = dh + _at(above, t)
                squashed = ops.tanh(c)
                dc = dc + dh * o * (1.0 - squashed * squashed)
                dz = ops.concatenate(
                    [
                        dc * g * i * (1.0 - i),
                        dc * _at(before, t) * f * (1.0 - f),
                        dc * i * (1.0 - g * g),
                        dh * squashed * o * (1.0 - o),
                    ],
                    axis=-1,
                )
                return t - 1, ops.matmul(dz, turned), dc * f, _put(dzs, t, dz)

            first = zero[None]
            before = ops.concatenate([first, cs[:-1]])
            *_, dz = ops.while_loop(lambda t, *_: t >= 0, backwards, (steps - 1, zero, zero, wide))
            dz = ops.reshape(dz, (steps * batch, 4 * units))
            entered = ops.reshape(ops.concatenate([first, hs[:-1]]), (steps * batch, units))
            d_inputs = ops.reshape(ops.matmul(dz, ops.transpose(kernel)), (steps, batch, features))
            return (
                ops.transpose(d_inputs, (1, 0, 2)),
                ops.matmul(ops.transpose(flat), dz),
                ops.matmul(ops.transpose(entered), dz),
                ops.sum(dz, axis=0),
            )

        return ops.transpose(hs, (1, 0, 2)), gradient

    return run(inputs, kernel, recurrent, bias)


def _at(sequence: Any, step: Any) -> Any:
    from keras import ops

    return ops.slice(sequence, (step, 0, 0), (1, *sequence.shape[1:]))[0]


def _put(sequence: Any, step: Any, value: Any) -> Any:
    from keras import ops

    return ops.slice_update(sequence, (step, 0, 0), value[None])
