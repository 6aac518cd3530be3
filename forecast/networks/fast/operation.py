"""An LSTM layer whose loop is TensorFlow's operation, called as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from forecast.networks.fast.block import operands, spare_units


@dataclass(frozen=True)
class Went:
    """What a layer was given and gave, and what its outputs were multiplied by; TensorFlow's."""

    given: dict[str, Any]
    did: Any
    mask: Any


class Layer:
    """An LSTM with the spare units of `fast.block`, which stay zero.

    Args:
        inputs: Width of what goes in.
        units: Width of what comes out.
        wide_inputs: Of what goes in with the spare units of the layer below.

    Attributes:
        wide: Width of what comes out, with the spare units.
        shapes: Of the weights as the layer takes them.
    """

    def __init__(self, inputs: int, units: int, wide_inputs: int) -> None:
        self.inputs, self.units, self.wide = inputs, units, units + spare_units(units)
        self._below = wide_inputs
        self.shapes = [(self._below + self.wide, 4 * self.wide), (4 * self.wide,)]

    def places(self, weights: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
        """Where Keras's kernel, recurrent kernel and bias are, ([rows,] 4, units)."""
        gates = weights.reshape(-1, 4, self.wide)[..., : self.units]
        return [
            gates[: self.inputs],
            gates[self._below : self._below + self.units],
            bias.reshape(4, self.wide)[:, : self.units],
        ]

    def mask(self, kept: np.ndarray) -> np.ndarray:
        """What the outputs are multiplied by, from (batch, units)."""
        mask = np.zeros((len(kept), self.wide), "float32")
        mask[:, : self.units] = kept
        return mask

    def entering(self, x: np.ndarray) -> np.ndarray:
        """What goes in, from (steps, batch, inputs)."""
        return x

    def forward(self, x: Any, weights: Sequence[Any], mask: Any, *, keep: bool) -> tuple[Any, Went]:
        """What comes out at all steps, and if `keep` what `backward` takes; mask or none."""
        from tensorflow import raw_ops as ops

        steps, batch, _ = x.shape
        zero = _zeros(batch, self.wide)
        given = operands(
            x, zero, zero, *weights, steps=constant(steps, "int64"), peephole=_zeros(self.wide)
        )
        did = ops.BlockLSTMV2(**given, cell_clip=0.0)
        return did.h if mask is None else ops.Mul(x=did.h, y=mask), Went(given, did, mask)

    def leaving(self, out: Any, scored: int) -> np.ndarray:
        """What came out at the last steps, (scored × batch, wide)."""
        from tensorflow import raw_ops as ops

        first, every = (out.shape[0] - scored, 0, 0), (-1, -1, -1)
        rows = ops.Slice(input=out, begin=constant(first), size=constant(every))
        return np.asarray(rows).reshape(-1, self.wide)

    def returning(self, back: np.ndarray, went: Went, scored: int) -> np.ndarray:
        """From the gradient in that to the one in what came out at all steps."""
        whole = np.zeros(went.did.h.shape, "float32")
        whole[-scored:] = back.reshape(scored, *whole.shape[1:])
        return whole

    def backward(self, went: Went, above: Any, *, below: bool) -> tuple[list[Any], Any]:
        """The gradients of the weights, and `below` that of what went in."""
        from tensorflow import raw_ops as ops

        back = above if went.mask is None else ops.Mul(x=above, y=went.mask)
        found = ops.BlockLSTMGradV2(
            **went.given, **went.did._asdict(), h_grad=back, cs_grad=_zeros(*back.shape)
        )
        return [found.w_grad, found.b_grad], found.x_grad


def layers(n_features: int, units: Sequence[int]) -> list[Layer]:
    """On top of each other."""
    widths = pairwise([n_features, *units])
    wide = [n_features, *(each + spare_units(each) for each in units)]
    return [Layer(*each, below) for each, below in zip(widths, wide, strict=False)]


@lru_cache(maxsize=32)
def constant(value: Any, dtype: str = "int32") -> Any:
    """Made once: TensorFlow takes longer to make one than to compute with it."""
    import tensorflow as tf

    return tf.constant(value, dtype)


@lru_cache(maxsize=32)
def _zeros(*shape: int) -> Any:
    import tensorflow as tf

    return tf.zeros(shape)
