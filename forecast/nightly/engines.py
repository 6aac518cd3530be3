"""Where the jobs of a night run: in this process, in a pool of processes, or on Ray.

Each takes jobs one by one as it has room for them and yields outcomes as they come. A job is the
same function of the same arguments everywhere, and trains on one thread, so that what comes out is
the same bit for bit. A worker that dies fails its ticker alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from forecast.errors import ForecastError
from forecast.nightly.jobs import Job
from forecast.nightly.work import Outcome, failed, work
from forecast.pipeline.processes import begin_worker

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
POLL = 0.25
"""Seconds between two looks at `Pause`."""

Pause = Callable[[], bool]
"""Asked a few times a second while workers work; True means stop now."""


def here(jobs: Iterable[Job], *, pause: Pause) -> Iterator[Outcome]:
    """One after the other in this process: for jobs that train nothing."""
    for job in jobs:
        if pause():
            return
        yield work(job)


def pool(jobs: Iterable[Job], *, workers: int, scratch: Path, pause: Pause) -> Iterator[Outcome]:
    """A pool of processes, each on one thread.

    Args:
        jobs: Taken as a worker becomes free.
        workers: Processes at once, >= 1.
        scratch: Folder for their temporary files.
        pause: When it says so the workers are ended; what they had begun is lost.
    """
    waiting = iter(jobs)
    until_one_dies = partial(_until_one_dies, scratch=scratch, pause=pause)
    suspects = yield from until_one_dies(waiting, workers=workers)
    while suspects:
        # Any of them may have brought it down: each gets a process to itself, once.
        for suspect in suspects:
            for job in (yield from until_one_dies(iter([suspect]), workers=1)):
                yield failed(job, died(job.ticker, "it was ended twice"))
        suspects = yield from until_one_dies(waiting, workers=workers)


def died(ticker: str, how: str) -> ForecastError:
    """The error for a ticker whose worker did not live to the end."""
    return ForecastError(
        f"{ticker}: its worker must live until the job is done, but {how}. "
        "The system ends processes for want of memory.",
        hint="forecast nightly --workers 1, or more memory",
    )


def _until_one_dies(
    jobs: Iterator[Job], *, workers: int, scratch: Path, pause: Pause
) -> Generator[Outcome, None, list[Job]]:
    """Outcomes until there are no more jobs; if a worker dies, returns the jobs taken by then."""
    # A folder to each round of workers: one that is ended leaves its files behind.
    with (
        TemporaryDirectory(dir=scratch) as folder,
        _environment({**ONE_THREAD, "TMPDIR": folder}),
    ):
        return (yield from _round(jobs, workers=workers, pause=pause))


def _round(
    jobs: Iterator[Job], *, workers: int, pause: Pause
) -> Generator[Outcome, None, list[Job]]:
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=begin_worker,
        initargs=(signal.SIGINT, signal.SIGTERM),
    )
    running: dict[Future[Outcome], Job] = {}
    try:
        while not pause():
            while len(running) < workers and (job := next(jobs, None)) is not None:
                try:
                    running[executor.submit(work, job)] = job
                except BrokenProcessPool:
                    # A worker died with nothing to do: this job is taken, and in no future yet.
                    return [] if pause() else [*running.values(), job]
            if not running:
                break
            done, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                del running[future]
                yield outcome
        return []
    except BrokenProcessPool:
        return [] if pause() else list(running.values())
    finally:
        if running:
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables for the processes started within; libraries read them when they are loaded."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
