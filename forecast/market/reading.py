"""Bringing a file's bars into the store: the sample, or a CSV of the user's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from forecast.errors import MalformedData
from forecast.market.bars import History
from forecast.market.overlap import compare
from forecast.market.rules import Rules, says_as_much
from forecast.market.serving import Served, readable
from forecast.market.sessions import last_completed
from forecast.market.snapshots import Marks, decode
from forecast.market.sources import csv_files, sample
from forecast.market.store import Store


def read(
    store: Store, ticker: str, folder: Path | None, *, rules: Rules, refresh: bool = False
) -> Served:
    """One ticker's bars from its file, in the store.

    The file is read afresh, unless it is bit for bit the one that the newest snapshot was made
    from, under the same rules. A snapshot is added only if its quotes, findings or exchange differ.

    Args:
        store: Where to.
        ticker: Checked.
        folder: Of the CSV files; None for the sample.
        rules: How it is judged.
        refresh: Read afresh in any case.

    Raises:
        SourceError: if there is no such file, or it is refused; the store is as it was.
        ArtifactError: if the store cannot be written.
        BusyError: if another process holds the ticker for too long.
    """
    source = "sample" if folder is None else "csv"
    files = _files(ticker, folder)
    fingerprint = _fingerprint(ticker, files, rules)
    newest = store.newest(ticker, source)
    stored, damage = readable(store, ticker, source)
    if (
        newest is not None
        and newest.marks is not None
        and newest.marks.fingerprint == fingerprint
        and stored is not None
        and damage is None
        and not refresh
        and pd.Timestamp(stored.manifest.last)
        <= last_completed(stored.manifest.exchange, rules.now)
    ):
        return stored
    history: History = (
        sample.fetch(ticker) if folder is None else csv_files.fetch(ticker, folder=folder)
    )
    history, findings = rules.check(
        history, lenient=False, hint=lambda _: f"correct the file {files[0]}"
    )
    # Sessions left out today may be wanted tomorrow from the same file.
    whole = not any(finding.kind in ("partial", "future") for finding in findings)
    now = rules.now.tz_convert("UTC").isoformat(timespec="seconds")
    marks = Marks(None, now, fingerprint if whole else None)
    with store.lock(ticker):
        newest = store.newest(ticker, source)
        stored, damage = readable(store, ticker, source)
        change = None
        if stored is not None:
            quotes = decode(stored.content)
            if (
                damage is None
                and stored.manifest.exchange == history.exchange
                and history.quotes.equals(quotes)
                and says_as_much(stored.manifest, findings)
            ):
                known = newest.marks if newest else None
                if known is None or known.fingerprint != marks.fingerprint:
                    store.point(stored.manifest, marks)
                return stored
            change = compare(quotes, history.quotes, since=None).change
        manifest, content = store.add(
            history,
            findings=[finding.as_document() for finding in findings],
            change=change,
            parent=newest.manifest if newest else None,
            now=rules.now,
            marks=marks,
        )
    notice = f"{damage} It was written again." if damage else None
    return Served(manifest, content, "updated", change, notice)


def _files(ticker: str, folder: Path | None) -> list[Path]:
    if folder is not None:
        return [csv_files.find_file(folder, ticker)]
    root = sample.sample_folder()
    # A ticker that the sample lacks is refused when it is read.
    return [path for path in (root / f"{ticker}.csv.gz", root / "splits.csv") if path.is_file()]


def _fingerprint(ticker: str, files: Iterable[Path], rules: Rules) -> str:
    digest = hashlib.sha256(rules.fingerprint.encode())
    for path in files:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise MalformedData(
                f"{ticker}: {path} must be readable. Reading it failed: {error.strerror}.",
                hint=f"ls -l {path}",
            ) from error
    return digest.hexdigest()
