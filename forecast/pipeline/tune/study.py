"""A study at work: every trial made once, by this process or by another one beside it."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import Any

from forecast.config import Settings
from forecast.errors import ForecastError
from forecast.pipeline.provenance import data_hash
from forecast.pipeline.tune.searches import Search
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.tune.space import with_values
from forecast.pipeline.tune.trials import Folds, score
from forecast.pipeline.tune.worker import Loss, losses_of, unforeseen
from forecast.pipeline.watch import Standing, Watch
from forecast.report.tuning_text import settings_text

_PAUSE = 0.5
"""Between two looks at trials that other processes are making [seconds]."""


@dataclass(frozen=True)
class Study:
    """A search on one ticker.

    Attributes:
        slots: Its folder.
        search: Where settings come from.
        folds: In which each trial is scored.
        settings: The settings as they are; a trial changes those that are searched.
    """

    slots: Slots
    search: Search
    folds: Folds
    settings: Settings

    def finished(self) -> list[dict[str, Any]]:
        """What came of the trials that are finished, in their order."""
        results = (self.slots.result(number) for number in range(self.search.trials))
        return [one for one in results if one is not None]

    def work(self, watch: Watch) -> list[dict[str, Any]]:
        """Make every trial that nobody has made, and wait for those that others are making.

        Returns:
            What came of all trials, in their order.
        """
        done = len(self.finished())
        pace = _Pace(done)
        with losses_of(self.folds, trials=self.search.trials - done) as loss:
            while True:
                left = [n for n in range(self.search.trials) if self.slots.result(n) is None]
                if not left:
                    break
                made = sum(self._attempt(number, watch, pace, loss) for number in left)
                if not made and any(self.slots.result(number) is None for number in left):
                    time.sleep(_PAUSE)
        results = self.finished()
        watch.search(Standing(results, self.search.trials, None, "", 0.0))
        return results

    def _attempt(self, number: int, watch: Watch, pace: _Pace, loss: Loss) -> bool:
        """Make a trial, unless it is made or another process is at it."""
        with self.slots.claim(number) as mine:
            # It may have been finished since it was last looked at.
            if not mine or self.slots.result(number) is not None:
                return False
            finished = self.finished()
            values = self.search.settings(number)
            watch.search(
                Standing(
                    finished,
                    self.search.trials,
                    number,
                    settings_text(values),
                    pace.left(len(finished), self.search.trials),
                )
            )
            result = self._trial(number, values, watch, loss)
            self.slots.write(number, result)
            self.search.learn(number, result)
        return True

    def _trial(
        self, number: int, values: dict[str, Any], watch: Watch, loss: Loss
    ) -> dict[str, Any]:
        """What comes of a trial; whatever goes wrong in it is part of that."""
        begun = time.perf_counter()
        losses: list[float] = []
        error = None
        try:
            settings = with_values(self.settings, values)
            losses = score(
                len(self.folds),
                lambda fold: loss(fold, settings, watch),
                so_far=lambda losses: self.search.hopeless(number, losses),
            )
        except ForecastError as failure:
            error = failure.as_document()
        except Exception as failure:  # whatever a library makes of odd settings
            error = unforeseen(failure)
        whole = len(losses) == len(self.folds)
        return {
            "trial": number,
            "default": number == 0,
            "state": "failed" if error else "done" if whole else "pruned",
            "value": sum(losses) / len(losses) if losses else None,
            "folds": losses,
            "settings": values,
            "seconds": time.perf_counter() - begun,
            "read_sha256": data_hash(self.folds.fetched.bars),
            "process": f"{socket.gethostname()}:{os.getpid()}",
            "error": error,
        }


class _Pace:
    """How fast trials are finished since this process began, by all processes."""

    def __init__(self, finished: int) -> None:
        self._first, self._begun = finished, time.monotonic()

    def left(self, finished: int, of: int) -> float | None:
        """Seconds until all are."""
        made = finished - self._first
        return (time.monotonic() - self._begun) / made * (of - finished) if made else None
