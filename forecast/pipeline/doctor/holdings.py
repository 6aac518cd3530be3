"""What the nights have kept and need: bars, networks, the ledger, a timer, a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError, ForecastError
from forecast.ledger import examine
from forecast.market.sessions import expected_sessions, last_completed
from forecast.market.sources.csv_files import folder_of
from forecast.market.store import Store
from forecast.market.upkeep import damaged
from forecast.pipeline.doctor.finding import FAIL, OK, WARN, Finding
from forecast.pipeline.schedule import scheduled
from forecast.registry import champion, load_run
from forecast.report.wording import count
from forecast.scheduling.health import health

_REACH = 5.0


def bars(
    store: Store, tickers: Sequence[str], *, stale: int, exchange: str | None = None
) -> Iterator[Finding]:
    """Each snapshot's checksum, and whether the newest bar is more than `stale` sessions old.

    The sessions are those of `exchange`, or of the snapshot's own where that is None.
    """
    whole, files = [], 0
    for ticker in tickers:
        try:
            torn, snapshots = damaged(store, ticker), store.manifests(ticker)
        except ArtifactError as error:
            yield Finding("bars", WARN, error.message, error.hint)
            continue
        for one in torn:
            yield Finding("bars", WARN, one.message, one.hint)
        if not snapshots:
            hint = f"forecast fetch {ticker}"
            yield Finding("bars", OK, f"{ticker}: none yet; a night fetches them", hint)
            continue
        files += len(snapshots)
        newest = snapshots[0]
        kept = exchange or newest.exchange
        due = last_completed(kept, pd.Timestamp.now("UTC"))
        first = pd.Timestamp(newest.last) + pd.Timedelta(days=1)
        missing = len(expected_sessions(kept, first, due))
        if newest.source != "sample" and missing > stale:
            told = (
                f"{ticker}: the newest bar is of {newest.last}, the newest session {due:%Y-%m-%d}"
            )
            yield Finding("bars", WARN, told, f"forecast fetch {ticker}")
        elif not torn:
            whole.append(f"{ticker} to {newest.last}")
    if whole:
        told = f"{', '.join(whole[:5])}{' …' if len(whole) > 5 else ''}"
        yield Finding("bars", OK, f"{len(whole)} whole ({files} snapshots): {told}")


def networks(home: Path, tickers: Sequence[str]) -> Iterator[Finding]:
    """Each champion's files against their checksums."""
    whole = []
    for ticker in tickers:
        try:
            if champion(home, ticker) is None:
                continue
            saved = load_run(home, ticker)
        except ForecastError as error:
            yield Finding("networks", WARN, error.message, error.hint)
            continue
        whole.append(ticker)
        if saved.notice:
            yield Finding("networks", WARN, saved.notice, f"forecast train {ticker}")
    if whole:
        told = f"{', '.join(whole[:5])}{' …' if len(whole) > 5 else ''}"
        yield Finding("networks", OK, f"{count(len(whole), 'champion')} whole: {told}")
    elif not tickers:
        yield Finding("networks", OK, "none yet", "forecast train AAPL")


def record(home: Path) -> Iterator[Finding]:
    """Whether the ledger is as it was written; a night refuses to work on one that is not."""
    try:
        found = examine(home)
    except ForecastError as error:
        yield Finding("ledger", FAIL, error.message, error.hint)
        return
    for problem in found.problems:
        yield Finding("ledger", FAIL, problem, "forecast ledger --verify")
    if not found.problems:
        told = f"{found.head.entries:,} entries as they were written"
        yield Finding("ledger", OK, told if found.head.entries else "none yet")


def nights(home: Path, settings: Settings | None) -> Iterator[Finding]:
    """Whether there are tickers, something that starts the nights, and a recent one.

    Args:
        home: The home folder.
        settings: None where they were refused: what they say of nights is not known.
    """
    chosen = () if settings is None else settings.nightly.tickers
    if settings is not None and not chosen:
        hint = 'tickers = ["AAPL"] under [nightly] in forecast.toml'
        yield Finding("nights", WARN, "no tickers are set, so a timer has nothing to do", hint)
    try:
        using = scheduled(home)
    except ForecastError as error:
        yield Finding("timer", WARN, error.message, error.hint)
    else:
        if using:
            yield Finding("timer", OK, f"installed, with {using}")
        else:
            told = "no timer is installed for this home"
            yield Finding("timer", WARN if chosen else OK, told, "forecast schedule --install")
    yield _last_night(home, expected=bool(chosen))
    if settings is not None and chosen and not settings.nightly.webhook:
        told = "no webhook is set: a failed night is told on stderr and by its exit code alone"
        yield Finding("alerts", WARN, told, "FORECAST_NIGHTLY__WEBHOOK=https://… in nightly.env")


def source(settings: Settings) -> Finding:
    """Whether bars can be brought; unreachable is no failure, for it may pass."""
    kind = settings.source.partition(":")[0]
    if kind == "csv":
        folder = folder_of(settings.source)
        if folder.is_dir():
            return Finding("source", OK, f"{folder} is there")
        return Finding("source", FAIL, f"{folder} is not a folder", "correct the setting 'source'")
    if kind == "sample":
        return Finding("source", WARN, "the sample ends in 2013: there are no new bars in it")
    if kind not in ("auto", "yahoo"):
        return Finding("source", OK, f"{kind}, which is reached only when bars are fetched")
    from forecast.market.sources.yahoo_chart import Fault
    from forecast.market.sources.yahoo_session import YahooSession

    try:
        YahooSession().reach(within=_REACH)
    except Fault as error:
        return Finding("source", WARN, f"Yahoo: {error}", "forecast doctor, in a while")
    return Finding("source", OK, "Yahoo can be reached")


def _last_night(home: Path, *, expected: bool) -> Finding:
    found = health(home, now=datetime.now(UTC))
    if found.failed or (expected and found.wrong):
        return Finding(
            "last night", WARN, found.wrong or found.told, "forecast nightly, or see its log"
        )
    return Finding("last night", OK, found.told)
