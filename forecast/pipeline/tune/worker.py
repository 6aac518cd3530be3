"""A process beside a long search that trains its networks, and is replaced before it has grown.

TensorFlow keeps what it has compiled until the process ends: some 50 MB a network shape.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from forecast.config import Settings
from forecast.errors import ForecastError, TrainingError, raised_at
from forecast.pipeline.processes import begin_worker
from forecast.pipeline.tune.trials import Folds, fold_loss
from forecast.pipeline.watch import Watch

TRIALS = 20
"""So many a process. A search with no more is made in the process at hand: a second one would take
longer to start than it saves."""

Loss = Callable[[int, Settings, Watch], float]
"""(fold, settings, watch) → loss on its held-out sessions; raises ForecastError, or whatever a
library makes of odd settings."""


class WorkerError(ForecastError):
    """What went wrong in the worker: of any type, as it was told."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(str(document["message"]), hint=document["hint"])
        self._document = document

    def as_document(self) -> dict[str, str | None]:
        """The error as it was there."""
        return self._document


@contextmanager
def losses_of(folds: Folds, *, trials: int) -> Iterator[Loss]:
    """The loss of a fold, for so many trials: from a worker where they are many.

    What comes out is the same bit for bit either way.
    """
    if trials <= TRIALS:
        yield lambda number, settings, watch: fold_loss(folds, number, settings, watch=watch)
        return
    worker = _Worker(folds)
    try:
        yield worker.loss
    finally:
        worker.end()


@dataclass
class _Worker:
    """The process at hand, and the next one when it has made its share."""

    folds: Folds
    _process: Any = None
    _pipe: Any = None
    _asked: int = 0

    def loss(self, number: int, settings: Settings, watch: Watch) -> float:
        if self._asked == TRIALS * len(self.folds):
            self.end()
        if self._process is None:
            self._begin()
        self._asked += 1
        try:
            self._pipe.send((number, settings))
            while True:
                kind, told = self._pipe.recv()
                if kind == "epoch":
                    watch.epoch(told)
                elif kind == "loss":
                    return float(told)
                else:
                    raise WorkerError(told)
        except (EOFError, ConnectionError) as error:
            self.end()
            raise TrainingError(
                "the process that trains must live until the trial is done. It was ended from "
                "outside; the system ends processes for want of memory.",
                hint="the same again with more free memory, or smaller networks",
            ) from error

    def _begin(self) -> None:
        # Not a fork: TensorFlow's threads would not be there.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.folds), daemon=True)
        self._process.start()
        theirs.close()
        self._asked = 0

    def end(self) -> None:
        """End the process, whatever it is at."""
        if self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._pipe = None
        self._asked = 0


def _serve(pipe: Connection, folds: Folds) -> None:
    """In the worker: a loss for each question, until nobody asks any more."""
    begin_worker(signal.SIGINT)
    watch = Watch(epoch=lambda epoch: pipe.send(("epoch", epoch)))
    # Ctrl-C reaches the whole group, and a training hears it; the search itself answers for it.
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        while True:
            number, settings = pipe.recv()
            pipe.send(_answer(folds, number, settings, watch))


def _answer(folds: Folds, number: int, settings: Settings, watch: Watch) -> tuple[str, Any]:
    try:
        return "loss", fold_loss(folds, number, settings, watch=watch)
    except ForecastError as failure:
        return "error", failure.as_document()
    except ConnectionError:
        raise
    except Exception as failure:  # whatever a library makes of odd settings
        return "error", unforeseen(failure)


def unforeseen(failure: Exception) -> dict[str, str | None]:
    """An error that no one foresaw, as JSON, with where it was raised."""
    return {
        "type": type(failure).__name__,
        "message": f"{failure} ({raised_at(failure)})",
        "hint": None,
    }
