"""Recurrent loops with their gradients written out.

Keras differentiates the loop over the steps: each step then adds its share to the weight gradients.
Here the loops hold only what is recurrent. The input projection comes before them, and the
gradients of the weights after them, each as one large product. It pays where XLA compiles the
loops (docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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

    batch, steps, _ = inputs.shape
    units = recurrent.shape[0]
    # sigmoid(z) = tanh(z / 2) / 2 + 1 / 2: one tanh over all four gates.
    halves = ops.concatenate([0.5 * ops.ones(2 * units), ops.ones(units), 0.5 * ops.ones(units)])

    def gates(a: Any) -> tuple[Any, Any, Any, Any]:
        i, f, g, o = ops.split(a, 4, axis=-1)
        return 0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        flat = _flat(ops.transpose(inputs, (1, 0, 2)))
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
            dz = _flat(dz)
            entered = _flat(ops.concatenate([first, hs[:-1]]))
            return (
                _batch_first(ops.matmul(dz, ops.transpose(kernel)), steps),
                ops.matmul(ops.transpose(flat), dz),
                ops.matmul(ops.transpose(entered), dz),
                ops.sum(dz, axis=0),
            )

        return ops.transpose(hs, (1, 0, 2)), gradient

    return run(inputs, kernel, recurrent, bias)


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


WRITTEN_OUT: dict[str, Callable[..., Any]] = {"LSTM": lstm, "GRU": gru}
"""Keras's layer → its outputs at every step from inputs, kernel, recurrent kernel and bias."""


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
