"""Bringing a live source's newest bars into the store: only what is missing, plus an overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from forecast.errors import ArtifactError, MalformedData
from forecast.market.bars import QUOTE_COLUMNS, History
from forecast.market.overlap import OVERLAP, Comparison, compare, confined, join, union
from forecast.market.quality import Finding, Thresholds, inspect, refuse
from forecast.market.sessions import WEEKDAYS, calendar_name, infer_calendar, last_completed
from forecast.market.store import Manifest, Marks, Newest, Store, decode

# A correction older than the overlap is seen when the whole history is next fetched.
WHOLE_EVERY = pd.Timedelta(days=30)

# Findings of one answer alone; they say nothing about the history that is kept.
_PASSING = {"partial", "future", "unsettled"}

Bring = Callable[[date | None], History | None]


@dataclass(frozen=True)
class Served:
    """A verified snapshot, and how it came to be the one served."""

    manifest: Manifest
    content: bytes
    status: str = "current"
    change: str | None = None
    notice: str | None = None


@dataclass(frozen=True)
class Rules:
    """What every answer is judged by.

    Attributes:
        now: The clock, tz-aware.
        exchange: Overrides the source's, or None.
        thresholds: Of the quality pass.
    """

    now: pd.Timestamp
    exchange: str | None
    thresholds: Thresholds

    def check(self, history: History, *, lenient: bool, hint: str) -> tuple[History, list[Finding]]:
        """The history fit for the store, its exchange settled, and the findings.

        Raises:
            MalformedData: if there is a `reject` among the findings.
        """
        exchange = settle_exchange(history, self.exchange)
        calendar = calendar_name(exchange) or WEEKDAYS
        quotes = history.quotes[QUOTE_COLUMNS].astype("float64")
        quotes.index = pd.DatetimeIndex(quotes.index, name="session").as_unit("us")
        quotes, findings = inspect(
            quotes, calendar=calendar, now=self.now, lenient=lenient, thresholds=self.thresholds
        )
        refuse(history.ticker, findings, hint=hint)
        return replace(history, quotes=quotes, exchange=exchange), findings


def settle_exchange(history: History, override: str | None) -> str:
    """The exchange whose sessions the history keeps: the override, the source's, or inferred."""
    for exchange in (override, history.exchange):
        if exchange is not None and calendar_name(exchange) is not None:
            return exchange
    sessions = pd.DatetimeIndex(history.quotes.index).unique().sort_values()
    return infer_calendar(sessions) if len(sessions) else WEEKDAYS


def readable(store: Store, ticker: str, source: str) -> tuple[Served | None, str | None]:
    """The newest snapshot that is whole, and the message about a newer one that is not."""
    newest = store.newest(ticker, source)
    if newest is None:
        return None, None
    damage = None
    for manifest in [newest.manifest, *store.history(ticker, source)]:
        try:
            return Served(manifest, store.payload(manifest)), damage
        except ArtifactError as error:
            damage = damage or error.message
    return None, damage


def covers(newest: Newest, start: date | None) -> bool:
    """Whether the stored history was asked for from `start` on, or from earlier."""
    if newest.marks is None:
        return False
    asked = newest.marks.asked_from
    return asked is None or (start is not None and asked <= start.isoformat())


def is_current(newest: Newest, start: date | None, end: date | None, now: pd.Timestamp) -> bool:
    """Whether nothing that is wanted can be missing: no session was completed since."""
    manifest = newest.manifest
    wanted = last_completed(manifest.exchange or WEEKDAYS, now)
    if end is not None:
        wanted = min(wanted, pd.Timestamp(end))
    return covers(newest, start) and pd.Timestamp(manifest.last) >= wanted


def update(
    store: Store,
    ticker: str,
    bring: Bring,
    *,
    source: str,
    rules: Rules,
    start: date | None = None,
    end: date | None = None,
    refresh: bool = False,
) -> Served:
    """The newest bars of one ticker, in the store.

    Nothing is asked for when no session was completed since the newest stored bar. Otherwise the
    last `OVERLAP` stored sessions are fetched again with the new ones and compared: where older
    history must have changed too (split, dividend, early correction, truncation), all of it is
    fetched again. The old snapshot stays.

    Args:
        store: Where to.
        ticker: Checked.
        bring: The source: from a first session on, or everything; None for nothing new.
        source: Its name.
        rules: How answers are judged.
        start: First session wanted.
        end: Last session wanted.
        refresh: Fetch the whole history in any case.

    Raises:
        SourceError: from `bring`, or because the answer is refused; the store is as it was.
        ArtifactError: if the store cannot be written.
        BusyError: if another process holds the ticker for too long.
    """
    served = None if refresh else _unless_new(store, ticker, source, rules, start, end)
    if served is not None:
        return served
    with store.lock(ticker):
        # Another process may have fetched it while this one waited.
        served = None if refresh else _unless_new(store, ticker, source, rules, start, end)
        if served is not None:
            return served
        return _Update(store, ticker, bring, source, rules, start, refresh=refresh).run()


