"""What runs there are, and what each is worth; a damaged one is listed as that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from forecast.errors import ArtifactError
from forecast.files import inside
from forecast.registry.champions import CHAMPION, champion
from forecast.registry.runs import TOGETHER, SavedRun, made_at, verified


@dataclass(frozen=True)
class RunSummary:
    """One run as far as it can be read.

    Attributes:
        run: Its name.
        folder: Where it lies.
        made: When it was begun (UTC), or None if its name does not tell.
        bytes: Size of its files.
        champion: It is the ticker's champion.
        together: It was trained on several tickers.
        damaged: What is wrong with it, or None; if anything is, nothing below is known.
        network: Such as `lstm`.
        target: Such as `return`.
        horizon: Sessions ahead.
        snapshot: The ticker's bars that it was trained on.
        last: Their last session, ISO date.
        scores: Row of the score table: the network at its last step, on its test part.
        verdict: `price`, `uncertainty` and `text`.
        notice: That another major version of Keras wrote it, or None.
    """

    run: str
    folder: Path
    made: datetime | None
    bytes: int
    champion: bool
    together: bool
    damaged: str | None = None
    network: str | None = None
    target: str | None = None
    horizon: int | None = None
    snapshot: str | None = None
    last: str | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, str] = field(default_factory=dict)
    notice: str | None = None


def runs_of(home: Path, ticker: str) -> list[RunSummary]:
    """The ticker's runs, the oldest first, with those over several tickers that know it.

    Raises:
        ArtifactError: if the ticker would lead out of `models/`.
    """
    return runs_of_each(home, [ticker])[ticker]


def runs_of_each(home: Path, tickers: Sequence[str]) -> dict[str, list[RunSummary]]:
    """The runs of each ticker, as `runs_of`; a run over several is verified once for all.

    Raises:
        ArtifactError: if a ticker would lead out of `models/`.
    """
    together = [_open(folder) for folder in run_folders(home, TOGETHER)]
    found = {}
    for ticker in tickers:
        try:
            name = champion(home, ticker)
        except ArtifactError:
            name = None  # its own listing says so; the runs are there all the same
        own = [_open(folder) for folder in run_folders(home, ticker)]
        known = [one for one in together if one.saved is None or ticker in one.saved.inputs]
        summaries = [_summary(one, ticker, name) for one in (*own, *known)]
        found[ticker] = sorted(summaries, key=lambda summary: summary.run)
    return found


def tickers_of(home: Path) -> list[str]:
    """Every ticker that has a run of its own or a champion."""
    models = home / "models"
    return sorted(
        folder.name
        for folder in models.glob("[!._]*")
        if folder.is_dir() and ((folder / CHAMPION).exists() or any(run_folders(home, folder.name)))
    )


def run_folders(home: Path, owner: str) -> Iterator[Path]:
    """The folders of an owner's runs (a ticker, or `TOGETHER`), unfinished ones left out."""
    parent = inside(home / "models", owner)
    return (path for path in parent.glob("[!.]*") if path.is_dir())


@dataclass(frozen=True)
class _Opened:
    """A run's folder after a look inside.

    Attributes:
        folder: Where it lies.
        bytes: Size of its files.
        saved: The run; None if it is damaged.
        documents: Ticker → what `train --json` printed of it.
        damaged: What is wrong, or None.
    """

    folder: Path
    bytes: int
    saved: SavedRun | None
    documents: dict[str, dict[str, Any]]
    damaged: str | None


def _open(folder: Path) -> _Opened:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    try:
        saved = verified(folder, retrain="forecast train TICKER")
        documents = {str(one["ticker"]): one for one in saved.metrics["runs"]}
    except ArtifactError as error:
        return _Opened(folder, size, None, {}, error.message)
    except (KeyError, TypeError) as error:
        return _Opened(folder, size, None, {}, _incomplete(folder, error))
    return _Opened(folder, size, saved, documents, None)


def _summary(one: _Opened, ticker: str, champion: str | None) -> RunSummary:
    name = one.folder.name
    outside = RunSummary(
        run=name,
        folder=one.folder,
        made=made_at(name),
        bytes=one.bytes,
        champion=name == champion,
        together=one.folder.parent.name == TOGETHER,
        damaged=one.damaged,
    )
    if one.saved is None:
        return outside
    try:
        return replace(outside, **_inside(one.saved, one.documents.get(ticker, {}), ticker))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return replace(outside, damaged=_incomplete(one.folder, error))


def _incomplete(folder: Path, error: Exception) -> str:
    return f"{folder} does not say what it must: {error!r}."


def _inside(saved: SavedRun, document: dict[str, Any], ticker: str) -> dict[str, Any]:
    manifest = saved.manifest
    scores = [
        row
        for row in document.get("scores", [])
        if (row["model"], row["step"]) == (manifest["network"], manifest["horizon"])
    ]
    return {
        "network": manifest["network"],
        "target": manifest["target"],
        "horizon": manifest["horizon"],
        "snapshot": manifest["tickers"][ticker]["snapshot"],
        "last": manifest["tickers"][ticker]["last"],
        "scores": scores[0] if scores else {},
        "verdict": document.get("verdict", {}),
        "notice": saved.notice,
    }
