"""The jobs of a night's tickers and what comes of them; a training that fails costs no forecast."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from forecast.config import Settings
from forecast.errors import ForecastError, as_known
from forecast.nightly import engines, summary
from forecast.nightly.clock import Clock
from forecast.nightly.jobs import Job, RunFiles
from forecast.nightly.ray_cluster import ray_cluster
from forecast.nightly.ready import Ready
from forecast.nightly.state import fresh_scratch
from forecast.nightly.work import Outcome, work
from forecast.pipeline.capacity import room_for
from forecast.pipeline.tuned import tuned_for
from forecast.pipeline.watch import Watch
from forecast.registry import new_run


@dataclass
class Outcomes:
    """What comes of the jobs of tickers that are ready.

    Attributes:
        home: Where `data/` and `models/` are.
        settings: The resolved ones.
        clock: What time it is.
        begun: When the night began, on the monotonic clock.
        pause: Asked all the while; True means stop now.
        late: Tickers that the deadline left without a challenger.
    """

    home: Path
    settings: Settings
    clock: Clock
    begun: float
    pause: engines.Pause
    late: set[str] = field(default_factory=set)

    def of(
        self,
        ready: dict[str, Ready],
        entries: dict[str, dict[str, Any]],
        engine: str,
        address: str | None,
        workers: int | None,
    ) -> Iterator[Outcome]:
        """Of those that need no training first; then of the longest untrained.

        Args:
            ready: By ticker.
            entries: Whatever has one is done with; one is made where a job cannot be.
            engine: `local` or `ray`.
            address: Of a Ray cluster.
            workers: At once; None for as many as there is room for.
        """
        quick = [one for one in ready.values() if one.why is None]
        due = sorted((one for one in ready.values() if one.why), key=lambda one: one.last)
        yield from engines.here(self._jobs(quick, entries), pause=self.pause)
        if not due or self.pause():
            return
        try:
            for outcome in self._trained(
                self._jobs(due, entries), len(due), engine, address, workers
            ):
                if outcome.error is not None and outcome.forecast is None:
                    yield self._untrained(ready[outcome.ticker], outcome.error)
                else:
                    yield outcome
        except Exception as failure:
            # What trains is broken, not what forecasts.
            for one in due:
                if one.plan.ticker not in entries and not self.pause():
                    yield self._untrained(one, as_its_own(one.plan.ticker, failure))

    def _trained(
        self,
        jobs: Iterator[Job],
        count: int,
        engine: str,
        address: str | None,
        workers: int | None,
    ) -> Iterator[Outcome]:
        nightly = self.settings.nightly
        if engine == "ray":
            yield from ray_cluster(
                jobs,
                workers=workers,
                address=address,
                memory=nightly.memory,
                gpus=nightly.gpus,
                pause=self.pause,
            )
            return
        yield from engines.pool(
            jobs,
            workers=workers or room_for(count, memory=nightly.memory),
            scratch=fresh_scratch(self.home),
            pause=self.pause,
        )

    def _untrained(self, one: Ready, error: ForecastError) -> Outcome:
        """The champion's forecast where its ticker's training came to nothing."""
        try:
            return replace(work(self._job(one, train=False)), error=error)
        except Exception:
            return Outcome(one.plan.ticker, None, None, error, 0.0)

    def _jobs(self, ready: Iterable[Ready], entries: dict[str, dict[str, Any]]) -> Iterator[Job]:
        """The jobs as they are asked for; where one cannot be made, the entry says so."""
        for one in ready:
            try:
                job = self._job(one)
            except Exception as failure:
                entries[one.plan.ticker] = failed_entry(one, as_its_own(one.plan.ticker, failure))
            else:
                yield job

    def _job(self, one: Ready, *, train: bool = True) -> Job:
        """The ticker's job as it is now: past the deadline nothing is trained any more."""
        train = train and one.why is not None
        if train and time.monotonic() - self.begun > self.settings.nightly.deadline * 60:
            self.late.add(one.plan.ticker)
            train = False
        return Job(
            one.plan.fetched,
            tuned_for(one.plan.fetched, home=self.home, settings=self.settings, watch=Watch())[0],
            RunFiles.of(one.champion, one.plan.ticker) if one.champion else None,
            new_run(self.clock.now().to_pydatetime()) if train else None,
        )


def failed_entry(one: Ready, error: ForecastError) -> dict[str, Any]:
    """The entry of a ticker that was ready and failed."""
    return summary.failed(one.plan.ticker, one.plan.key.session, error, settled=one.settled)


def as_its_own(what: str, failure: Exception) -> ForecastError:
    """An unforeseen fault, too, is one ticker's alone."""
    return as_known(failure, ticker=what, hint="forecast doctor, which looks at what is kept")
