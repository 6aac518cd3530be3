"""Where a store's files lie: a folder of this machine, or any file system that fsspec knows.

What a file system raises is an `ArtifactError` from here on. Of a remote one that is anything: each
has a package of its own, with errors of its own for a missing key and a host that does not answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.errors import ArtifactError, ConfigError
from forecast.files import write_atomically

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCAL = ("file", "local")
"""Schemes of addresses that are folders of this machine."""
_ABSENT = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True)
class Storage:
    """The files of each ticker, in a folder of its own under `root`.

    Attributes:
        root: A path on this machine or inside `remote`.
        remote: The file system, or None for this machine's.
    """

    root: str
    remote: AbstractFileSystem | None

    @classmethod
    def at(cls, address: str) -> Storage:
        """The folder `bars` at an address such as `s3://bucket/data`; nothing is created.

        Raises:
            ConfigError: if no file system answers to it.
        """
        from fsspec.core import url_to_fs

        try:
            remote, path = url_to_fs(address)
        except Exception as error:
            raise ConfigError(
                f"the data folder must be a path or an address that fsspec knows. "
                f"Received {address!r}: {_reason(error)}.",
                hint="install the file system's package, such as s3fs, or use a path",
            ) from error
        return cls(f"{path.rstrip('/')}/bars", remote)

    def path(self, ticker: str, name: str) -> str:
        """Where a file is, for a message too."""
        return f"{self.root}/{ticker}/{name}"

    def tickers(self) -> list[str]:
        """All tickers with a folder, sorted.

        Raises:
            ArtifactError: if the root cannot be listed.
        """
        with self._named(self.root, "listable", "Listing"):
            if self.remote is None:
                root = Path(self.root)
                found = (
                    [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
                )
            elif self.remote.isdir(self.root):
                listed = self.remote.ls(self.root, detail=False)
                found = [path.rstrip("/").rsplit("/", 1)[-1] for path in listed]
            else:
                found = []
        return sorted(found)

    def names(self, ticker: str) -> list[str]:
        """The files in a ticker's folder, in any order; none if there is no such folder.

        Raises:
            ArtifactError: if it cannot be listed.
        """
        folder = f"{self.root}/{ticker}"
        try:
            with self._named(folder, "listable", "Listing"):
                if self.remote is None:
                    with os.scandir(folder) as entries:
                        return [entry.name for entry in entries if entry.is_file()]
                listed = self.remote.ls(folder, detail=False, refresh=True)
                return [path.rsplit("/", 1)[-1] for path in listed]
        except _ABSENT:
            return []

    def read(self, ticker: str, name: str) -> bytes | None:
        """A file's content; None if there is no such file.

        Raises:
            ArtifactError: if it cannot be read.
        """
        path = self.path(ticker, name)
        try:
            with self._named(path, "readable", "Reading"):
                if self.remote is None:
                    return Path(path).read_bytes()
                return bytes(self.remote.cat_file(path))
        except _ABSENT:
            return None

    def write(self, ticker: str, name: str, content: bytes) -> None:
        """Write a file so that a reader sees the old one or the new one, never half.

        Raises:
            ArtifactError: if it cannot be written.
        """
        path = self.path(ticker, name)
        if self.remote is None:
            write_atomically(Path(path), content)
            return
        try:
            with self._named(path, "writable", "Writing"):
                # An object store shows an object whole or not at all.
                self.remote.makedirs(f"{self.root}/{ticker}", exist_ok=True)
                self.remote.pipe_file(path, content)
        except _ABSENT as error:  # such as a bucket that does not exist
            raise self._refused(path, "writable", "Writing", error) from error

    def remove(self, ticker: str, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            ArtifactError: if it cannot be removed.
        """
        path = self.path(ticker, name)
        try:
            with self._named(path, "removable", "Removing"):
                if self.remote is None:
                    Path(path).unlink()
                else:
                    self.remote.rm_file(path)
        except _ABSENT:
            pass

    @contextmanager
    def _named(self, path: str, able: str, doing: str) -> Iterator[None]:
        """Name the path in what is raised within; what is not there is for the caller to judge."""
        try:
            yield
        except _ABSENT:
            raise
        except Exception as error:
            raise self._refused(path, able, doing, error) from error

    def _refused(self, path: str, able: str, doing: str, error: Exception) -> ArtifactError:
        hint = "check the folder's permissions"
        if self.remote is not None:
            hint = "check the address of the setting store, its credentials and the network"
        return ArtifactError(
            f"{path} must be {able}. {doing} it failed: {_reason(error)}.", hint=hint
        )


def _reason(error: Exception) -> str:
    """In one line, whatever package it comes from."""
    told = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(told.split()).rstrip(".") or type(error).__name__
