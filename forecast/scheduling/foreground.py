"""Nights started by a process that stays in front: what a container runs.

The night is a process of its own, so that a crash or a leak of one night is not the next one's.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from types import FrameType
from typing import TYPE_CHECKING

from forecast.errors import ConfigError

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.base import BaseTrigger

    from forecast.scheduling.nights import Night

GRACE = timedelta(hours=6)
"""A night that could not begin in time (the machine slept) still begins this much later."""
AGAIN = timedelta(minutes=20)
TRIES = 6
_DONE, _USAGE = 0, 2
_STOPPED = (130, 143, -signal.SIGTERM, -signal.SIGINT)


def triggers(nights: Sequence[Night]) -> list[BaseTrigger]:
    """When each night begins, as APScheduler takes it.

    Raises:
        ConfigError: if APScheduler is not installed.
    """
    try:
        from apscheduler.triggers.cron import CronTrigger
    except ImportError as error:
        raise ConfigError(
            "a scheduler in front needs the package apscheduler. It is not installed.",
            hint="pip install -e '.[schedule]'",
        ) from error
    return [
        CronTrigger(hour=night.at.hour, minute=night.at.minute, timezone=night.zone)
        for night in nights
    ]


def serve(
    when: Sequence[BaseTrigger],
    command: Sequence[str],
    *,
    tell: Callable[[str], None],
    again: timedelta = AGAIN,
) -> None:
    """Start `command` at each of the times, one at a time, until SIGTERM or SIGINT.

    It is started at once, too, to make up for a night missed while nothing ran; a night that is
    done is not done again. One that fails is tried again after `again`, at most six times. A signal
    is passed on to the night at work, whose end is waited for.

    Args:
        when: As `triggers` gives them.
        command: The command of a night.
        tell: Called with what happens, a line each.
        again: Time from a failure to the next try.
    """
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.date import DateTrigger

    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={
            "misfire_grace_time": int(GRACE.total_seconds()),
            "max_instances": 1,
            "coalesce": True,
        },
    )
    night = _Night(command)

    def work(left: int) -> None:
        tell("a night begins")
        status = night.run()
        if status in _STOPPED or night.stopping:
            tell("the night was stopped at a safe point")
        elif status in (_DONE, _USAGE) or left == 0:
            tell("the night has ended" if status == _DONE else f"the night has failed ({status})")
        else:
            tell(f"the night has failed ({status}): again in {again.total_seconds() / 60:.0f} min")
            _add(scheduler, DateTrigger(datetime.now(UTC) + again), work, left - 1)

    _add(scheduler, DateTrigger(datetime.now(UTC)), work, TRIES - 1)
    for trigger in when:
        _add(scheduler, trigger, work, TRIES - 1)
    with _stop_signals() as stopped:
        scheduler.start()
        _tell_next(scheduler, tell)
        stopped.wait()
        tell("stopping")
        scheduler.pause()
        night.stop()
        scheduler.shutdown(wait=True)


class _Night:
    """The process of the night at work, if there is one."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.stopping = False

    def run(self) -> int:
        """Start it, wait for its end, and give its exit code."""
        with self._lock:
            if self.stopping:
                return _STOPPED[0]
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        return self._process.wait()

    def stop(self) -> None:
        """Tell it to end, and start no other."""
        with self._lock:
            self.stopping = True
            if self._process is not None:
                self._process.terminate()


def say(text: str) -> None:
    """Tell on stderr, with the time."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", file=sys.stderr, flush=True)


def _add(
    scheduler: BackgroundScheduler, trigger: BaseTrigger, work: Callable[[int], None], left: int
) -> None:
    scheduler.add_job(work, trigger, args=[left])


def _tell_next(scheduler: BackgroundScheduler, tell: Callable[[str], None]) -> None:
    for job in scheduler.get_jobs():
        if job.next_run_time is not None:
            tell(f"next night {job.next_run_time.isoformat()}")


@contextmanager
def _stop_signals() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set; what they did before is put back."""
    stopped = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
