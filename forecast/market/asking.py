"""Who is asked for a ticker's bars: its file, a live source, or what stands in for Yahoo."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pandas as pd

from forecast.errors import SourceUnavailable
from forecast.market.bars import History
from forecast.market.findings import Thresholds
from forecast.market.judging import judged_now
from forecast.market.reading import read
from forecast.market.rules import Rules
from forecast.market.serving import Served, readable
from forecast.market.sessions import check_exchange
from forecast.market.snapshots import decode
from forecast.market.sources import SOURCES, check_source, csv_files, sample, yahoo
from forecast.market.store import Store
from forecast.market.updating import update


@dataclass(frozen=True)
class Wanted:
    """What is the same for every ticker of one fetch.

    Attributes:
        store: Where to.
        kind: `auto` or a key of `SOURCES`.
        folder: Of the CSV files, or None.
        rules: How answers are judged.
        start: First session wanted, or None for all.
        end: Last session wanted, or None for all.
        refresh: Ask for the whole history in any case.
    """

    store: Store
    kind: str
    folder: Path | None
    rules: Rules
    start: date | None
    end: date | None
    refresh: bool

    @classmethod
    def of(
        cls,
        data: str | Path,
        source: str,
        *,
        start: date | None,
        end: date | None,
        refresh: bool,
        now: datetime | None,
        exchange: str | None,
        thresholds: Thresholds | None,
    ) -> Wanted:
        """From what `fetching.fetch_one` is given.

        Raises:
            ConfigError: if `source` or `exchange` is not known.
        """
        kind, _, folder = check_source(source).partition(":")
        if exchange is not None:
            check_exchange(exchange)
        clock = pd.Timestamp.now("UTC") if now is None else pd.Timestamp(now)
        if clock.tz is None:
            clock = clock.tz_localize("UTC")
        return cls(
            store=Store.open(data),
            kind=kind,
            folder=csv_files.folder_of(source) if folder else None,
            rules=Rules(clock, exchange, thresholds or Thresholds()),
            start=start,
            end=end,
            refresh=refresh,
        )


def ask(ticker: str, wanted: Wanted) -> Served:
    """What the source brings, in the store.

    Raises:
        SourceError: if the bars cannot be brought; the store is as it was.
        ArtifactError: if the store is damaged or cannot be written.
        BusyError: if another process holds the ticker for too long.
    """
    if wanted.kind in ("sample", "csv"):
        return _from_files(ticker, wanted, wanted.kind)
    if wanted.kind == "auto":
        return _from_any(ticker, wanted)
    return _from_live(ticker, wanted, wanted.kind)


def _from_any(ticker: str, wanted: Wanted) -> Served:
    """Yahoo; where it cannot be reached its stored bars, else the sample, and say so."""
    try:
        return _from_live(ticker, wanted, "yahoo")
    except SourceUnavailable as error:
        reason = error.message.removeprefix(f"{ticker}: ")
        stored, _ = readable(wanted.store, ticker, "yahoo")
        if stored is not None:
            notice = (
                f"{ticker}: Yahoo cannot be reached, so the stored bars to "
                f"{stored.manifest.last} are used. {reason}"
            )
            served = judged_now(stored, decode(stored.content), wanted.rules)
            return replace(served, notice=notice)
        if ticker in sample.TICKERS:
            served = _from_files(ticker, wanted, "sample")
            notice = (
                f"{ticker}: Yahoo cannot be reached, so the committed SAMPLE is used: "
                f"{served.manifest.first} to {served.manifest.last}, not today's prices. "
                f"{reason}"
            )
            return replace(served, notice=notice)
        raise SourceUnavailable(
            error.message,
            hint=f"again later, --source csv:DIR with DIR/{ticker}.csv, "
            f"or --source sample with one of {', '.join(sample.TICKERS)}",
        ) from error


def _from_live(ticker: str, wanted: Wanted, source: str) -> Served:
    """A source that is asked for what is missing: Yahoo, or another of `SOURCES`."""
    if source == "yahoo":
        bring = partial(_ask_yahoo, ticker, wanted.store)
    else:
        bring = partial(SOURCES[source], ticker)
    return update(
        wanted.store,
        ticker,
        bring,
        source=source,
        rules=wanted.rules,
        start=wanted.start,
        end=wanted.end,
        refresh=wanted.refresh,
    )


def _ask_yahoo(ticker: str, store: Store, first: date | None) -> History | None:
    return yahoo.fetch(ticker, first, cache=_cache_folder(store), stop=store.stop)


def _cache_folder(store: Store) -> Path:
    if store.locks is not None:
        return store.locks.parent / "yfinance"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "forecast" / "yfinance"


def _from_files(ticker: str, wanted: Wanted, kind: str) -> Served:
    return read(
        wanted.store,
        ticker,
        wanted.folder if kind == "csv" else None,
        rules=wanted.rules,
        refresh=wanted.refresh,
    )
