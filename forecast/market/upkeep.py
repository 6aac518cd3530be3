"""Upkeep of a store: which files are damaged, and which old ones may go."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import pandas as pd

from forecast.errors import ArtifactError
from forecast.market.signing import verify
from forecast.market.store import Store, fetch_again

# A training that began with a snapshot reads it again at its end.
_IN_USE = pd.Timedelta(days=1)


def damaged(store: Store, ticker: str) -> list[ArtifactError]:
    """What is wrong with a ticker's files and what helps, one a file; none if all are whole.

    Raises:
        ArtifactError: if the ticker's folder cannot be read.
    """
    found, pointed = [], _pointed(store, ticker)
    for snapshot in sorted(store.snapshots(ticker)):
        try:
            store.payload(store.manifest(ticker, snapshot))
        except ArtifactError as error:
            hint = fetch_again(ticker, pointed.get(snapshot))
            if snapshot not in pointed:
                path = store.files.path(ticker, snapshot)
                hint = f"bring it back from a backup, or rm {path}.*: no fetch needs it"
            found.append(ArtifactError(error.message, hint=hint))
    for name in _pointers(store, ticker):
        try:
            store.document(ticker, name)
        except ArtifactError as error:
            found.append(error)
    return found


def prune(
    store: Store, ticker: str, *, keep: int, now: pd.Timestamp, named: Collection[str] = ()
) -> list[str]:
    """Remove old snapshots, those of a damaged manifest, and what a killed writer left.

    Takes the lock.

    Args:
        store: Where.
        ticker: Such as `AAPL`.
        keep: How many of the newest to keep of each source, >= 1.
        now: The clock, tz-aware; what was replaced within the last day may be in use and stays.
        named: Snapshots that saved runs name; they stay.

    Returns:
        The ids removed.

    Raises:
        ValueError: if `keep` < 1.
        ArtifactError: if the ticker's folder cannot be read, or a file not be removed.
        BusyError: if another process holds the ticker for too long.
    """
    if keep < 1:
        raise ValueError(f"keep must be at least 1. Received {keep}.")
    removed = []
    with store.lock(ticker):
        kept = {*named, *_pointed(store, ticker)}
        for source in {one.source for one in store.manifests(ticker)}:
            own = store.manifests(ticker, source)
            newest = store.newest(ticker, source)
            kept |= {newest.manifest.snapshot} if newest else set()
            for one, next_one in zip(own[keep:], own[keep - 1 :], strict=False):
                in_use = now - pd.Timestamp(next_one.fetched_at) < _IN_USE
                if one.snapshot not in kept and not in_use:
                    removed.append(one.snapshot)
        removed += [one for one in _unreadable(store, ticker) if one not in kept]
        for snapshot in removed:
            # The manifest first: without it the rest is an orphan, never a snapshot.
            store.files.remove(ticker, f"{snapshot}.json")
            store.files.remove(ticker, f"{snapshot}.parquet")
        if store.files.remote is None:
            _sweep(store, ticker)
    return removed


def _sweep(store: Store, ticker: str) -> None:
    """What a killed writer left: unfinished files, and data that no manifest came to."""
    names = store.files.names(ticker)
    for name in names:
        orphan = name.endswith(".parquet") and f"{name[:-8]}.json" not in names
        if name.startswith(".") or orphan:
            store.files.remove(ticker, name)


def _pointers(store: Store, ticker: str) -> list[str]:
    return [
        name
        for name in store.files.names(ticker)
        if name.endswith(".json") and "-" not in name and not name.startswith(".")
    ]


def _pointed(store: Store, ticker: str) -> dict[str, str]:
    """The snapshots that pointers name, as far as these are whole, and of which source."""
    found = {}
    for name in _pointers(store, ticker):
        with suppress(ArtifactError):
            snapshot = str((store.document(ticker, name) or {}).get("snapshot"))
            found[snapshot] = name.removesuffix(".json")
    return found


def _unreadable(store: Store, ticker: str) -> list[str]:
    """The snapshots whose manifest is damaged, not merely kept from being read just now."""
    contents = {one: store.files.read(ticker, f"{one}.json") for one in store.snapshots(ticker)}
    return [
        snapshot
        for snapshot, content in contents.items()
        if content is not None and verify(content) is None
    ]
