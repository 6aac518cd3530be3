"""Is the record as it was written: hashes, numbers, what entries say, triggers, pages, the end.

What is damaged is named, and all else is still read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from forecast.errors import ArtifactError
from forecast.ledger import database
from forecast.ledger.content import named, read_entries
from forecast.ledger.database import SCHEMA, Head
from forecast.ledger.entries import GENESIS, link
from forecast.ledger.frame import record_frame

_MOST = 20


@dataclass(frozen=True)
class Examination:
    """A ledger that was read through and checked.

    Attributes:
        record: Its track record (see `record_frame`), from every entry that is as it was written
            and says what it must.
        head: The last entry that could be read.
        problems: What is wrong with it, in plain words, the most important first; empty if it is
            sound.
    """

    record: pd.DataFrame
    head: Head
    problems: list[str]


@dataclass(frozen=True)
class _Row:
    """An entry as it lies in the database; `body` is None where it cannot be read."""

    number: int
    body: str | None
    hash: str | None


def examine(home: Path) -> Examination:
    """Read the ledger of a home folder through, whatever state it is in; nothing is written.

    Where there is none the record is empty and nothing is wrong.

    Raises:
        ArtifactError: if it cannot be opened, so that nothing can be said about it.
        BusyError: if another process does not let it be read.
    """
    path = database.ledger_path(home)
    try:
        connection = database.reading(path)
    except ArtifactError as error:
        if database.unopened(error):
            raise
        return Examination(record_frame([]), Head(0, GENESIS), [error.message])
    with closing(connection):
        return examine_open(connection, path)


def examine_open(connection: sqlite3.Connection, path: Path) -> Examination:
    """As `examine`, through a connection that is open and in no transaction."""
    problems: list[str] = []
    beside: Head | None = None
    try:
        # Before the transaction begins: a head written later would look like a cut-off end.
        beside = database.read_head(path)
        # One view of the database for all that follows.
        connection.execute("BEGIN")
        if lost := database.disagreement(connection, path, beside):
            problems.append(lost)
    except ArtifactError as error:
        if database.unopened(error):
            raise
        problems.append(error.message)
    except sqlite3.Error as error:
        problems.append(f"{path} cannot be read: {error}")
    sound: list[tuple[int, str]] = []
    last = Head(0, GENESIS)
    for row, problem in _chain(_rows(connection, beside.entries if beside else 0)):
        if problem is not None:
            problems.append(problem)
        elif row.body is not None:
            sound.append((row.number, row.body))
        last = Head(row.number, row.hash or "")
    entries, unsaid = read_entries(sound)
    problems += [*unsaid, *_schema(connection), *_pages(connection)]
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    if len(problems) > _MOST:
        problems = [*problems[:_MOST], f"and {len(problems) - _MOST:,} more"]
    return Examination(record_frame(entries), last, problems)


def _rows(connection: sqlite3.Connection, at_least: int) -> Iterator[_Row]:
    """All entries in order; past a damaged page one by one, so that only its own are missed."""
    query, last = "SELECT number, body, hash FROM entries", 0
    try:
        for row in connection.execute(f"{query} ORDER BY number"):
            last = row[0]
            yield _Row(*row)
        return
    except sqlite3.Error:
        count = max(at_least, _highest(connection), last + 1)
    for number in range(last + 1, count + 1):
        try:
            found = connection.execute(f"{query} WHERE number = ?", (number,)).fetchone()
        except sqlite3.Error:
            found = (number, None, None)
        if found is not None:
            yield _Row(*found)


def _highest(connection: sqlite3.Connection) -> int:
    try:
        return database.tip(connection).entries
    except sqlite3.Error:
        return 0


def _chain(rows: Iterator[_Row]) -> Iterator[tuple[_Row, str | None]]:
    """Each entry, and what is wrong with it."""
    previous: str | None = GENESIS
    expected = 1
    for row in rows:
        problem = None
        if row.number != expected:
            gap = "entry" if row.number == expected + 1 else f"entries {expected} to"
            lost = f"{gap} {row.number - 1}: not there, entry {row.number} comes next"
            yield _Row(row.number - 1, None, None), lost
            previous = None
        if row.body is None or row.hash is None:
            problem = f"entry {row.number} cannot be read: its page in the file is damaged"
        elif previous is not None and link(previous, row.number, row.body) != row.hash:
            problem = (
                f"entry {row.number} ({named(row.body)}) is not as it was written, or does not "
                f"follow entry {row.number - 1}"
            )
        yield row, problem
        previous, expected = row.hash, row.number + 1


def _schema(connection: sqlite3.Connection) -> Iterator[str]:
    """Whether tables, indexes and triggers are the ledger's own."""
    try:
        found = dict(
            connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        )
    except sqlite3.Error as error:
        yield f"tables and triggers cannot be read: {error}"
        return
    for name in SCHEMA.keys() - found.keys():
        yield f"{name!r}, which keeps entries from being changed or doubled, was removed"
    for name, sql in found.items():
        if name not in SCHEMA:
            yield f"{name!r} does not belong to the ledger"
        elif sql != SCHEMA[name]:
            yield f"{name!r}, which keeps entries from being changed or doubled, was changed"


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite itself finds wrong with the file."""
    try:
        for (found,) in connection.execute(f"PRAGMA integrity_check({_MOST})").fetchall():
            if found != "ok":
                yield f"SQLite's integrity check: {' '.join(found.split())}"
        for table, number, *_ in connection.execute("PRAGMA foreign_key_check").fetchall():
            yield f"entry {number} of {table} settles an entry that is not there"
    except sqlite3.Error as error:
        yield f"SQLite's integrity check cannot be made: {error}"
