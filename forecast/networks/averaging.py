"""Weights averaged over the updates: a fast learning rate without its noise.

Source: O. Shamir, T. Zhang (2013), Stochastic Gradient Descent for Non-smooth Optimization:
polynomial-decay averaging. The average spans about the last ninth of all updates so far, so the
start is soon forgotten, and a long training is averaged over more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LATE = 8.0
"""How much more later updates count: the average spans one in `LATE + 1` of the updates so far."""


def share_of(done: Any) -> Any:
    """How far the average moves towards the weights after the given number of updates."""
    return (LATE + 1.0) / (done + LATE)


class Average:
    """The average of a learner's weights, kept beside it.

    Args:
        learner: keras.Model that does not average its weights itself.
    """

    def __init__(self, learner: Any) -> None:
        self._variables = learner.trainable_variables
        self._trained = self._average = self._now()
        self._done = 0

    @contextmanager
    def training(self) -> Iterator[None]:
        """Within, the learner holds the weights that are trained; outside, their average."""
        self._put(self._trained)
        try:
            yield
        finally:
            self._trained = self._now()
            self._put(self._average)

    def updated(self) -> None:
        """After each update."""
        self._done += 1
        share = np.float32(share_of(self._done))
        self._average = [
            old + share * (new - old) for old, new in zip(self._average, self._now(), strict=True)
        ]

    def _now(self) -> list[np.ndarray]:
        from keras import ops

        return [np.array(ops.convert_to_numpy(each)) for each in self._variables]

    def _put(self, weights: list[np.ndarray]) -> None:
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(value)
