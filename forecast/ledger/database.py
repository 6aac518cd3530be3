"""The ledger's two files: an SQLite database, and the hash of its last entry beside it.

    data/ledger.sqlite   the entries (WAL; triggers refuse changes; user_version is the format)
    data/ledger.head     how many there are, and the last one's hash

The head is written after each commit. A crash in between leaves it behind the database, never
ahead of it: a database that does not hold the entry that the head names has lost its end.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from forecast.errors import ArtifactError, BusyError, ForecastError
from forecast.files import unwritable, write_json
from forecast.ledger.entries import GENESIS

LEDGER, HEAD = "ledger.sqlite", "ledger.head"
FORMAT = 1
"""Raised when an older program could no longer read the ledger."""
WAIT = 30.0
"""Seconds to wait for another writer."""

_REFUSED = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
# All columns but the first three are read out of the body, so that they cannot differ from it.
SCHEMA = {
    "entries": (
        "CREATE TABLE entries (\n"
        "  number INTEGER PRIMARY KEY,\n"
        "  body TEXT NOT NULL,\n"
        "  hash TEXT NOT NULL,\n"
        "  kind TEXT NOT NULL AS (json_extract(body, '$.kind')),\n"
        "  ticker TEXT NOT NULL AS (json_extract(body, '$.ticker')),\n"
        "  origin TEXT NOT NULL AS (json_extract(body, '$.origin')),\n"
        "  step INTEGER AS (json_extract(body, '$.step')),\n"
        "  issue INTEGER AS (json_extract(body, '$.issue')) REFERENCES entries (number)\n"
        ")"
    ),
    "issued_once": (
        "CREATE UNIQUE INDEX issued_once ON entries (ticker, origin) WHERE kind = 'issue'"
    ),
    "settled_once": (
        "CREATE UNIQUE INDEX settled_once ON entries (issue, step) "
        "WHERE kind IN ('settlement', 'void')"
    ),
    "of_ticker": "CREATE INDEX of_ticker ON entries (ticker)",
    "no_update": f"CREATE TRIGGER no_update BEFORE UPDATE ON entries {_REFUSED}",
    "no_delete": f"CREATE TRIGGER no_delete BEFORE DELETE ON entries {_REFUSED}",
    # Also against INSERT OR REPLACE, which deletes without asking the trigger above.
    "only_at_the_end": (
        "CREATE TRIGGER only_at_the_end BEFORE INSERT ON entries\n"
        "WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM entries) "
        f"{_REFUSED}"
    ),
}


@dataclass(frozen=True)
class Head:
    """Where the chain ends.

    Attributes:
        entries: How many entries there are.
        hash: The last one's hash; `GENESIS` where there is none.
    """

    entries: int
    hash: str


def ledger_path(home: Path) -> Path:
    """The database of a home folder."""
    return home / "data" / LEDGER


def connect(path: Path, *, read_only: bool, wait: float = WAIT) -> sqlite3.Connection:
    """A connection in autocommit mode; nothing is read or created yet."""
    mode = "ro" if read_only else "rwc"
    if read_only and _stands_still(path):
        mode = "ro&immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=wait, isolation_level=None
    )
    if not read_only:
        with _closed_by_a_fault(connection):
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def _closed_by_a_fault(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _stands_still(path: Path) -> bool:
    """Whether SQLite could not make the files that reading a WAL database takes, nor needs them."""
    return not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()


def reading(path: Path, wait: float = WAIT) -> sqlite3.Connection:
    """A connection that cannot write; to an empty database where there is none yet.

    Raises:
        ArtifactError: if the file is damaged, another program's, or cannot be opened.
        BusyError: if another process does not let it be read.
    """
    with answering(path):
        if path.exists():
            connection = connect(path, read_only=True, wait=wait)
            with _closed_by_a_fault(connection):
                if format_of(connection, path) == FORMAT:
                    return connection
            connection.close()
        empty = sqlite3.connect(":memory:", isolation_level=None)
        for statement in SCHEMA.values():
            empty.execute(statement)
        return empty


def writing(path: Path, wait: float = WAIT) -> sqlite3.Connection:
    """A connection to the database, which is made where there is none.

    Raises:
        ArtifactError: if the file is damaged, lost, another program's, or cannot be written.
        BusyError: if another process keeps on writing.
    """
    head = read_head(path)
    if head is not None and head.entries and not path.exists():
        raise damaged(path, f"the file is missing; it had {head.entries} entries")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    with answering(path):
        connection = connect(path, read_only=False, wait=wait)
        with _closed_by_a_fault(connection):
            _set_up(connection, path)
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    """Make a new database the ledger's; one that is the ledger's already stays as it is.

    Raises:
        ArtifactError: if it is another program's database, or a newer version's.
    """
    if format_of(connection, path) == FORMAT:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        if format_of(connection, path) == 0:
            for statement in SCHEMA.values():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            # Before the commit: from then on a missing head means that somebody removed it.
            if read_head(path) is None:
                write_head(path, Head(0, GENESIS))


def format_of(connection: sqlite3.Connection, path: Path) -> int:
    """The database's format; 0 for an empty one.

    Raises:
        ArtifactError: if it is another program's database, or a newer version's.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version == FORMAT or (version == 0 and objects == 0):
        return int(version)
    raise ArtifactError(
        f"{path} must be a ledger of format {FORMAT}. Received format {version} with {objects} "
        "tables and indexes.",
        hint="a newer version of this program" if version > FORMAT else f"move {path} aside",
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, after other writers are done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some failures of the disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def tip(connection: sqlite3.Connection) -> Head:
    """The last entry of the database."""
    query = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1"
    row = connection.execute(query).fetchone()
    return Head(*row) if row else Head(0, GENESIS)


def read_head(path: Path) -> Head | None:
    """The head beside the database at `path`, or None where there is no such file.

    Raises:
        ArtifactError: if it cannot be read.
    """
    file = path.with_name(HEAD)
    try:
        document = json.loads(file.read_bytes())
        return Head(int(document["entries"]), str(document["hash"]))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ArtifactError(
            f"{file} must be readable. Opening it failed: {error.strerror}.", hint=_PERMISSIONS
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{file} must name the number of entries and the last one's hash. Reading it failed: "
            f"{error}.",
            hint=_RESTORE,
        ) from error


def write_head(path: Path, head: Head) -> None:
    """Write the head beside the database at `path`, whole or not at all.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    write_json(path.with_name(HEAD), asdict(head))


def disagreement(connection: sqlite3.Connection, path: Path, head: Head | None) -> str | None:
    """Why the database cannot be the one that the head was written for, or None.

    Args:
        connection: To the database; its view must be younger than the head.
        path: Its file.
        head: As read, None where there was no file.
    """
    if head is None:
        # Also when a crash fell into the making of the ledger.
        if tip(connection).entries == 0:
            return None
        return f"{path.with_name(HEAD)} is missing, so that a cut-off end would not be seen"
    if head == Head(0, GENESIS):
        return None
    row = connection.execute(
        "SELECT hash FROM entries WHERE number = ?", (head.entries,)
    ).fetchone()
    if row is None:
        return (
            f"the end is cut off: {path.name} holds {tip(connection).entries} entries, "
            f"{HEAD} was written after entry {head.entries}"
        )
    if row[0] != head.hash:
        return (
            f"entry {head.entries} is not the one that {HEAD} was written after (hash "
            f"{row[0][:12]}… instead of {head.hash[:12]}…)"
        )
    return None


_RESTORE = (
    f"restore {LEDGER} and {HEAD} from one backup; or forecast ledger --export FILE.csv for what "
    "can be read, then move both aside to begin a new record"
)
_PERMISSIONS = "check the folder's permissions, or choose another folder with --home DIR"
_UNOPENED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def damaged(path: Path, what: str) -> ArtifactError:
    """The one error for a ledger that is not whole."""
    return ArtifactError(f"{path} must be whole. {what[0].upper()}{what[1:]}.", hint=_RESTORE)


@contextmanager
def answering(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into this program's.

    Raises:
        BusyError: if another process kept on writing for too long.
        ArtifactError: if the file is damaged, or cannot be opened or written.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(path, error) from error


def unopened(error: ForecastError) -> bool:
    """Whether a file could not be opened, so that nothing is known of what it holds."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return _code(cause) in _UNOPENED
    return isinstance(cause, PermissionError)


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _explain(path: Path, error: sqlite3.Error) -> ForecastError:
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BusyError(
            f"{path}: another process must finish writing first. It did not in time.",
            hint="the same again, once it has ended",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return ArtifactError(
            f"{path} must be writable to its end. SQLite says: {error}.",
            hint="free some disk space; what was recorded before is intact",
        )
    if code in _UNOPENED:
        return ArtifactError(
            f"{path} must be a file that can be opened and written. SQLite says: {error}.",
            hint=_PERMISSIONS,
        )
    return damaged(path, f"SQLite says: {error}")
