"""Old runs go; a champion, the one before it, and whatever the caller protects stay."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from forecast.files import inside, sync_folder, unwritable
from forecast.registry.champions import before_champion, champion
from forecast.registry.listing import run_folders, tickers_of
from forecast.registry.runs import TOGETHER

_REMOVED = ".removed-"
_STALE = 3600.0
"""Seconds. Nothing is being written for so long: what is older was left by a crash."""


def prune(home: Path, ticker: str, *, keep: int, protected: Collection[str]) -> list[str]:
    """Remove the ticker's oldest runs beyond `keep`, and what crashes left behind.

    A run that is any ticker's champion, or that a rollback would come to first, stays; so do
    `protected` runs and those still being written. None of these counts among the `keep`. A
    run's report goes with it. A run vanishes in one rename before its files are removed, so a
    crash leaves no half of it to be seen.

    Args:
        home: Where `models/` and `reports/` are.
        ticker: Whose runs; `TOGETHER` for those over several tickers.
        keep: How many others stay, >= 0.
        protected: Runs never to be removed, such as those in the ledger.

    Returns:
        The runs removed, the oldest first.

    Raises:
        ArtifactError: if a champion's record is damaged (what may go is not known then), or a
            folder cannot be written.
        ValueError: if `keep` is negative.
    """
    if keep < 0:
        raise ValueError(f"keep must be >= 0. Received {keep}.")
    stay = {*protected, *_serving(home, ticker)}
    runs = sorted(run_folders(home, ticker), key=lambda folder: folder.name)
    others = [folder for folder in runs if folder.name not in stay]
    gone = others[: max(len(others) - keep, 0)]
    for folder in gone:
        _remove(folder)
        for report in (home / "reports").glob(f"*/{folder.name}"):
            _remove(report)
    _sweep(inside(home / "models", ticker))
    _sweep(inside(home / "reports", ticker))
    return [folder.name for folder in gone]


def _serving(home: Path, owner: str) -> set[str]:
    """Champions among an owner's runs, and the runs that a rollback would come to."""
    names: set[str] = set()
    for ticker in tickers_of(home) if owner == TOGETHER else [owner]:
        present = champion(home, ticker)
        if present is not None:
            names |= {present, *before_champion(home, ticker)[:1]}
    return names


def _remove(folder: Path) -> None:
    hidden = folder.with_name(f"{_REMOVED}{folder.name}.{secrets.token_hex(4)}")
    try:
        folder.rename(hidden)
        sync_folder(folder.parent)
    except OSError as error:
        raise unwritable(folder, error) from error
    shutil.rmtree(hidden, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """What crashes left: removed folders with files in them, and unfinished ones that are old."""
    now = time.time()
    for path in parent.glob(".*"):
        try:
            stale = now - path.stat().st_mtime > _STALE
        except FileNotFoundError:  # finished, or swept by another process
            continue
        if path.name.startswith(_REMOVED) or (stale and _is_unfinished(path)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_unfinished(path: Path) -> bool:
    """Named as `files.staged_folder` and `files.write_atomically` name what they are writing."""
    digits = path.suffix.removeprefix(".")
    return path.name.startswith(".") and len(digits) == 8 and set(digits) <= set("0123456789abcdef")
