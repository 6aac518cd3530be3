"""Which run of a ticker is the champion, since when and why: `models/<ticker>/champion.json`.

The one file holds the champion's name and every change, and is replaced in one step: a reader
sees the champion before or after, with the history that belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forecast.errors import ArtifactError, BusyError
from forecast.files import inside, locked, write_json
from forecast.registry.runs import folder_of, load_run, read_json, verified

CHAMPION = "champion.json"
_WAIT = 30.0


@dataclass(frozen=True)
class Change:
    """One change of the champion.

    Attributes:
        run: Champion from then on.
        at: UTC time, ISO 8601; None for a change that was not recorded.
        reason: One sentence.
        back: It was a rollback: the champions after `run` no longer count as earlier ones.
    """

    run: str
    at: str | None
    reason: str
    back: bool = False


def champion(home: Path, ticker: str) -> str | None:
    """Name of the ticker's champion; None if it has none.

    Raises:
        ArtifactError: if the file that names it is damaged.
    """
    changes = history(home, ticker)
    return changes[-1].run if changes else None


def history(home: Path, ticker: str) -> list[Change]:
    """Every change of the champion, the oldest first; empty if there never was one.

    Raises:
        ArtifactError: if the file is damaged.
    """
    path = _path(home, ticker)
    if not path.exists():
        return []
    hint = f"forecast train {ticker}, or forecast promote {ticker} RUN"
    document = read_json(path, hint=hint)
    run, entries = document.get("run"), document.get("history", [])
    try:
        changes = [Change(**entry) for entry in entries]
    except TypeError:
        changes = []
    if not isinstance(run, str) or (entries and (not changes or changes[-1].run != run)):
        raise ArtifactError(
            f"{path} must name a run, the last of its history. It is damaged.", hint=hint
        )
    # Before changes were recorded, the file held the name alone.
    return changes or [Change(run, None, "chosen before changes were recorded")]


def before_champion(home: Path, ticker: str) -> list[str]:
    """The champions that a rollback would come to, the latest first; without the champion.

    Raises:
        ArtifactError: if the file that names them is damaged.
    """
    return _line(history(home, ticker))[-2::-1]


def promote(home: Path, ticker: str, run: str, *, reason: str, now: datetime | None = None) -> None:
    """Make `run` the ticker's champion, in one atomic step; nothing happens if it is already.

    Args:
        home: Where `models/` is.
        ticker: Whose champion.
        run: A saved run that knows the ticker; verified first.
        reason: One sentence, kept in the history.
        now: The clock, or None for the real one.

    Raises:
        ArtifactError: if the run is missing, damaged, of another format or does not know the
            ticker; or the folder cannot be written.
        BusyError: if another process is changing the champion.
    """
    promote_each(home, [ticker], run, reason=reason, now=now)


def promote_each(
    home: Path, tickers: Sequence[str], run: str, *, reason: str, now: datetime | None = None
) -> None:
    """Make `run` the champion of each ticker; it is verified once, before the first.

    Args, Raises: as `promote`.
    """
    if tickers:
        saved = load_run(home, tickers[0], run)
        for ticker in tickers:
            saved.entry(ticker)
    for ticker in tickers:
        _promote(home, ticker, run, reason=reason, now=now)


def _promote(home: Path, ticker: str, run: str, *, reason: str, now: datetime | None) -> None:
    with _alone(home, ticker):
        try:
            changes = history(home, ticker)
        except ArtifactError:
            # This is the way out of a damaged file.
            changes, reason = [], f"{reason} (the record of earlier champions was damaged)"
        if changes and changes[-1].run == run:
            return
        _write(home, ticker, [*changes, Change(run, _time(now), reason)])


def rollback(
    home: Path,
    ticker: str,
    *,
    now: datetime | None = None,
    reason: str = "rolled back by hand",
) -> str:
    """Make the champion before the present one the champion again, in one atomic step.

    One that is missing or damaged is passed over, and the history says so. A second rollback
    goes back one further.

    Returns:
        The run that is the champion now.

    Raises:
        ArtifactError: if there is no champion, or none before it that can be loaded.
        BusyError: if another process is changing the champion.
    """
    if champion(home, ticker) is None:
        raise ArtifactError(
            f"{ticker}: there must be a champion to go back from. There is none.",
            hint=f"forecast train {ticker}",
        )
    with _alone(home, ticker):
        changes = history(home, ticker)
        line = _line(changes)
        said, passed = f"{reason}, from {line[-1]}", ""
        for run in line[-2::-1]:
            try:
                verified(folder_of(home, ticker, run), retrain=f"forecast train {ticker}")
            except ArtifactError as error:
                passed += f"; {run} was passed over: {error.message}"
                continue
            _write(home, ticker, [*changes, Change(run, _time(now), said + passed, back=True)])
            return run
    raise ArtifactError(
        f"{ticker}: there must be an earlier champion than {line[-1]} that can be loaded"
        f"{passed or '. It is the first.'}",
        hint=f"forecast models {ticker}, then forecast promote {ticker} RUN",
    )


def _line(changes: list[Change]) -> list[str]:
    """The champions one after the other, without those that a rollback took away."""
    line: list[str] = []
    for change in changes:
        if change.back and change.run in line:
            while line[-1] != change.run:
                line.pop()
        elif not line or line[-1] != change.run:
            line.append(change.run)
    return line


def _path(home: Path, ticker: str) -> Path:
    return inside(home / "models", ticker) / CHAMPION


def _time(now: datetime | None) -> str:
    return f"{(now or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _write(home: Path, ticker: str, changes: list[Change]) -> None:
    entries = [_entry(change) for change in changes]
    write_json(_path(home, ticker), {"run": changes[-1].run, "history": entries})


def _entry(change: Change) -> dict[str, Any]:
    entry = asdict(change)
    if not change.back:
        del entry["back"]
    return entry


@contextmanager
def _alone(home: Path, ticker: str) -> Iterator[None]:
    """Held while the file is read and replaced, so that no change is lost; ends with its process.

    Raises:
        BusyError: if another process holds it.
        ArtifactError: if the folder cannot be written.
    """
    path = _path(home, ticker).with_name(".champion.lock")
    with locked(path, wait=_WAIT) as held:
        if not held:
            raise BusyError(
                f"{ticker}: another process must finish changing the champion first. Waited "
                f"{_WAIT:.0f} s for {path}.",
                hint="the same again, once it has ended",
            )
        yield
