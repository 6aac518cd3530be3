"""A step of the last layer towards the spread that a regression on its inputs would set.

How far off an outcome lies can be forecast, and even LSTMs with random weights give much of what
that takes; gradients alone find it slowly, since their outputs move together (docs/decisions/0300).
Source: S. Amari (1998), Natural Gradient Works Efficiently in Learning, for the last layer and the
direction of the spread alone.
"""

from __future__ import annotations

import numpy as np

from forecast.networks.products import one_thread

SHARE = 0.15
"""Of the way: the next batch's regression is another one, on what other LSTMs give."""
RIDGE = 0.3
"""Penalty in units of the inputs' mean variance."""
_TINY = 1e-12


def spread_step(
    rows: np.ndarray, gradient: np.ndarray, widening: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What to add to the kernel and the bias of the last layer.

    Args:
        rows: Its inputs, shape (n, width), float32.
        gradient: Of the loss in its outputs, shape (n, horizon, outputs).
        widening: How its outputs change with the log of the spread, shape (horizon, outputs).

    Returns:
        Shapes (width, horizon × outputs) and (horizon × outputs,), float32.
    """
    narrower = np.einsum("nho,ho->nh", gradient, widening)
    narrower /= np.sqrt(np.square(narrower).mean(axis=0)) + _TINY
    mean = rows.mean(axis=0)
    centred = rows - mean
    with one_thread():
        variance, along = centred.T @ centred, centred.T @ narrower
        # At least tiny: LSTMs that give the same in every row have no variance.
        ridge = max(RIDGE * variance.trace() / len(variance), _TINY)
        penalty = np.diag(np.full(len(variance), ridge, "float32"))
        slopes = -SHARE * np.linalg.solve(variance + penalty, along)
        kernel = (slopes[..., None] * widening).reshape(len(mean), -1)
        return kernel, -(mean @ kernel)
