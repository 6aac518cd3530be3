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
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.errors import ArtifactError, BusyError
from forecast.files import locked
from forecast.market.bars import History
from forecast.market.sessions import WEEKDAYS
from forecast.market.signing import sign, verify
from forecast.market.snapshots import Manifest, Marks, Newest, encode, libraries
from forecast.market.storage import LOCAL, Storage

_LOCK_WAIT = 300.0
_GLANCE = 0.2


@dataclass(frozen=True)
class Store:
    """Snapshots under one root, which may be any address that fsspec knows.

    Attributes:
        files: Those in the folder `bars`.
        locks: Folder of the lock files; None for a remote store, which has none: its snapshots
            have unique names and its pointers are replaced whole.
        stop: Set by who gives up: whoever waits for a lock, or for a source, then ends.
    """

    files: Storage
    locks: Path | None
    stop: threading.Event = field(default_factory=threading.Event, compare=False)

    @classmethod
    def open(cls, data: str | Path) -> Store:
        """The store of a data folder; nothing is created.

        Args:
            data: A folder, or an address such as `s3://bucket/data` or `memory://data`.

        Raises:
            ConfigError: if no file system answers to the address.
        """
        address = str(data)
        scheme, apart, path = address.partition("://")
        if apart and scheme not in LOCAL:
            return cls(Storage.at(address), None)
        folder = Path(path if apart else address)
        return cls(Storage(str(folder / "bars"), None), folder / "cache" / "locks")

    @property
    def root(self) -> str:
        """The folder `bars`, on this machine or on a remote one."""
        return self.files.root

    @contextmanager
    def lock(self, ticker: str) -> Iterator[None]:
        """One writer a ticker on this machine; freed by the system if the process dies.

        Raises:
            BusyError: if another process holds it for five minutes.
            ArtifactError: if the lock file cannot be made (read-only folder, full disk).
            KeyboardInterrupt: if `stop` is set meanwhile.
        """
        if self.locks is None:
            yield
            return
        path = self.locks / f"{ticker}.lock"
        ends = time.monotonic() + _LOCK_WAIT
        with ExitStack() as turn:
            while not turn.enter_context(locked(path, wait=min(_GLANCE, _LOCK_WAIT))):
                if self.stop.is_set():
                    raise KeyboardInterrupt
                if time.monotonic() >= ends:
                    raise BusyError(
                        f"{ticker}: another process must finish fetching it first. "
                        f"Waited {_LOCK_WAIT:.0f} s for {path}.",
                        hint=f"forecast fetch {ticker}, once it has ended",
                    )
            yield

    def newest(self, ticker: str, source: str) -> Newest | None:
        """What the source's pointer names; None if no manifest of that source is whole.

        Falls back to the newest whole manifest when the pointer, or what it names, is damaged, and
        says what was.

        Raises:
            ArtifactError: if the ticker's folder cannot be read.
        """
        damage, name = None, f"{source}.json"
        try:
            pointer = self.document(ticker, name)
            if pointer is not None:
                manifest = self.manifest(ticker, pointer["snapshot"])
                return Newest(manifest, Marks(**pointer["marks"]))
        except ArtifactError as error:
            damage = error.message
        except (TypeError, KeyError):
            damage = self._damaged(ticker, name).message
        found = self.manifests(ticker, source)
        if not found:
            return None
        return Newest(found[0], None, damage or self.lost(ticker))

    def manifest(self, ticker: str, snapshot: str) -> Manifest:
        """The manifest of one snapshot.

        Raises:
            ArtifactError: if there is no such snapshot, or its manifest is damaged.
        """
        if "/" in snapshot or "\\" in snapshot or snapshot.startswith("."):
            raise self._absent(ticker, snapshot)
        document = self.document(ticker, f"{snapshot}.json")
        if document is None:
            raise self._absent(ticker, f"{snapshot}.json")
        try:
            return Manifest(**document)
        except TypeError as error:
            raise self._damaged(ticker, f"{snapshot}.json") from error

    def manifests(self, ticker: str, source: str | None = None) -> list[Manifest]:
        """The whole manifests of a ticker, of one source or of all, the newest first.

        Raises:
            ArtifactError: if the ticker's folder cannot be read.
        """
        found = []
        for snapshot in self.snapshots(ticker):
            try:
                manifest = self.manifest(ticker, snapshot)
            except ArtifactError:
                continue
            if source in (None, manifest.source):
                found.append(manifest)
        return sorted(found, key=lambda one: (one.fetched_at, one.snapshot), reverse=True)

    def lost(self, ticker: str) -> str | None:
        """The message about a manifest that is not whole, of whatever source; None if all are."""
        for snapshot in self.snapshots(ticker):
            try:
                self.manifest(ticker, snapshot)
            except ArtifactError as error:
                return error.message
        return None

    def snapshots(self, ticker: str) -> list[str]:
        """The ids of all snapshots, in any order, those with a damaged manifest too.

        Raises:
            ArtifactError: if the ticker's folder cannot be read.
        """
        return [
            name.removesuffix(".json")
            for name in self.files.names(ticker)
            if name.endswith(".json") and "-" in name and not name.startswith(".")
        ]

    def document(self, ticker: str, name: str) -> dict[str, Any] | None:
        """What a manifest or a pointer says; None if there is no such file.

        Raises:
            ArtifactError: if it is damaged, or cannot be read.
        """
        content = self.files.read(ticker, name)
        if content is None:
            return None
        document = verify(content)
        if document is None:
            # A pointer has the name of its source.
            raise self._damaged(ticker, name, name.removesuffix(".json"))
        return document

    def payload(self, manifest: Manifest) -> bytes:
        """The snapshot's Parquet file, its SHA-256 verified.

        Raises:
            ArtifactError: if it is missing or damaged; names the file.
        """
        name = f"{manifest.snapshot}.parquet"
        content = self.files.read(manifest.ticker, name)
        if content is None:
            raise self._absent(manifest.ticker, name)
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise self._damaged(manifest.ticker, name, manifest.source)
        return content

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
        self.files.write(ticker, f"{manifest.snapshot}.parquet", content)
        self.files.write(ticker, f"{manifest.snapshot}.json", sign(asdict(manifest)))
        self.point(manifest, marks)
        return manifest, content

    def point(self, manifest: Manifest, marks: Marks) -> None:
        """Make a snapshot the newest of its source. Call it under `lock`."""
        pointer = {
            "ticker": manifest.ticker,
            "snapshot": manifest.snapshot,
            "marks": asdict(marks),
        }
        self.files.write(manifest.ticker, f"{manifest.source}.json", sign(pointer))

    def tickers(self) -> list[str]:
        """All tickers with a folder in the store, sorted.

        Raises:
            ArtifactError: if the store cannot be read.
        """
        return self.files.tickers()

    def _absent(self, ticker: str, name: str) -> ArtifactError:
        return ArtifactError(
            f"{ticker}: the store must hold {name}. Not found in {self.root}/{ticker}.",
            hint=f"forecast fetch {ticker}, or another snapshot of that folder",
        )

    def _damaged(self, ticker: str, name: str, source: str | None = None) -> ArtifactError:
        return ArtifactError(
            f"{self.files.path(ticker, name)} must be as it was written. It is damaged.",
            hint=fetch_again(ticker, source),
        )


def fetch_again(ticker: str, source: str | None) -> str:
    """The command that writes a source's snapshot again; the folder of a CSV is not known here."""
    asked = {"sample": " --source sample", "csv": " --source csv:DIR"}.get(source or "", "")
    return f"forecast fetch {ticker}{asked} --refresh"
