"""LSTM layers and a dense one, forwards and backwards, in as few operations as there can be.

What Keras and a tape make of them is ten times as many, and to trace and prepare those takes
longer than a short training (docs/decisions/0270).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from forecast.networks.fast.block import operands, spare_units


@dataclass(frozen=True)
class _Lstm:
    """The widths of a layer, its own and with the spare units of `fast.block`."""

    inputs: int
    units: int
    wide_inputs: int
    wide: int

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of weights and bias, as TensorFlow's operation takes them."""
        return [(self.wide_inputs + self.wide, 4 * self.wide), (4 * self.wide,)]

    def places(self, weights: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
        """Where kernel, recurrent kernel and bias are in these, shape ([rows,] 4, units)."""
        gates = weights.reshape(-1, 4, self.wide)[..., : self.units]
        first = self.wide_inputs
        return [
            gates[: self.inputs],
            gates[first : first + self.units],
            bias.reshape(4, self.wide)[:, : self.units],
        ]


@dataclass(frozen=True)
class Pass:
    """A batch on its way through the layers, as TensorFlow's tensors.

    Attributes:
        raw: What the dense layer gives, shape (scored × batch, outputs).
        rows: What it was given, shape (scored × batch, width).
        layers: What each LSTM was given and gave, and what its outputs were multiplied by.
    """

    raw: Any
    rows: Any
    layers: list[tuple[dict[str, Any], Any, Any]]


class Chain:
    """LSTM layers on top of each other, and a dense layer at each of the last steps.

    All weights are one vector, in which the spare units have theirs: zero, as their gradients are.

    Args:
        n_features: Columns of a row.
        units: Width of each LSTM.
        outputs: Width of the dense layer.
        scored: At how many steps.
        dropout: Share of the outputs of each LSTM, the same ones at all steps.
    """

    def __init__(
        self, n_features: int, units: Sequence[int], outputs: int, *, scored: int, dropout: float
    ) -> None:
        own = pairwise([n_features, *units])
        wide = pairwise([n_features, *(each + spare_units(each) for each in units)])
        self._lstms = [_Lstm(*each, *wider) for each, wider in zip(own, wide, strict=True)]
        self._scored, self._dropout = scored, dropout
        self._shapes = [shape for one in self._lstms for shape in one.shapes]
        self._shapes += [(self._lstms[-1].wide, outputs), (outputs,)]
        self._ends = np.cumsum([prod(shape) for shape in self._shapes])

    def vector(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """From weights in Keras's order to the vector, float32."""
        vector = np.zeros(self._ends[-1], "float32")
        for place, own in zip(self._places(vector), weights, strict=True):
            place[...] = own.reshape(place.shape)
        return vector

    def own(self, vector: np.ndarray) -> list[np.ndarray]:
        """The way back: copies, since TensorFlow may keep what it is given."""
        *lstms, kernel, bias = (np.array(each) for each in self._places(vector))
        return [*(each.reshape(*each.shape[:-2], -1) for each in lstms), kernel, bias]

    def weights(self, vector: np.ndarray) -> list[np.ndarray]:
        """The vector cut, without a copy, into what `forward` takes and `gradient` gives."""
        pieces = np.split(vector, self._ends[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def _places(self, vector: np.ndarray) -> list[np.ndarray]:
        """Where Keras's weights are in the vector."""
        *lstms, kernel, bias = self.weights(vector)
        pairs = zip(self._lstms, lstms[::2], lstms[1::2], strict=True)
        places = [each for one, *pair in pairs for each in one.places(*pair)]
        return [*places, kernel[: self._lstms[-1].units], bias]

    def masks(self, batch: int, seeds: Sequence[Any]) -> list[Any]:
        """What dropout multiplies the outputs of each LSTM by, (batch, width): as Keras draws them.

        Args:
            batch: How many samples.
            seeds: What Keras draws from behind each LSTM; none without dropout.
        """
        from tensorflow import raw_ops as ops

        masks = []
        for one, seed in zip(self._lstms, seeds, strict=False):
            key, counter = ops.StatelessRandomGetKeyCounter(seed=seed)
            drawn = ops.StatelessRandomUniformV2(
                shape=_constant((batch, one.units)), key=key, counter=counter, alg=_constant(1)
            )
            mask = np.zeros((batch, one.wide), "float32")
            mask[:, : one.units] = np.asarray(drawn) >= self._dropout
            masks.append(mask / np.float32(1.0 - self._dropout))
        return masks

    def forward(self, x: np.ndarray, weights: Sequence[Any], masks: Sequence[Any] = ()) -> Pass:
        """What the dense layer gives at the last steps.

        Args:
            x: (steps, batch, n_features).
            weights: As `weights` gives them.
            masks: As `masks` gives them; none in inference.
        """
        from tensorflow import raw_ops as ops

        *lstms, kernel, bias = weights
        steps, batch, _ = x.shape
        hidden, layers, count = x, [], _constant(steps, "int64")
        for number, one in enumerate(self._lstms):
            zero = _zeros(batch, one.wide)
            given = operands(
                *(hidden, zero, zero, *lstms[2 * number : 2 * number + 2]),
                steps=count,
                peephole=_zeros(one.wide),
            )
            did = ops.BlockLSTMV2(**given, cell_clip=0.0)
            mask = masks[number] if masks else None
            layers.append((given, did, mask))
            hidden = did.h if mask is None else ops.Mul(x=did.h, y=mask)
        first, every = (steps - self._scored, 0, 0), (-1, -1, -1)
        rows = ops.Slice(input=hidden, begin=_constant(first), size=_constant(every))
        rows = ops.Reshape(tensor=rows, shape=_constant((-1, self._lstms[-1].wide)))
        return Pass(ops.BiasAdd(value=ops.MatMul(a=rows, b=kernel), bias=bias), rows, layers)

    def gradient(self, passed: Pass, weights: Sequence[Any], raw: np.ndarray) -> list[Any]:
        """The gradient in the weights, each of the shape that `weights` gives.

        Args:
            passed: The batch.
            weights: With which it passed.
            raw: The gradient in what the dense layer gave.
        """
        from tensorflow import raw_ops as ops

        gradients = [
            ops.MatMul(a=passed.rows, b=raw, transpose_a=True),
            ops.Sum(input=raw, axis=_constant(0)),
        ]
        steps, batch, width = passed.layers[-1][1].h.shape
        back = ops.MatMul(a=raw, b=weights[-2], transpose_b=True)
        back = ops.Reshape(tensor=back, shape=_constant((self._scored, batch, width)))
        unscored = (steps - self._scored, 0), (0, 0), (0, 0)
        back = ops.Pad(input=back, paddings=_constant(unscored))
        for given, did, mask in reversed(passed.layers):
            back = back if mask is None else ops.Mul(x=back, y=mask)
            went = ops.BlockLSTMGradV2(
                **given, **did._asdict(), h_grad=back, cs_grad=_zeros(*back.shape)
            )
            gradients = [went.w_grad, went.b_grad, *gradients]
            back = went.x_grad
        return gradients


@lru_cache(maxsize=32)
def _zeros(*shape: int) -> Any:
    import tensorflow as tf

    return tf.zeros(shape)


@lru_cache(maxsize=32)
def _constant(value: Any, dtype: str = "int32") -> Any:
    """Made once: TensorFlow takes longer to make one than to compute with it."""
    import tensorflow as tf

    return tf.constant(value, dtype)
