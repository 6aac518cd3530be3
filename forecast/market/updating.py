"""Bringing a live source's newest bars into the store: only what is missing, plus an overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import pandas as pd

from forecast.errors import ArtifactError, MalformedData, SourceError
from forecast.market.bars import QUOTE_COLUMNS, History
from forecast.market.findings import Finding
from forecast.market.judging import judged_answer, judged_as_one, judged_now
from forecast.market.overlap import OVERLAP, Comparison, compare, confined, join, union
from forecast.market.rules import Rules, says_as_much
from forecast.market.serving import Served, readable, telling
from forecast.market.sessions import last_completed
from forecast.market.snapshots import Manifest, Marks, Newest, decode
from forecast.market.store import Store

# A correction older than the overlap is seen when the whole history is next fetched.
WHOLE_EVERY = pd.Timedelta(days=30)

Bring = Callable[[date | None], History | None]


def covers(newest: Newest, start: date | None) -> bool:
    """Whether the stored history was asked for from `start` on, or from earlier."""
    if newest.marks is None:
        return False
    asked = newest.marks.asked_from
    return asked is None or (start is not None and asked <= start.isoformat())


def is_current(newest: Newest, rules: Rules, start: date | None, end: date | None) -> bool:
    """Whether nothing that is wanted can be missing: no session was completed since."""
    manifest = newest.manifest
    wanted = last_completed(rules.exchange or manifest.exchange, rules.now)
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

    Nothing is asked for when no session was completed since the newest stored bar; what is
    stored is then judged anew if the rules are others than before. Otherwise the
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
        refresh: Fetch the whole history in any case, from `start` on, and take it even where it
            does not go on from what is stored.

    Raises:
        SourceError: from `bring`, or because the answer is refused; the store is as it was. What
            of it is damaged is told, too.
        ArtifactError: if the store cannot be written.
        BusyError: if another process holds the ticker for too long.
    """
    unless_new = partial(_unless_new, store, ticker, source, rules, start=start, end=end)
    served = None if refresh else unless_new()
    if served is not None:
        return served
    with store.lock(ticker):
        # Another process may have fetched it while this one waited.
        served = None if refresh else unless_new()
        if served is not None:
            return served
        known = _look_up(store, ticker, source, start=start, now=rules.now, refresh=refresh)
        try:
            return _update(known, bring, store=store, rules=rules, ticker=ticker, refresh=refresh)
        except SourceError as error:
            if known.damage is None:
                raise
            told = f"{error.message} {known.damage}"
            raise type(error)(told, hint=error.hint) from error


def _unless_new(
    store: Store,
    ticker: str,
    source: str,
    rules: Rules,
    *,
    start: date | None,
    end: date | None,
) -> Served | None:
    newest = store.newest(ticker, source)
    if newest is None or not is_current(newest, rules, start, end):
        return None
    try:
        served = Served(newest.manifest, store.payload(newest.manifest))
    except ArtifactError:
        return None
    if newest.marks is not None and newest.marks.fingerprint == rules.fingerprint:
        return served
    return judged_now(served, decode(served.content), rules)


@dataclass(frozen=True)
class _Known:
    """What the store knows of a ticker, under its lock.

    Attributes:
        served: The newest snapshot that is whole, or None.
        quotes: Its quotes.
        damage: The message about a newer one that is not whole, or None.
        parent: The newest manifest, of a damaged snapshot too.
        marks: The pointer's; None where there is none or it was damaged.
        asked: First session that the next snapshot stands for; None for all there is.
        partly: Fetching the overlap and what is missing can be enough.
    """

    served: Served | None
    quotes: pd.DataFrame
    damage: str | None
    parent: Manifest | None
    marks: Marks | None
    asked: date | None
    partly: bool


def _look_up(
    store: Store,
    ticker: str,
    source: str,
    *,
    start: date | None,
    now: pd.Timestamp,
    refresh: bool,
) -> _Known:
    newest = store.newest(ticker, source)
    served, damage = readable(store, ticker, source)
    marks = newest.marks if newest else None
    asked, partly = start, False
    if newest is not None and marks is not None and covers(newest, start) and not refresh:
        asked = date.fromisoformat(marks.asked_from) if marks.asked_from else None
        due = now - pd.Timestamp(marks.whole_at) >= WHOLE_EVERY
        partly = served is not None and damage is None and not due
    return _Known(
        served,
        decode(served.content) if served else pd.DataFrame(columns=QUOTE_COLUMNS),
        damage,
        newest.manifest if newest else None,
        marks,
        asked,
        partly,
    )


def _ask(
    bring: Bring, first: date | None, rules: Rules, *, exchange: str | None = None
) -> tuple[History, list[Finding]] | None:
    """What the source answers, checked; `exchange` stands in for one that is not known."""
    history = bring(first)
    if history is None or history.quotes.empty:
        return None
    return judged_answer(history, rules, exchange=exchange)


