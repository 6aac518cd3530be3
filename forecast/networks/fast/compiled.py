"""An LSTM layer whose loop is compiled C, for processors without AVX-512.

TensorFlow's operation lays its weights out anew at each step, and its elementwise part is made for
processors of 2011 (docs/decisions/0310).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from forecast.networks.fast import library

PANEL = 16
"""Columns of a matrix that lie together, see `lstm.c`."""


def computes(units: Sequence[int]) -> bool:
    """Whether it is the one to use, for layers of these widths."""
    return library.missing() is None and all(width % PANEL == 0 for width in units)


@dataclass(frozen=True)
class Went:
    """What the way back needs: all in panels."""

    x: np.ndarray
    weights: list[np.ndarray]
    mask: np.ndarray
    gates: np.ndarray
    cells: np.ndarray
    hidden: np.ndarray


class Layer:
    """An LSTM with the methods of `operation.Layer`.

    A matrix is in panels here: (…, rows, width) → (…, width / 16, rows, 16).

    Args:
        inputs: Width of what goes in.
        units: Width of what comes out, a multiple of 16.

    Attributes:
        wide: The same: there are no spare units.
        shapes: Of the weights as the layer takes them.
    """

    def __init__(self, inputs: int, units: int) -> None:
        self.inputs, self.units, self.wide = inputs, units, units
        self._panels, self._rooms = units // PANEL, threading.local()
        self.shapes = [
            (4 * self._panels, inputs, PANEL),
            (4 * self._panels, units, PANEL),
            (4 * units,),
        ]

    def places(self, *weights: np.ndarray) -> list[np.ndarray]:
        """Where Keras's kernel, recurrent kernel and bias are, ([rows,] 4, panels, 16)."""
        *kernels, bias = weights
        gates = 4, self._panels, -1, PANEL
        return [*(each.reshape(gates).transpose(2, 0, 1, 3) for each in kernels), bias]

    def mask(self, kept: np.ndarray) -> np.ndarray:
        """What the outputs are multiplied by, from (batch, units)."""
        return _in_panels(kept)

    def entering(self, x: np.ndarray) -> np.ndarray:
        """What goes in, from (steps, batch, inputs)."""
        return _in_panels(x)

    def forward(
        self, x: np.ndarray, weights: Sequence[np.ndarray], mask: np.ndarray | None, *, keep: bool
    ) -> tuple[np.ndarray, Went]:
        """What comes out at all steps, and if `keep` what `backward` takes; mask or none."""
        steps, _, rows, _ = x.shape
        if mask is None:
            mask = _ones(self._panels, rows)
        kept, step = steps if keep else 1, (self._panels, rows, PANEL)
        filled = self._room(
            "forward",
            (kept, 4 * self._panels, rows, PANEL),
            *((kept, *step), (kept, *step), (steps, *step)),
        )
        sizes = steps, rows, self.inputs, self.units, keep
        _loops().lstm_forward(*sizes, x, *weights, mask, *filled)
        gates, cells, hidden, masked = filled
        return masked, Went(x, list(weights), mask, gates, cells, hidden)

    def leaving(self, out: np.ndarray, scored: int) -> np.ndarray:
        """What came out at the last steps, (scored × batch, units)."""
        return out[-scored:].swapaxes(1, 2).reshape(-1, self.units)

    def returning(self, back: np.ndarray, went: Went, scored: int) -> np.ndarray:
        """From the gradient in that to the one in what came out at these steps."""
        return _in_panels(back.reshape(scored, -1, self.units))

    def backward(
        self, went: Went, above: np.ndarray, *, below: bool
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """The gradients of the weights, and `below` that of what went in."""
        steps, _, rows, _ = went.x.shape
        kernel, recurrent, _ = went.weights
        padded = went.x.shape[1] * PANEL
        turned, states = 4 * self.units * (self.units + padded), 6 * self.units * rows
        of_x, room, *gradients = self._room(
            "backward", went.x.shape if below else (0,), (turned + states,), *self.shapes
        )
        _loops().lstm_backward(
            *(steps, rows, self.inputs, self.units, len(above), below),
            *(went.x, kernel, recurrent, went.mask, went.gates, went.cells, went.hidden, above),
            *(*gradients, of_x, room),
        )
        return gradients, of_x

    def _room(self, way: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        """Memory for arrays, the same whenever a thread asks for the same.

        The system would hand new memory over page by page, which takes a third as long as the loop.
        """
        kept = self._rooms.__dict__
        key = f"{way} {shapes}"
        if key not in kept:
            sizes = [prod(shape) for shape in shapes]
            pieces = np.split(np.empty(sum(sizes), "float32"), np.cumsum(sizes)[:-1])
            kept[key] = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        return kept[key]


def layers(n_features: int, units: Sequence[int]) -> list[Layer]:
    """On top of each other."""
    return [Layer(*widths) for widths in pairwise([n_features, *units])]


@cache
def _loops() -> Any:
    """The library; its functions let go of Python's lock."""
    loops = ctypes.CDLL(str(library.PATH))
    # Refuses what is of another type or does not lie in turn.
    array = np.ctypeslib.ndpointer("float32", flags="C_CONTIGUOUS")
    number = ctypes.c_int
    loops.lstm_forward.argtypes = [number] * 5 + [array] * 9
    loops.lstm_backward.argtypes = [number] * 6 + [array] * 13
    loops.lstm_forward.restype = loops.lstm_backward.restype = None
    return loops


@cache
def _ones(panels: int, rows: int) -> np.ndarray:
    return np.ones((panels, rows, PANEL), "float32")


def _in_panels(matrix: np.ndarray) -> np.ndarray:
    """(…, rows, width) → (…, panels, rows, 16), the last panel filled up with zeros."""
    *outer, rows, width = matrix.shape
    panels = -(-width // PANEL)
    if width < panels * PANEL:
        padded = np.zeros((*outer, rows, panels * PANEL), "float32")
        padded[..., :width] = matrix
        matrix = padded
    return np.ascontiguousarray(matrix.reshape(*outer, rows, panels, PANEL).swapaxes(-2, -3))
