"""What came of one network over many tickers: a pooled verdict, and a page that leads to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.evaluation.class_pooled import pooled_class_scores
from forecast.evaluation.pooled import pooled_scores
from forecast.features.targets import CLASSES
from forecast.files import write_atomically, write_json
from forecast.networks.training import Fitted
from forecast.pipeline.documents import history_of
from forecast.pipeline.preparing import Ready
from forecast.pipeline.reporting import Clock, Reported, Shared
from forecast.registry import TOGETHER

# What scripts rely on; the rest lies beside each ticker's report.
_BRIEF = (
    *("ticker", "run", "source", "network", "target", "head", "lookback", "horizon", "split"),
    "scores",
    *("verdict", "report", "plots", "model", "seconds"),
)


def brief(document: Mapping[str, Any]) -> dict[str, Any]:
    """A ticker's document without what only its own page needs."""
    return {name: document[name] for name in _BRIEF}


def group_folder(run: str) -> Path:
    """Where a run over several tickers has its page, relative to the home folder."""
    return Path("reports", TOGETHER, run)


def write_group(
    folder: Path,
    done: Sequence[tuple[Ready, Reported]],
    days: pd.DataFrame,
    shared: Shared,
    fitted: Fitted,
    *,
    clock: Clock,
) -> dict[str, Any]:
    """Write the group's page, its figures, and the list of its tickers.

    Args:
        folder: Exists.
        done: Every ticker and what came of it.
        days: Their losses of each day, as `pool` gives them, of prices or of classes.
        shared: Of the run.
        fitted: The network.
        clock: As it stands.

    Returns:
        `pooled` of `train --json`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    settings = shared.settings
    scores = (pooled_class_scores if settings.target in CLASSES else pooled_scores)(
        days,
        model=settings.network,
        step=settings.horizon,
        tickers=len(done),
    )
    documents = [result.document for _, result in done]
    verdicts = [document["verdict"] for document in documents]
    document: dict[str, Any] = {
        "run": shared.run,
        "tickers": [one.ticker for one, _ in done],
        "network": settings.network,
        "target": settings.target,
        "head": settings.head_name,
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        **scores.as_document(),
        "counts": {
            kind: {
                standing: sum(verdict[kind] == standing for verdict in verdicts)
                for standing in ("beats", "ties", "loses")
            }
            for kind in ("price", "uncertainty")
        },
        "report": (group_folder(shared.run) / "index.html").as_posix(),
        "model": shared.folder.as_posix(),
        "command": documents[0]["command"],
        "seconds": clock.document(),
    }
    lines = [f"{ticker}={snapshot}" for ticker, snapshot in shared.snapshots.items()]
    write_atomically(folder / "tickers.txt", ("\n".join(lines) + "\n").encode())
    from forecast.report.group_page import write_group_page

    write_group_page(folder, document=document, runs=documents, history=history_of(fitted))
    write_json(folder / "metrics.json", document)
    return document
