"""The whole loop of an LSTM as one operation of TensorFlow's, its gradient as another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SPARE = 2
_ALIASED, _SMALL = 32, 64


def spare_units(units: int) -> int:
    """Units more than asked for, which stay zero, that make the way back faster.

    With 64 units, or 96, 128 and so on, the rows of the weights lie so far apart that a column,
    and each step back copies all of them, falls on few lines of the cache (docs/decisions/0240).
    """
    return SPARE if units % _ALIASED == 0 and units >= _SMALL else 0


def lstm(
    inputs: Any,
    kernel: Any,
    recurrent: Any,
    bias: Any,
    *,
    start: Any = None,
    states: bool = False,
    spare: int = 0,
) -> tuple[Any, Callable[[], list[Any]]]:
    """An LSTM by TensorFlow's `BlockLSTMV2`, which holds the whole loop.

    Source: S. Hochreiter, J. Schmidhuber (1997), Long Short-Term Memory, Neural Computation 9;
    gates in Keras's order: input, forget, candidate, output.

    Args:
        inputs: (batch, steps, n_features).
        kernel: (n_features, 4 × units).
        recurrent: (units, 4 × units).
        bias: (4 × units,).
        start: Output and cell state before the first step, each (batch, units); None for zero.
        states: The states after the last step will be wanted, not the output alone.
        spare: Units more to compute with, see `spare_units`; outputs and gradients have none.

    Returns:
        Outputs at every step, (batch, steps, units); and what gives the output after the last step
        and, with `states`, the cell state.
    """
    import tensorflow as tf

    n_features, units = kernel.shape[0], recurrent.shape[0]

    def widened(tensor: Any) -> Any:
        """With the spare units, on the last axis."""
        if not spare:
            return tensor
        return tf.pad(tensor, [[0, 0]] * (tensor.shape.rank - 1) + [[0, spare]])

    def by_step(tensor: Any) -> Any:
        """(batch, steps, width) → (steps, batch, width), and back."""
        return tf.transpose(tensor, (1, 0, 2))

    def by_gate(tensor: Any) -> Any:
        """(rows, 4 × width) → (rows, 4, width)."""
        return tf.reshape(tensor, (-1, 4, tensor.shape[1] // 4))

    # TensorFlow registers the gradient of its first version, which has other gates in the middle.
    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Any, kernel: Any, recurrent: Any, bias: Any, *start: Any) -> Any:
        batch, steps = x.shape[0] or tf.shape(x)[0], x.shape[1] or tf.shape(x)[1]
        zero = None if start else tf.zeros((batch, units + spare))
        h, c = (widened(state) for state in start) if start else (zero, zero)
        # The spare units' own rows between the weights and the bias.
        rows = tf.concat([kernel, recurrent, tf.zeros((spare, 4 * units)), bias[None]], axis=0)
        rows = tf.reshape(widened(by_gate(rows)), (-1, 4 * (units + spare)))
        given = operands(
            *(by_step(x), h, c, rows[:-1], rows[-1]),
            steps=tf.cast(steps, "int64"),
            peephole=tf.zeros(units + spare),
        )
        ran = tf.raw_ops.BlockLSTMV2(**given, cell_clip=0.0)

        def gradient(dh: Any, dc: Any = None) -> tuple[Any, ...]:
            dh = widened(by_step(dh))
            dc = tf.zeros_like(dh) if dc is None else widened(by_step(dc))
            back = tf.raw_ops.BlockLSTMGradV2(**given, **ran._asdict(), h_grad=dh, cs_grad=dc)
            rows = tf.concat([back.w_grad[: n_features + units], back.b_grad[None]], axis=0)
            rows = tf.reshape(by_gate(rows)[..., :units], (-1, 4 * units))
            kernel, recurrent, bias = tf.split(rows, [n_features, units, 1])
            before = (back.h_prev_grad, back.cs_prev_grad) if start else ()
            return (
                by_step(back.x_grad),
                *(kernel, recurrent, tf.reshape(bias, [-1])),
                *(state[:, :units] for state in before),
            )

        hs = by_step(ran.h[..., :units])
        return ((hs, by_step(ran.cs[..., :units])) if states else hs), gradient

    weights = (tf.convert_to_tensor(each) for each in (kernel, recurrent, bias))
    outputs = run(inputs, *weights, *(start or ()))
    every = outputs if states else [outputs]
    return every[0], lambda: [each[:, -1] for each in every]


def operands(
    x: Any, h: Any, c: Any, weights: Any, bias: Any, *, steps: Any, peephole: Any
) -> dict[str, Any]:
    """What `BlockLSTMV2` and its gradient are both given.

    Args:
        x: (steps, batch, n_features).
        h: Output before the first step, (batch, units).
        c: Cell state before it, (batch, units).
        weights: Of the inputs, then of the outputs: (n_features + units, 4 × units).
        bias: (4 × units,).
        steps: How many, int64.
        peephole: (units,), which is asked for and not used.
    """
    return {
        **{"seq_len_max": steps, "x": x, "h_prev": h, "cs_prev": c, "w": weights, "b": bias},
        **dict.fromkeys(("wci", "wcf", "wco"), peephole),
        "use_peephole": False,
    }


def last_rows(rows: Any, count: int) -> Any:
    """The last so many of the rows, (batch, steps, width) → (batch, count, width).

    Where there are more, by a split: its gradient joins two blocks, that of a slice fills them
    element by element.
    """
    import tensorflow as tf

    before = (rows.shape[1] or 0) - count
    return tf.split(rows, [before, count], axis=1)[1] if before > 0 else rows[:, -count:]
