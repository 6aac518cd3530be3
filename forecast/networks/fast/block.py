"""The whole loop of an LSTM as one operation of TensorFlow's, its gradient as another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def lstm(
    inputs: Any, kernel: Any, recurrent: Any, bias: Any, *, start: Any = None
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

    Returns:
        Outputs at every step, (batch, steps, units); and what gives output and cell state after
        the last.
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

    zero = tf.zeros((inputs.shape[0] or tf.shape(inputs)[0], units))
    hs, cs = run(
        tf.transpose(inputs, (1, 0, 2)),
        *(start or (zero, zero)),
        tf.concat([kernel, recurrent], axis=0),
        tf.convert_to_tensor(bias),
    )
    return tf.transpose(hs, (1, 0, 2)), lambda: [hs[-1], cs[-1]]
