"""The training clock of a rival, and its held-out pinball as the clock runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.rivals.task import Task, pinball

Predict = Callable[[np.ndarray], np.ndarray]
"""First rows of windows (n,) to quantiles (n, 7), in the target's unit."""

FIRST_LOOK, GROWTH = 0.15, 1.1
"""Seconds of training before the first look; each later look this much further on."""
BATCH = 1024
"""Windows scored at once; the last batch is filled up, so that every batch has one shape."""


@dataclass(frozen=True)
class Point:
    """One look at the held-out part.

    Attributes:
        trained: Seconds since training started, looks left out.
        pinball: Mean over the scored held-out origins and the seven levels.
        updates: Of the weights, so far.
    """

    trained: float
    pinball: float
    updates: int


class Watch:
    """Told after every update of the weights; looks at the held-out part while the clock stands.

    A rival stops when it is told to: after `seconds` of training, or when its held-out pinball has
    not fallen for `patience` of the time that its best took, and 8 s. That saves time only: no
    weights are chosen by it.
    """

    def __init__(self, task: Task, *, seconds: float, patience: float | None) -> None:
        self.points: list[Point] = []
        self._task, self._seconds, self._patience = task, seconds, patience
        self._outcomes = task.gather_targets("held")
        self._due = FIRST_LOOK
        self._trained = self._resumed = 0.0
        self._updates = 0
        self._rates: list[tuple[float, int, int]] = []

    def start(self) -> None:
        """Training starts now: after imports and loading, before the network is built."""
        self._resumed = time.perf_counter()

    def update(self, predict: Predict, *, steps: int, targets: int, updates: int = 1) -> bool:
        """After updates of the weights: True when training should stop.

        Args:
            predict: Forecasts with the weights as they would be kept now.
            steps: Rows that went through the recurrent layers in these updates.
            targets: Outcomes in their losses.
            updates: How many there were since the last call.
        """
        took = self._stop()
        self._updates += updates
        self._rates.append((took, steps, targets))
        if self._trained >= self._due:
            self._look(predict)
            self._due = max(self._due, self._trained) * GROWTH
        over = self._trained > self._seconds or self._stale()
        self.start()
        return over

    def finish(self, predict: Predict) -> None:
        """Training is over: the clock stops, and what was kept is scored."""
        self._stop()
        self._look(predict)

    @property
    def trained(self) -> float:
        """Seconds of training so far."""
        return self._trained

    @property
    def rates(self) -> tuple[float, float]:
        """LSTM steps and targets a second: the median update's, which leaves compiling out."""
        took, steps, targets = (
            np.array(column, dtype=float) for column in zip(*self._rates, strict=True)
        )
        return float(np.median(steps / took)), float(np.median(targets / took))

    def _look(self, predict: Predict) -> None:
        """Score the held-out origins; the clock stands."""
        starts = self._task.held
        filled = np.resize(starts, -(-len(starts) // BATCH) * BATCH)
        quantiles = [
            predict(filled[first : first + BATCH]) for first in range(0, len(filled), BATCH)
        ]
        loss = pinball(self._outcomes, np.concatenate(quantiles)[: len(starts)])
        self.points.append(Point(self._trained, loss, self._updates))

    def _stop(self) -> float:
        took = time.perf_counter() - self._resumed
        self._trained += took
        return took

    def _stale(self) -> bool:
        if self._patience is None or not self.points:
            return False
        best = min(self.points, key=lambda point: point.pinball)
        return self._trained > max(best.trained * (1 + self._patience), best.trained + 8.0)
