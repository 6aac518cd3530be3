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
    """A batch that went through the LSTMs.

    Attributes:
        rows: What the last one gave at the last steps, shape (scored × batch, width).
        layers: What each was given and gave, and what its outputs were multiplied by; TensorFlow's.
    """

    rows: np.ndarray
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
        """Through the LSTMs.

        Args:
            x: (steps, batch, n_features).
            weights: As `weights` gives them.
            masks: As `masks` gives them; none in inference.
        """
        from tensorflow import raw_ops as ops

        steps, batch, _ = x.shape
        hidden, layers, count = x, [], _constant(steps, "int64")
        for number, one in enumerate(self._lstms):
            zero = _zeros(batch, one.wide)
            given = operands(
                *(hidden, zero, zero, *weights[2 * number : 2 * number + 2]),
                steps=count,
                peephole=_zeros(one.wide),
            )
            did = ops.BlockLSTMV2(**given, cell_clip=0.0)
            mask = masks[number] if masks else None
            layers.append((given, did, mask))
            hidden = did.h if mask is None else ops.Mul(x=did.h, y=mask)
        first, every = (steps - self._scored, 0, 0), (-1, -1, -1)
        rows = ops.Slice(input=hidden, begin=_constant(first), size=_constant(every))
        return Pass(np.asarray(rows).reshape(-1, self._lstms[-1].wide), layers)

    def gradient(self, passed: Pass, back: np.ndarray) -> np.ndarray:
        """The gradient in the LSTMs' part of the vector, which is all but its end.

        Args:
            passed: The batch.
            back: The gradient in its rows.
        """
        from tensorflow import raw_ops as ops

        shape = passed.layers[-1][1].h.shape
        steps = np.zeros(shape, "float32")
        steps[-self._scored :] = back.reshape(-1, *shape[1:])
        hidden: Any = steps
        gradients: list[Any] = []
        for given, did, mask in reversed(passed.layers):
            hidden = hidden if mask is None else ops.Mul(x=hidden, y=mask)
            went = ops.BlockLSTMGradV2(
                **given, **did._asdict(), h_grad=hidden, cs_grad=_zeros(*hidden.shape)
            )
            gradients = [went.w_grad, went.b_grad, *gradients]
            hidden = went.x_grad
        return np.concatenate([np.ravel(each) for each in gradients])

    def dense(self, rows: np.ndarray, weights: Sequence[Any]) -> np.ndarray:
        """What the dense layer gives for `Pass.rows`, shape (scored × batch, outputs)."""
        from tensorflow import raw_ops as ops

        *_, kernel, bias = weights
        # Not NumPy's product, whose threads then wait for more at the cost of a core.
        return np.asarray(ops.BiasAdd(value=ops.MatMul(a=rows, b=kernel), bias=bias))

    def dense_gradient(
        self, rows: np.ndarray, weights: Sequence[Any], raw: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The gradient in the end of the vector, and the one in the rows.

        Args:
            rows: As given to `dense`.
            weights: Same.
            raw: The gradient in what it gave.
        """
        from tensorflow import raw_ops as ops

        kernel = ops.MatMul(a=rows, b=raw, transpose_a=True)
        bias = ops.Sum(input=raw, axis=_constant(0))
        back = ops.MatMul(a=raw, b=weights[-2], transpose_b=True)
        return np.concatenate([np.ravel(kernel), bias]), np.asarray(back)


@lru_cache(maxsize=32)
def _zeros(*shape: int) -> Any:
    import tensorflow as tf

    return tf.zeros(shape)


@lru_cache(maxsize=32)
def _constant(value: Any, dtype: str = "int32") -> Any:
    """Made once: TensorFlow takes longer to make one than to compute with it."""
    import tensorflow as tf

    return tf.constant(value, dtype)
