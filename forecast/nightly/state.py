"""What outlives a night: the lock, the heartbeat, and which tickers' nights are done.

data/nightly/lock                held while a night works; freed by the system when it dies
data/nightly/heartbeat.json      where the night is, at least every half minute
data/nightly/state/AAPL.json     the ticker's last night that was done, and its last training
data/nightly/scratch/            what workers write; emptied when a night begins
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from forecast.errors import ArtifactError, BusyError
from forecast.files import inside, locked, unwritable, write_json
from forecast.nightly.clock import Clock

_BEAT_EVERY = 15.0


def folder_of(home: Path) -> Path:
    """Where a home keeps what outlives a night."""
    return home / "data" / "nightly"


@contextmanager
def night_lock(home: Path) -> Iterator[None]:
    """One night at a time in a home.

    Raises:
        BusyError: at once, if another process is at it.
        ArtifactError: if the lock file cannot be made (read-only folder, full disk).
    """
    with locked(folder_of(home) / "lock", wait=0) as held:
        if not held:
            raise BusyError(
                f"one night at a time must work in {home}. Another process is at it{_whose(home)}.",
                hint="again when it has ended; it tells where it is in data/nightly/heartbeat.json",
            )
        yield


def _whose(home: Path) -> str:
    try:
        beat = json.loads((folder_of(home) / "heartbeat.json").read_bytes())
        return f": process {beat['pid']}, {beat['stage']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def fresh_scratch(home: Path) -> Path:
    """An empty folder for what workers write, without what a killed night left. Under the lock.

    Raises:
        ArtifactError: if it cannot be made.
    """
    folder = folder_of(home) / "scratch"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


class Heartbeat:
    """Where the night is, for whoever looks after it; `at` is the real time, whatever `--now`."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._path = folder_of(home) / "heartbeat.json"
        self._now = clock.now()
        self._stage, self._done, self._of, self._failed = "starting", 0, 0, 0
        self._last = 0.0

    def tell(self, stage: str, done: int = 0, of: int = 0, failed: int = 0) -> None:
        """A stage, how many of its tickers are done, and at the end how many failed.

        Each stage is written, and each second.
        """
        news = stage != self._stage or time.monotonic() - self._last >= 1
        self._stage, self._done, self._of, self._failed = stage, done, of, failed
        if news:
            self._write()

    def beat(self) -> None:
        """Still alive: written every quarter of a minute."""
        if time.monotonic() - self._last >= _BEAT_EVERY:
            self._write()

    def _write(self) -> None:
        self._last = time.monotonic()
        document = {
            "pid": os.getpid(),
            "at": Clock().now().isoformat(),
            "night": self._now.isoformat(),
            "stage": self._stage,
            "done": self._done,
            "of": self._of,
            "failed": self._failed,
        }
        # A full disk ends no night here: the heartbeat's age tells.
        with suppress(ArtifactError):
            write_json(self._path, document)


@dataclass(frozen=True)
class Key:
    """What makes a ticker's night that night: the same key is not done twice.

    Attributes:
        ticker: Such as `AAPL`.
        session: Its last completed session, ISO date.
        settings: SHA-256 of the settings that decide what comes out.
        snapshot: SHA-256 of its quotes.
    """

    ticker: str
    session: str
    settings: str
    snapshot: str


@dataclass(frozen=True)
class Trained:
    """A ticker's last training.

    Attributes:
        session: The newest bar it saw, ISO date.
        settings: As in `Key`; None where it was not a night that trained.
    """

    session: str
    settings: str | None


@dataclass(frozen=True)
class Pending:
    """A challenger that was trained, saved and judged in a night that has not ended yet.

    Attributes:
        key: The night's.
        run: The challenger.
        promote: Whether it was to become champion.
        reason: Why, or why not.
        figures: What it was decided by, as JSON.
        against: The champion that it was judged against, None where there was none.
    """

    key: Key
    run: str
    promote: bool
    reason: str
    figures: dict[str, Any]
    against: str | None = None


@dataclass(frozen=True)
class TickerState:
    """A ticker's state; None for what has not happened yet.

    Attributes:
        done: The last night that was done.
        entry: What it did, as its entry in the night's summary.
        trained: The last training.
        pending: A challenger of a night that has not ended.
    """

    done: Key | None = None
    entry: dict[str, Any] | None = None
    trained: Trained | None = None
    pending: Pending | None = None

    def begun(self, key: Key) -> Pending | None:
        """The challenger that a try at this night left behind, or None."""
        return self.pending if self.pending is not None and self.pending.key == key else None

    def is_done(self, key: Key) -> bool:
        """Whether nothing is left to do for this night.

        One that was done may have been begun again, by force.
        """
        return self.done == key and self.begun(key) is None


_STATE = TypeAdapter(TickerState)


def read_state(home: Path, ticker: str) -> TickerState:
    """The ticker's state; a file that is missing or damaged counts as nothing done.

    Nothing is lost by that: the night is done again, and the ledger refuses a second forecast.
    """
    try:
        content = _path(home, ticker).read_bytes()
        return _STATE.validate_json(content, strict=True)
    except (OSError, ValidationError):
        return TickerState()


def write_state(home: Path, ticker: str, state: TickerState) -> None:
    """Replace the ticker's state in one step.

    Raises:
        ArtifactError: if it cannot be written.
    """
    write_json(_path(home, ticker), asdict(state))


def _path(home: Path, ticker: str) -> Path:
    return inside(folder_of(home) / "state", f"{ticker}.json")
