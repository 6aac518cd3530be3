"""What runs there are, and what each is worth; a damaged one is listed as that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
    try:
        name = champion(home, ticker)
    except ArtifactError:
        name = None  # its own listing says so; the runs are there all the same
    found = [
        summary
        for owner in (ticker, TOGETHER)
        for folder in run_folders(home, owner)
        if (summary := _summary(folder, ticker, name, together=owner == TOGETHER)) is not None
    ]
    return sorted(found, key=lambda one: one.run)


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


def _summary(
    folder: Path, ticker: str, champion: str | None, *, together: bool
) -> RunSummary | None:
    """The run in a folder; None if it is over other tickers."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    outside: dict[str, Any] = {
        "run": folder.name,
        "folder": folder,
        "made": made_at(folder.name),
        "bytes": sum(sizes),
        "champion": folder.name == champion,
        "together": together,
    }
    try:
        saved = verified(folder, retrain=f"forecast train {ticker}")
        if together and ticker not in saved.inputs:
            return None
        return RunSummary(**outside, **_inside(saved, ticker))
    except ArtifactError as error:
        return RunSummary(**outside, damaged=error.message)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return RunSummary(**outside, damaged=f"{folder} does not say what it must: {error!r}.")


def _inside(saved: SavedRun, ticker: str) -> dict[str, Any]:
    manifest = saved.manifest
    document: dict[str, Any] = next(
        (one for one in saved.metrics["runs"] if one["ticker"] == ticker), {}
    )
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
