"""`models`, `promote` and `rollback`: which runs there are, and which of them serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forecast import registry
from forecast.errors import ArtifactError
from forecast.market.bars import check_ticker
from forecast.registry import RunSummary


def models(
    tickers: Sequence[str], *, home: Path, now: datetime | None = None
) -> list[dict[str, Any]]:
    """Every run of the tickers, and who is the champion since when and why.

    Args:
        tickers: Such as `AAPL`; none means all that have a run.
        home: Where `models/` is.
        now: The clock, or None for the real one.

    Returns:
        One entry a ticker, as `models --json` prints it.

    Raises:
        UnknownTicker: if a ticker is none.
    """
    moment = now or datetime.now(UTC)
    names = list(dict.fromkeys(check_ticker(ticker) for ticker in tickers))
    runs = registry.runs_of_each(home, names or registry.tickers_of(home))
    return [_entry(home, ticker, own, moment) for ticker, own in runs.items()]


def promote(ticker: str, run: str, *, home: Path, now: datetime | None = None) -> dict[str, Any]:
    """Make a run the ticker's champion, after it was verified.

    Returns:
        As `promote --json` prints it: `ticker`, `run`, `before` (None for the first), `changed`,
        `at` and `reason`.

    Raises:
        UnknownTicker: if the ticker is none.
        ArtifactError: if the run is missing, damaged or does not know the ticker.
        BusyError: if another process is changing the champion.
    """
    name = check_ticker(ticker)
    before = _champion(home, name)
    registry.promote(home, name, run, reason="promoted by hand", now=now)
    return _changed(home, name, before)


def rollback(ticker: str, *, home: Path, now: datetime | None = None) -> dict[str, Any]:
    """Make the ticker's champion before the present one the champion again.

    Returns:
        As `promote`.

    Raises:
        UnknownTicker: if the ticker is none.
        ArtifactError: if there is none that can be loaded.
        BusyError: if another process is changing the champion.
    """
    name = check_ticker(ticker)
    before = _champion(home, name)
    registry.rollback(home, name, now=now)
    return _changed(home, name, before)


def _champion(home: Path, ticker: str) -> str | None:
    try:
        return registry.champion(home, ticker)
    except ArtifactError:
        return None  # `promote` is the way out of a damaged record; `rollback` says so itself


def _changed(home: Path, ticker: str, before: str | None) -> dict[str, Any]:
    last = registry.history(home, ticker)[-1]
    return {
        "ticker": ticker,
        "run": last.run,
        "before": before,
        "changed": last.run != before,
        "at": last.at,
        "reason": last.reason,
    }


def _entry(home: Path, ticker: str, runs: list[RunSummary], now: datetime) -> dict[str, Any]:
    changes, error = [], None
    try:
        changes = registry.history(home, ticker)
    except ArtifactError as damaged:
        error = damaged.as_document()
    return {
        "ticker": ticker,
        "champion": changes[-1].run if changes else None,
        "history": [asdict(change) for change in changes],
        "error": error,
        "runs": [_row(one, home, now) for one in runs],
    }


def _row(one: RunSummary, home: Path, now: datetime) -> dict[str, Any]:
    return {
        **asdict(one),
        "folder": one.folder.relative_to(home).as_posix(),
        "made": None if one.made is None else f"{one.made:%Y-%m-%dT%H:%M:%SZ}",
        "age_days": None
        if one.made is None
        else round((now - one.made).total_seconds() / 86400, 3),
    }
