"""A ticker's bars, or those of many: brought into the store and served from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import pandas as pd

from forecast.errors import ForecastError, NotEnoughBars, as_known
from forecast.market.asking import Wanted, ask
from forecast.market.bars import History, check_bars, check_ticker, derive_bars
from forecast.market.findings import Finding, Thresholds
from forecast.market.serving import Served
from forecast.market.sessions import last_completed
from forecast.market.snapshots import Manifest, decode, decode_sessions
from forecast.market.workers import each


@dataclass(frozen=True)
class Fetched:
    """One ticker's bars, served from a verified snapshot.

    Attributes:
        ticker: Checked ticker.
        status: `updated` if a snapshot was added to the store, else `current`.
        manifest: Of the snapshot served.
        change: What the overlap with the stored history showed: `split`, `dividend`,
            `correction`, `rounding`, `truncation`, or None.
        notice: Something the user must be told, or None.
        content: The snapshot's Parquet file.
        start: First session wanted, or None.
        end: Last session wanted, or None.
    """

    ticker: str
    status: str
    manifest: Manifest
    change: str | None
    notice: str | None
    content: bytes
    start: date | None = None
    end: date | None = None

    def __repr__(self) -> str:
        return f"Fetched({self.ticker!r}, {self.status!r}, snapshot={self.snapshot!r})"

    @property
    def source(self) -> str:
        """Where the bars came from: `yahoo`, `sample` or `csv`."""
        return self.manifest.source

    @property
    def snapshot(self) -> str:
        """The id that `as_of` takes."""
        return self.manifest.snapshot

    @property
    def findings(self) -> list[Finding]:
        """Everything odd about the snapshot."""
        return [Finding(**finding) for finding in self.manifest.findings]

    @cached_property
    def history(self) -> History:
        """The quotes from `start` to `end`; `exchange` is always a known one."""
        quotes = decode(self.content)
        # A slice without ends, too, makes pandas look for the frequency of the sessions.
        return self.manifest.history(quotes.loc[self._wanted] if self._is_part else quotes)

    @cached_property
    def bars(self) -> pd.DataFrame:
        """Bars from `start` to `end`, checked; completed sessions only."""
        return check_bars(derive_bars(self.history.quotes), ticker=self.ticker)

    @property
    def days(self) -> pd.DatetimeIndex:
        """Sessions from `start` to `end`, read anew: of many tickers nothing stays in memory."""
        days, wanted = decode_sessions(self.content), self._wanted
        return days[days.slice_indexer(wanted.start, wanted.stop)]

    @property
    def sessions(self) -> int:
        """How many sessions from `start` to `end`."""
        return len(self.history.quotes) if self._is_part else self.manifest.rows

    @property
    def first(self) -> str:
        """First session, ISO date."""
        return f"{self.history.quotes.index[0]:%Y-%m-%d}" if self._is_part else self.manifest.first

    @property
    def last(self) -> str:
        """Last session, ISO date."""
        return f"{self.history.quotes.index[-1]:%Y-%m-%d}" if self._is_part else self.manifest.last

    @property
    def _wanted(self) -> slice:
        return slice(
            *(None if day is None else pd.Timestamp(day) for day in (self.start, self.end))
        )

    @property
    def _is_part(self) -> bool:
        return self.start is not None or self.end is not None


@dataclass(frozen=True)
class Failed:
    """One ticker that could not be fetched, and why."""

    ticker: str
    error: ForecastError


def fetch_one(
    ticker: str,
    *,
    data: str | Path,
    source: str = "auto",
    start: date | None = None,
    end: date | None = None,
    refresh: bool = False,
    now: datetime | None = None,
    as_of: str | None = None,
    exchange: str | None = None,
    thresholds: Thresholds | None = None,
) -> Fetched:
    """The bars of one ticker, brought into the store if they are not there yet.

    Args:
        ticker: Such as `AAPL`.
        data: The data folder, or an fsspec address such as `s3://bucket/data`.
        source: `auto`, `yahoo`, `sample` or `csv:DIR`; see `docs/data.md`.
        start: First session wanted, or None for all.
        end: Last session wanted (inclusive), or None for all.
        refresh: Fetch the whole history again even if nothing new can exist.
        now: The clock; None for the real one. Sessions not completed by then are left out.
        as_of: Serve exactly this snapshot, and ask no source.
        exchange: Overrides the source's exchange; see `forecast.market.sessions`.
        thresholds: Of the quality pass.

    Raises:
        ConfigError: if `source` or `exchange` is not known.
        SourceError: if the bars cannot be brought; the store is as it was.
        NotEnoughBars: if there is no session from `start` to `end`.
        ArtifactError: if the store is damaged or cannot be written.
        BusyError: if another process holds the ticker for too long.
    """
    wanted = Wanted.of(
        data,
        source,
        start=start,
        end=end,
        refresh=refresh,
        now=now,
        exchange=exchange,
        thresholds=thresholds,
    )
    known = check_ticker(ticker)
    # In a thread, so that an interrupt need not wait for a silent source.
    return next(each([known], lambda one: _fetch(one, wanted, as_of), stop=wanted.store.stop))


def fetch_many(
    tickers: Iterable[str],
    *,
    data: str | Path,
    source: str = "auto",
    start: date | None = None,
    end: date | None = None,
    refresh: bool = False,
    now: datetime | None = None,
    as_of: Mapping[str, str] | None = None,
    exchange: str | None = None,
    thresholds: Thresholds | None = None,
    on_done: Callable[[Fetched | Failed], None] | None = None,
) -> list[Fetched | Failed]:
    """The bars of many tickers, several at once; one that fails never fails the others.

    Args:
        tickers: One repeated is fetched once.
        data: As in `fetch_one`, and so are the others.
        source: Same.
        start: Same.
        end: Same.
        refresh: Same.
        now: Same.
        as_of: Ticker → snapshot to serve.
        exchange: Same.
        thresholds: Same.
        on_done: Called in this thread as each ticker ends, in no particular order.

    Returns:
        One result a ticker, in the order given.

    Raises:
        ConfigError: if `source` or `exchange` is not known.
    """
    wanted = Wanted.of(
        data,
        source,
        start=start,
        end=end,
        refresh=refresh,
        now=now,
        exchange=exchange,
        thresholds=thresholds,
    )
    snapshots = as_of or {}
    names = distinct(tickers)
    results: dict[str, Fetched | Failed] = {}

    def attempt(ticker: str) -> Fetched | Failed:
        return _attempt(ticker, wanted, snapshots.get(ticker))

    for result in each(names, attempt, stop=wanted.store.stop):
        results[result.ticker] = result
        if on_done is not None:
            on_done(result)
    return [results[ticker] for ticker in names]


def distinct(tickers: Iterable[str]) -> list[str]:
    """The tickers as they are fetched: in upper case, each once."""
    return list(dict.fromkeys(ticker.strip().upper() for ticker in tickers))


def _attempt(ticker: str, wanted: Wanted, as_of: str | None) -> Fetched | Failed:
    try:
        return _fetch(check_ticker(ticker), wanted, as_of)
    except (ForecastError, OSError) as error:
        return Failed(ticker, as_known(error, ticker=ticker, hint=f"forecast fetch {ticker}"))


def _fetch(ticker: str, wanted: Wanted, as_of: str | None) -> Fetched:
    if as_of is not None:
        manifest = wanted.store.manifest(ticker, as_of)
        served = Served(manifest, wanted.store.payload(manifest))
    else:
        served = ask(ticker, wanted)
    manifest = served.manifest
    if wanted.rules.exchange is not None:
        manifest = replace(manifest, exchange=wanted.rules.exchange)
    fetched = Fetched(
        ticker,
        served.status,
        manifest,
        served.change,
        served.notice,
        served.content,
        wanted.start,
        _known_end(manifest, wanted),
    )
    if fetched.sessions == 0:
        raise NotEnoughBars(
            f"{ticker}: there must be sessions from {wanted.start or 'the first'} to "
            f"{wanted.end or 'the last'}. The bars go from {served.manifest.first} to "
            f"{served.manifest.last}.",
            hint="another start or end",
        )
    return fetched


def _known_end(manifest: Manifest, wanted: Wanted) -> date | None:
    """The last session to serve: a clock set back leaves out what the store learnt later."""
    now, last = wanted.rules.now, pd.Timestamp(manifest.last)
    # Every session is over two days after its date: spares the calendar of an old snapshot.
    if last < now.tz_convert("UTC").tz_localize(None).normalize() - pd.Timedelta(days=2):
        return wanted.end
    completed = last_completed(manifest.exchange, now)
    if last <= completed or (wanted.end is not None and pd.Timestamp(wanted.end) <= completed):
        return wanted.end
    return completed.date()
