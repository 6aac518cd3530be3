"""The ledger itself: forecasts go in before their outcome, outcomes follow, nothing changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.ledger import database
from forecast.ledger.content import read_entries
from forecast.ledger.database import Head, answering, damaged, transaction
from forecast.ledger.entries import Issue, canonical, issue_document, link
from forecast.ledger.frame import record_frame
from forecast.ledger.settling import Closes, Known, Settlement, new_entries
from forecast.ledger.verifying import examine_open


class Ledger:
    """An open ledger; made by `open_ledger`. One thread at a time.

    Every method may raise `BusyError` (another process writes for too long) and `ArtifactError`
    (damaged, or the disk is full). What a method records is then recorded whole or not at all.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def issue(self, issue: Issue, *, known_until: date) -> bool:
        """Record a forecast, in one transaction.

        Args:
            issue: The forecast.
            known_until: The last completed session: every session forecast must come after it.

        Returns:
            Whether it was recorded; False, and nothing is written, where this ticker's forecast
            from this origin was issued before.

        Raises:
            ValueError: if a number is not finite, or steps, sessions or quantiles are not in order.
            ArtifactError: if a session forecast has already closed.
        """
        document = issue_document(issue, known_until=known_until)
        with self._recording():
            query = "SELECT 1 FROM entries WHERE kind = 'issue' AND ticker = ? AND origin = ?"
            key = (document["ticker"], document["origin"])
            if self._connection.execute(query, key).fetchone():
                return False
            self._append([document])
        self._write_head()
        return True

    def settle(
        self, ticker: str, bars: pd.DataFrame | None, *, snapshot: str | None, now: datetime
    ) -> Settlement:
        """Record the outcomes that bars tell of a ticker's forecasts, in one transaction.

        The outcome of a step is `log(close[session] / close[origin])`, both from these bars. A step
        whose session has no bar though a later one has, or whose ticker has had no bar for 30 days,
        is void. An outcome that differs from the newest recorded one by more than 1e-6, or that
        comes after all for a void step, is a correction; the first settlement stays.

        Args:
            ticker: Such as `AAPL`.
            bars: Bars of one snapshot, of completed sessions only; None where the ticker could not
                be fetched (delisted?): then only what has waited for 30 days becomes void.
            snapshot: Its name, or None.
            now: tz-aware.

        Raises:
            ValueError: if the bars are empty, not in order or of days after `now`, or `now` has no
                time zone.
        """
        closes = Closes.of(bars)
        with self._recording():
            issues, known = self._state(ticker)
            news = list(new_entries(issues, known, closes, snapshot=snapshot, now=now))
            entries = [entry for entry in news if entry is not None]
            self._append(entries)
        if entries:
            self._write_head()
        kinds = [entry["kind"] for entry in entries]
        return Settlement(
            settled=kinds.count("settlement"),
            corrected=kinds.count("correction"),
            pending=len(news) - len(entries),
            void=kinds.count("void"),
        )

    def origins(self, ticker: str) -> list[date]:
        """The origins from which the ticker's forecasts were issued, the earliest first."""
        query = "SELECT origin FROM entries WHERE kind = 'issue' AND ticker = ? ORDER BY origin"
        return [date.fromisoformat(origin) for (origin,) in self._rows(query, (ticker,))]

    def issuer(self, ticker: str, origin: str) -> str | None:
        """The run that issued the ticker's forecast from an origin (ISO date), or None."""
        query = (
            "SELECT json_extract(body, '$.run') FROM entries "
            "WHERE kind = 'issue' AND ticker = ? AND origin = ?"
        )
        return next((run for (run,) in self._rows(query, (ticker, origin))), None)

    def told(self, ticker: str, *, since: str) -> list[tuple[str, str]]:
        """Kind and moment in UTC of what was recorded of outcomes since a date (ISO, UTC)."""
        moment = "json_extract(body, '$.settled_at')"
        query = (
            f"SELECT kind, {moment} FROM entries "
            f"WHERE kind <> 'issue' AND ticker = ? AND {moment} >= ? ORDER BY number"
        )
        return self._rows(query, (ticker, since))

    def runs(self) -> dict[str, set[str]]:
        """For each ticker the runs that issued its forecasts: never to be removed."""
        query = (
            "SELECT DISTINCT ticker, json_extract(body, '$.run') FROM entries WHERE kind = 'issue'"
        )
        named: dict[str, set[str]] = {}
        for ticker, run in self._rows(query, ()):
            named.setdefault(ticker, set()).add(run)
        return named

    def track_record(self, ticker: str | None = None) -> pd.DataFrame:
        """Every issued step beside its outcome, as `record_frame` describes it."""
        query = "SELECT number, body FROM entries {} ORDER BY number"
        if ticker is None:
            rows = self._rows(query.format(""), ())
        else:
            rows = self._rows(query.format("WHERE ticker = ?"), (ticker,))
        return record_frame(self._read(rows))

    def head(self) -> Head:
        """Where the chain ends: written down elsewhere, it proves all entries up to it."""
        with answering(self._path):
            return database.tip(self._connection)

    def verify(self) -> list[str]:
        """What is wrong with the record, in plain words; empty if it is as it was written."""
        return examine_open(self._connection, self._path).problems

    def _state(
        self, ticker: str
    ) -> tuple[list[tuple[int, Mapping[str, Any]]], dict[tuple[int, int], Known]]:
        """A ticker's issues, and by issue and step the newest outcome recorded."""
        query = "SELECT number, body FROM entries WHERE ticker = ? ORDER BY number"
        issues: list[tuple[int, Mapping[str, Any]]] = []
        known: dict[tuple[int, int], Known] = {}
        for number, entry in self._read(self._connection.execute(query, (ticker,))):
            if entry["kind"] == "issue":
                issues.append((number, entry))
            else:
                known[entry["issue"], entry["step"]] = Known(entry.get("outcome"))
        return issues, known

    def _append(self, documents: Iterable[Mapping[str, Any]]) -> None:
        last = database.tip(self._connection)
        for document in documents:
            body, number = canonical(dict(document)), last.entries + 1
            last = Head(number, link(last.hash, number, body))
            self._connection.execute(
                "INSERT INTO entries (number, body, hash) VALUES (?, ?, ?)",
                (number, body, last.hash),
            )

    def _write_head(self) -> None:
        database.write_head(self._path, self.head())

    def _rows(self, query: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with answering(self._path):
            return self._connection.execute(query, parameters).fetchall()

    @contextmanager
    def _recording(self) -> Iterator[None]:
        with answering(self._path), transaction(self._connection):
            yield

    def _read(self, rows: Iterable[tuple[int, str]]) -> list[tuple[int, dict[str, Any]]]:
        entries, problems = read_entries(rows)
        if problems:
            raise damaged(self._path, problems[0])
        return entries


@contextmanager
def open_ledger(
    home: Path, *, read_only: bool = False, wait: float = database.WAIT
) -> Iterator[Ledger]:
    """The ledger of a home folder, after a check that it is whole; made where there is none.

    Args:
        home: Folder whose `data/` holds it.
        read_only: Nothing is created or written; where there is none, it is empty.
        wait: How long to wait for another process's transaction [s].

    Raises:
        ArtifactError: if it is damaged, its end is cut off, it is of a newer version, or it cannot
            be opened or written.
        BusyError: if another process keeps on writing.
    """
    path = database.ledger_path(home)
    begin = database.reading if read_only else database.writing
    with closing(begin(path, wait)) as connection:
        with answering(path):
            _require_whole(connection, path)
        yield Ledger(connection, path)


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, f"SQLite's check says: {' '.join(found.split())}")
    # Read in this order, what another process records meanwhile cannot look like a loss.
    head = database.read_head(path)
    if problem := database.disagreement(connection, path, head):
        raise damaged(path, problem)
