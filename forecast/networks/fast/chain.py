"""LSTM layers and a dense one, forwards and backwards, in as few operations as there can be.

What Keras and a tape make of them is ten times as many, and to trace and prepare those takes
longer than a short training (docs/decisions/0270).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from math import prod
from typing import Any

import numpy as np

from forecast.networks.fast import compiled, operation
from forecast.networks.fast.operation import constant
from forecast.networks.products import one_thread


@dataclass(frozen=True)
class Pass:
    """A batch that went through the LSTMs.

    Attributes:
        rows: What the last one gave at the last steps, shape (scored × batch, width).
        went: Of each what its way back needs.
    """

    rows: np.ndarray
    went: list[Any]


class Chain:
    """LSTM layers on top of each other, and a dense layer at each of the last steps.

    All weights are one vector, laid out as the loops take them: compiled ones where they are the
    faster, else TensorFlow's operation.

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
        loops = compiled if compiled.computes(units) else operation
        self._lstms: list[Any] = loops.layers(n_features, units)
        self._scored, self._dropout = scored, dropout
        self._own = [
            shape
            for inputs, width in pairwise([n_features, *units])
            for shape in ((inputs, 4 * width), (width, 4 * width), (4 * width,))
        ]
        self._own += [(units[-1], outputs), (outputs,)]
        self._pieces = [len(one.shapes) for one in self._lstms]
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
        places = zip(self._places(vector), self._own, strict=True)
        return [np.array(each).reshape(shape) for each, shape in places]

    def weights(self, vector: np.ndarray) -> list[np.ndarray]:
        """The vector cut, without a copy, into what `forward` takes and `gradient` gives."""
        pieces = np.split(vector, self._ends[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def _places(self, vector: np.ndarray) -> list[np.ndarray]:
        """Where Keras's weights are in the vector."""
        *lstms, kernel, bias = self.weights(vector)
        places = [each for one, own in self._of_each(lstms) for each in one.places(*own)]
        return [*places, kernel[: self._lstms[-1].units], bias]

    def _of_each(self, weights: Sequence[Any]) -> list[tuple[Any, Sequence[Any]]]:
        """Each layer with its part of the weights."""
        ends = np.cumsum(self._pieces)
        parts = zip(ends - self._pieces, ends, strict=True)
        return [
            (one, weights[first:end]) for one, (first, end) in zip(self._lstms, parts, strict=True)
        ]

    def masks(self, batch: int, seeds: Sequence[Any]) -> list[Any]:
        """What dropout multiplies the outputs of each LSTM by, as Keras draws it.

        Args:
            batch: How many samples.
            seeds: What Keras draws from behind each LSTM; none without dropout.
        """
        from tensorflow import raw_ops as ops

        masks = []
        for one, seed in zip(self._lstms, seeds, strict=False):
            drawn = ops.StatelessRandomUniform(shape=constant((batch, one.units)), seed=seed)
            kept = np.asarray(drawn) >= np.float32(self._dropout)
            masks.append(one.mask(kept / np.float32(1.0 - self._dropout)))
        return masks

    def forward(
        self,
        x: np.ndarray,
        weights: Sequence[Any],
        masks: Sequence[Any] = (),
        *,
        keep: bool = True,
    ) -> Pass:
        """Through the LSTMs.

        Args:
            x: (steps, batch, n_features).
            weights: As `weights` gives them.
            masks: As `masks` gives them; none without dropout and in inference.
            keep: For `gradient`.
        """
        hidden, went = self._lstms[0].entering(x), []
        of_each = zip(self._of_each(weights), masks or repeat(None), strict=False)
        for (one, own), mask in of_each:
            hidden, back = one.forward(hidden, own, mask, keep=keep)
            went.append(back)
        return Pass(self._lstms[-1].leaving(hidden, self._scored), went)

    def gradient(self, passed: Pass, back: np.ndarray) -> np.ndarray:
        """The gradient in the LSTMs' part of the vector, which is all but its end.

        Args:
            passed: The batch.
            back: The gradient in its rows.
        """
        first, last = self._lstms[0], self._lstms[-1]
        above = last.returning(back, passed.went[-1], self._scored)
        gradients: list[Any] = []
        for one, went in zip(reversed(self._lstms), reversed(passed.went), strict=True):
            own, above = one.backward(went, above, below=one is not first)
            gradients = [*own, *gradients]
        return np.concatenate([np.ravel(each) for each in gradients])

    def dense(self, rows: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
        """What the dense layer gives for `Pass.rows`, shape (scored × batch, outputs)."""
        *_, kernel, bias = weights
        with one_thread():
            return rows @ kernel + bias

    def dense_gradient(
        self, rows: np.ndarray, weights: Sequence[np.ndarray], raw: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The gradient in the end of the vector, and the one in the rows.

        Args:
            rows: As given to `dense`.
            weights: Same.
            raw: The gradient in what it gave.
        """
        with one_thread():
            # A product with ones is ten times as fast as a sum over so few columns.
            bias = np.ones(len(raw), "float32") @ raw
            return np.concatenate([np.ravel(rows.T @ raw), bias]), raw @ weights[-2].T
