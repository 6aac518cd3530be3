"""The store: every history ever fetched, as immutable Parquet snapshots that prove themselves.

    bars/AAPL/20261121T101500Z-3f2a91c0.parquet   quotes, one row a session
    bars/AAPL/20261121T101500Z-3f2a91c0.json      the manifest: where from, when, SHA-256, findings
    bars/AAPL/yahoo.json                          pointer: the newest snapshot of that source

A snapshot is never changed. Files are written under a temporary name and renamed, the data before
its manifest, the manifest before the pointer: whatever moment a writer dies at, a reader finds the
previous snapshot or the new one. Readers take no lock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.errors import ArtifactError, BusyError, ConfigError
from forecast.files import locked, unwritable, write_atomically
from forecast.market.bars import History
from forecast.market.sessions import WEEKDAYS
from forecast.market.snapshots import Manifest, Marks, Newest, encode, libraries

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_LOCK_WAIT = 300.0


@dataclass(frozen=True)
class Store:
    """Snapshots under one root, which may be any address that fsspec knows.

    Attributes:
        root: The folder `bars`, a path on this machine or inside `remote`.
        remote: The file system, or None for this machine's.
        locks: Folder of the lock files; None for a remote store, which has none: its snapshots
            have unique names and its pointers are replaced whole.
    """

    root: str
    remote: AbstractFileSystem | None
    locks: Path | None

    @classmethod
    def open(cls, data: str | Path) -> Store:
        """The store of a data folder; nothing is created.

        Args:
            data: A folder, or an address such as `s3://bucket/data` or `memory://data`.

        Raises:
            ConfigError: if no file system answers to the address.
        """
        address = str(data)
        if "://" not in address or address.startswith("file://"):
            folder = Path(address.removeprefix("file://"))
            return cls(str(folder / "bars"), None, folder / "cache" / "locks")
        from fsspec.core import url_to_fs

        try:
            remote, path = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"the data folder must be a path or an address that fsspec knows. "
                f"Received {address!r}: {error}.",
                hint="install the file system's package, such as s3fs, or use a path",
            ) from error
        return cls(f"{path.rstrip('/')}/bars", remote, None)

    @contextmanager
    def lock(self, ticker: str) -> Iterator[None]:
        """One writer a ticker on this machine; freed by the system if the process dies.

        Raises:
            BusyError: if another process holds it for five minutes.
            ArtifactError: if the lock file cannot be made (read-only folder, full disk).
        """
        if self.locks is None:
            yield
            return
        path = self.locks / f"{ticker}.lock"
        with locked(path, wait=_LOCK_WAIT) as held:
            if not held:
                raise BusyError(
                    f"{ticker}: another process must finish fetching it first. "
                    f"Waited {_LOCK_WAIT:.0f} s for {path}.",
                    hint=f"forecast fetch {ticker}, once it has ended",
                )
            yield

    def newest(self, ticker: str, source: str) -> Newest | None:
        """What the source's pointer names; None if no manifest of that source is whole.

        Falls back to the newest whole manifest when the pointer, or what it names, is damaged.
        """
        try:
            pointer = self._document(ticker, f"{source}.json")
            manifest = self.manifest(ticker, pointer["snapshot"])
            return Newest(manifest, Marks(**pointer["marks"]))
        except (ArtifactError, TypeError, KeyError):
            found = self.history(ticker, source)
            return Newest(found[0], None) if found else None

    def manifest(self, ticker: str, snapshot: str) -> Manifest:
        """The manifest of one snapshot.

        Raises:
            ArtifactError: if there is no such snapshot, or its manifest is damaged.
        """
        if "/" in snapshot or "\\" in snapshot or snapshot.startswith("."):
            raise self._absent(ticker, snapshot)
        try:
            return Manifest(**self._document(ticker, f"{snapshot}.json"))
        except TypeError as error:
            raise self._damaged(ticker, f"{snapshot}.json") from error

    def history(self, ticker: str, source: str | None = None) -> list[Manifest]:
        """All snapshots of a ticker with a whole manifest, the newest first."""
        found = []
        for name in self._names(ticker):
            if name.endswith(".json") and "-" in name and not name.startswith("."):
                try:
                    manifest = self.manifest(ticker, name.removesuffix(".json"))
                except ArtifactError:
                    continue
                if source in (None, manifest.source):
                    found.append(manifest)
        return sorted(found, key=lambda one: (one.fetched_at, one.snapshot), reverse=True)

    def payload(self, manifest: Manifest) -> bytes:
        """The snapshot's Parquet file, its SHA-256 verified.

        Raises:
            ArtifactError: if it is missing or damaged; names the file.
        """
        name = f"{manifest.snapshot}.parquet"
        content = self._read(manifest.ticker, name)
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise self._damaged(manifest.ticker, name)
        return content

    def damaged(self, ticker: str) -> list[str]:
        """What is wrong with a ticker's files, one message a file; empty if all are whole."""
        messages = []
        for name in sorted(self._names(ticker)):
            try:
                if name.endswith(".json"):
                    document = self._document(ticker, name)
                    if "sha256" in document:
                        self.payload(Manifest(**document))
            except (ArtifactError, TypeError) as error:
                messages.append(str(error))
        return messages

    def add(
        self,
        history: History,
        *,
        findings: list[dict[str, Any]],
        change: str | None,
        parent: Manifest | None,
        now: pd.Timestamp,
        marks: Marks,
    ) -> tuple[Manifest, bytes]:
        """Write a snapshot and make it the newest of its source. Call it under `lock`.

        Where `parent` already held these very quotes and said the same of them, its file is written
        again if it was damaged, and it stays the newest.

        Returns:
            The manifest and the Parquet file.

        Raises:
            ArtifactError: if the store cannot be written.
        """
        content = encode(history.quotes)
        sha256 = hashlib.sha256(content).hexdigest()
        ticker, sessions = history.ticker, history.quotes.index
        exchange = history.exchange or WEEKDAYS
        said = (sha256, exchange, findings)
        if parent is not None and said == (parent.sha256, parent.exchange, parent.findings):
            manifest = parent
        else:
            manifest = Manifest(
                snapshot=f"{now.tz_convert('UTC'):%Y%m%dT%H%M%SZ}-{sha256[:8]}",
                ticker=ticker,
                source=history.source,
                fetched_at=now.tz_convert("UTC").isoformat(timespec="seconds"),
                first=f"{sessions[0]:%Y-%m-%d}",
                last=f"{sessions[-1]:%Y-%m-%d}",
                rows=len(sessions),
                sha256=sha256,
                exchange=exchange,
                currency=history.currency,
                timezone=history.timezone,
                findings=findings,
                change=change,
                parent=parent.snapshot if parent else None,
                libraries=libraries(),
            )
        self._write(ticker, f"{manifest.snapshot}.parquet", content)
        self._write(ticker, f"{manifest.snapshot}.json", _signed(asdict(manifest)))
        self.point(manifest, marks)
        return manifest, content

    def point(self, manifest: Manifest, marks: Marks) -> None:
        """Make a snapshot the newest of its source. Call it under `lock`."""
        pointer = {
            "ticker": manifest.ticker,
            "snapshot": manifest.snapshot,
            "marks": asdict(marks),
        }
        self._write(manifest.ticker, f"{manifest.source}.json", _signed(pointer))

    def prune(self, ticker: str, *, keep: int, named: Collection[str] = ()) -> list[str]:
        """Remove old snapshots, and what a killed writer left. Takes the lock.

        Args:
            ticker: Such as `AAPL`.
            keep: How many of the newest to keep of each source, >= 1.
            named: Snapshots that saved runs name; they stay.

        Returns:
            The ids removed.

        Raises:
            ValueError: if `keep` < 1.
        """
        if keep < 1:
            raise ValueError(f"keep must be at least 1. Received {keep}.")
        removed = []
        with self.lock(ticker):
            kept = set(named)
            for source in {one.source for one in self.history(ticker)}:
                own = [one.snapshot for one in self.history(ticker, source)]
                newest = self.newest(ticker, source)
                kept |= {*own[:keep], newest.manifest.snapshot if newest else ""}
                for snapshot in own[keep:]:
                    if snapshot not in kept:
                        # The manifest first: without it the rest is an orphan, never a snapshot.
                        self._remove(ticker, f"{snapshot}.json")
                        self._remove(ticker, f"{snapshot}.parquet")
                        removed.append(snapshot)
            if self.remote is None:
                names = self._names(ticker)
                for name in names:
                    orphan = name.endswith(".parquet") and f"{name[:-8]}.json" not in names
                    if name.startswith(".") or orphan:
                        self._remove(ticker, name)
        return removed

    def tickers(self) -> list[str]:
        """All tickers with a folder in the store, sorted."""
        if self.remote is None:
            root = Path(self.root)
            found = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
        elif self.remote.isdir(self.root):
            found = [
                path.rstrip("/").rsplit("/", 1)[-1] for path in self.remote.ls(self.root, False)
            ]
        else:
            found = []
        return sorted(found)

    def _document(self, ticker: str, name: str) -> dict[str, Any]:
        content = self._read(ticker, name)
        try:
            document: dict[str, Any] = json.loads(content)
            if document.pop("digest") == _digest(document):
                return document
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise self._damaged(ticker, name)

    def _path(self, ticker: str, name: str) -> str:
        return f"{self.root}/{ticker}/{name}"

    def _names(self, ticker: str) -> list[str]:
        try:
            if self.remote is None:
                return [path.name for path in Path(self.root, ticker).iterdir()]
            listed = self.remote.ls(f"{self.root}/{ticker}", detail=False, refresh=True)
            return [path.rsplit("/", 1)[-1] for path in listed]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _read(self, ticker: str, name: str) -> bytes:
        path = self._path(ticker, name)
        try:
            if self.remote is None:
                return Path(path).read_bytes()
            return bytes(self.remote.cat_file(path))
        except FileNotFoundError as error:
            raise self._absent(ticker, name) from error
        except OSError as error:
            raise ArtifactError(
                f"{path} must be readable. Reading it failed: {error.strerror or error}.",
                hint="check the folder's permissions",
            ) from error

    def _write(self, ticker: str, name: str, content: bytes) -> None:
        path = self._path(ticker, name)
        if self.remote is None:
            write_atomically(Path(path), content)
            return
        try:
            # An object store shows an object whole or not at all.
            self.remote.makedirs(f"{self.root}/{ticker}", exist_ok=True)
            self.remote.pipe_file(path, content)
        except OSError as error:
            raise unwritable(Path(path), error) from error

    def _remove(self, ticker: str, name: str) -> None:
        if self.remote is None:
            Path(self._path(ticker, name)).unlink(missing_ok=True)
        else:
            self.remote.rm_file(self._path(ticker, name))

    def _absent(self, ticker: str, name: str) -> ArtifactError:
        return ArtifactError(
            f"{ticker}: the store must hold {name}. Not found in {self.root}/{ticker}.",
            hint=f"forecast fetch {ticker}",
        )

    def _damaged(self, ticker: str, name: str) -> ArtifactError:
        return ArtifactError(
            f"{self._path(ticker, name)} must be as it was written. It is damaged.",
            hint=f"forecast fetch {ticker} --refresh",
        )


def _signed(document: dict[str, Any]) -> bytes:
    signed = {**document, "digest": _digest(document)}
    return (json.dumps(signed, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _digest(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