def _update(
    known: _Known, bring: Bring, *, store: Store, rules: Rules, ticker: str, refresh: bool
) -> Served:
    seen = None
    if known.partly:
        outcome = _update_partly(known, bring, store=store, rules=rules)
        if isinstance(outcome, Served):
            return outcome
        seen = outcome
    return _update_whole(
        known, bring, seen, store=store, rules=rules, ticker=ticker, refresh=refresh
    )


def _update_partly(
    known: _Known, bring: Bring, *, store: Store, rules: Rules
) -> Served | Comparison:
    """The stored history with the answer joined; or why that would not be the whole truth."""
    assert known.served is not None
    first = known.quotes.index[-OVERLAP:][0].date()
    # A few sessions are too few to infer an exchange from.
    answer = _ask(bring, first, rules, exchange=known.served.manifest.exchange)
    if answer is None:
        return judged_now(known.served, known.quotes, rules)
    history, findings = answer
    change = compare(known.quotes, history.quotes, since=first)
    if not confined(known.quotes, history.quotes, change):
        return change
    quotes = join(known.quotes, history.quotes)
    history, findings = judged_as_one(known.served, history, findings, quotes, rules)
    findings += change.findings("the new values are kept, the old snapshot too")
    return _keep(known, history, findings, change.change, store=store, rules=rules, whole=False)


def _update_whole(
    known: _Known,
    bring: Bring,
    seen: Comparison | None,
    *,
    store: Store,
    rules: Rules,
    ticker: str,
    refresh: bool,
) -> Served:
    """The whole history, fetched again; with what it left out, where that still agrees."""
    answer = _ask(bring, known.asked, rules)
    if answer is None:
        if known.served is not None:
            return replace(judged_now(known.served, known.quotes, rules), notice=known.damage)
        raise MalformedData(
            f"{ticker}: there must be bars from {known.asked} on. The source has none.",
            hint="an earlier start",
        )
    keep = partial(_keep, known, store=store, rules=rules, whole=True)
    history, findings = answer
    if known.served is None:
        return keep(history, findings, None)
    change = compare(known.quotes, history.quotes, since=known.asked)
    did = "the whole history was fetched again, the old snapshot is kept"
    if change.change == "truncation":
        common = len(history.quotes.index.intersection(known.quotes.index))
        # A ticker may have passed to another company, whose bars continue no stored ones; a
        # refresh takes these, and must not take a hiccup of the source for them.
        enough = 1 if refresh else OVERLAP // 2
        if not len(change.changed) and common >= enough:
            quotes = union(known.quotes, history.quotes)
            history, findings = judged_as_one(known.served, history, findings, quotes, rules)
            did = "they are kept as they were stored"
        elif not refresh:
            absent = len(change.absent)
            what = (
                f"left out {absent} stored session{'s'[: absent != 1]} and changed others"
                if len(change.changed)
                else f"sent {common} of {common + absent} stored sessions, too few to go on from"
            )
            notice = (
                f"{ticker}: the source {what}; the stored bars to {known.served.manifest.last} "
                f"are used. To take its answer all the same: forecast fetch {ticker} --refresh"
            )
            if known.damage:
                notice = f"{known.damage} {notice}"
            served = judged_now(known.served, known.quotes, rules)
            return replace(served, change=change.change, notice=notice)
    # The overlap may have shown an event that the whole history no longer differs by.
    shown = change if change.change or seen is None else seen
    return keep(history, [*findings, *shown.findings(did)], shown.change)


def _keep(
    known: _Known,
    history: History,
    findings: list[Finding],
    change: str | None,
    *,
    store: Store,
    rules: Rules,
    whole: bool,
) -> Served:
    now = rules.now.tz_convert("UTC").isoformat(timespec="seconds")
    marks = Marks(
        asked_from=known.asked.isoformat() if known.asked else None,
        whole_at=now if whole or known.marks is None else known.marks.whole_at,
        fingerprint=rules.fingerprint,
    )
    by_these_rules = known.marks is not None and known.marks.fingerprint == rules.fingerprint
    if (
        known.served is not None
        and known.damage is None
        and known.served.manifest.exchange == history.exchange
        and history.quotes.equals(known.quotes)
        and (by_these_rules or says_as_much(known.served.manifest, findings))
    ):
        if marks != known.marks:
            store.point(known.served.manifest, marks)
        # What was odd about this answer is told, though it left the stored quotes as they were.
        return replace(telling(known.served, findings), change=change)
    manifest, content = store.add(
        history,
        findings=[finding.as_document() for finding in findings],
        change=change,
        parent=known.parent,
        now=rules.now,
        marks=marks,
    )
    notice = f"{known.damage} It was fetched again." if known.damage else None
    return Served(manifest, content, "updated", change, notice)