def _unless_new(
    store: Store, ticker: str, source: str, rules: Rules, start: date | None, end: date | None
) -> Served | None:
    newest = store.newest(ticker, source)
    if newest is None or not is_current(newest, start, end, rules.now):
        return None
    try:
        return Served(newest.manifest, store.payload(newest.manifest))
    except ArtifactError:
        return None


class _Update:
    """One update under the lock: what is stored, what comes, what is kept."""

    def __init__(
        self,
        store: Store,
        ticker: str,
        bring: Bring,
        source: str,
        rules: Rules,
        start: date | None,
        *,
        refresh: bool,
    ) -> None:
        self.store, self.ticker, self.bring, self.rules = store, ticker, bring, rules
        self.refresh = refresh
        self.base, self.damage = readable(store, ticker, source)
        self.stored = decode(self.base.content) if self.base else None
        newest = store.newest(ticker, source)
        self.marks = newest.marks if newest else None
        self.parent = newest.manifest if newest else None
        known = newest is not None and covers(newest, start)
        self.asked = (
            self.marks.asked_from if known and self.marks else start.isoformat() if start else None
        )
        self.whole = refresh or self.damage is not None or not known or self._is_due()

    def _is_due(self) -> bool:
        return self.marks is None or (
            self.rules.now - pd.Timestamp(self.marks.whole_at) >= WHOLE_EVERY
        )

    def run(self) -> Served:
        change = None
        if self.base is not None and self.stored is not None and not self.whole:
            answer = self._ask(self.stored.index[-OVERLAP:][0].date())
            if answer is None:
                return self.base
            history, findings = answer
            change = compare(self.stored, history.quotes, whole=False)
            if confined(self.stored, history.quotes, change):
                return self._keep_joined(history, findings, change)
        return self._fetch_whole(change)

    def _ask(self, first: date | None) -> tuple[History, list[Finding]] | None:
        history = self.bring(first)
        if history is None or history.quotes.empty:
            return None
        exchange = self.rules.exchange
        if exchange is None and calendar_name(history.exchange) is None and self.base is not None:
            # A few sessions are too few to infer it from.
            history = replace(history, exchange=self.base.manifest.exchange)
        return self.rules.check(history, lenient=True, hint="again later: the source may mend it")

    def _keep_joined(self, history: History, findings: list[Finding], change: Comparison) -> Served:
        assert self.base is not None and self.stored is not None
        first = f"{history.quotes.index[0]:%Y-%m-%d}"
        joined = replace(history, quotes=join(self.stored, history.quotes))
        joined, odd = self.rules.check(joined, lenient=True, hint="--refresh")
        earlier = [
            finding
            for finding in self.base.manifest.findings
            if finding["severity"] == "repair"
            and finding["kind"] not in _PASSING
            and finding["sessions"][0] < first
        ]
        mended = [finding for finding in findings if finding.severity == "repair"]
        said = change.finding("the new values are kept, the old snapshot too")
        return self._keep(joined, [*mended, *said, *odd], earlier, change.change, whole=False)

    def _fetch_whole(self, seen: Comparison | None) -> Served:
        answer = self._ask(date.fromisoformat(self.asked) if self.asked else None)
        if answer is None:
            if self.base is not None:
                return replace(self.base, notice=self.damage)
            raise MalformedData(
                f"{self.ticker}: there must be bars from {self.asked} on. The source has none.",
                hint="an earlier --start",
            )
        history, findings = answer
        if self.base is None or self.stored is None:
            return self._keep(history, findings, [], None, whole=True)
        change = compare(self.stored, history.quotes, whole=True)
        did = "the whole history was fetched again, the old snapshot is kept"
        if change.change == "truncation":
            if not len(change.changed):
                history = replace(history, quotes=union(self.stored, history.quotes))
                did = "they are kept as they were stored"
            elif not self.refresh:
                notice = (
                    f"{self.ticker}: the source left out {len(change.absent)} stored sessions and "
                    f"changed others; the stored bars to {self.base.manifest.last} are used. "
                    f"To take its answer all the same: forecast fetch {self.ticker} --refresh"
                )
                return replace(self.base, change=change.change, notice=notice)
        # The overlap alone may have shown an event that the whole history explains no further.
        shown = change if change.change or seen is None else seen
        return self._keep(history, [*findings, *shown.finding(did)], [], shown.change, whole=True)

    def _keep(
        self,
        history: History,
        findings: list[Finding],
        earlier: list[dict[str, Any]],
        change: str | None,
        *,
        whole: bool,
    ) -> Served:
        now = self.rules.now.tz_convert("UTC").isoformat(timespec="seconds")
        marks = Marks(
            asked_from=self.asked,
            whole_at=now if whole or self.marks is None else self.marks.whole_at,
            fingerprint=None,
        )
        if (
            self.base is not None
            and self.stored is not None
            and self.damage is None
            and history.quotes.equals(self.stored)
        ):
            if marks != self.marks:
                self.store.point(self.base.manifest, marks)
            return replace(self.base, change=change)
        manifest, content = self.store.add(
            history,
            findings=[*earlier, *(finding.as_document() for finding in findings)],
            change=change,
            parent=self.parent,
            now=self.rules.now,
            marks=marks,
        )
        notice = f"{self.damage} It was fetched again." if self.damage else None
        return Served(manifest, content, "updated", change, notice)
