"""The page of `compare`, made of the same parts as a run's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.evaluation.reliability import reliability, reliability_text
from forecast.evaluation.scores import as_rows
from forecast.features.targets import CLASSES
from forecast.report import class_page, run_page, wording
from forecast.report.calibration import coverage_plot
from forecast.report.class_pictures import reliability_picture
from forecast.report.compared import compared_models
from forecast.report.page import render_page, write_page
from forecast.report.picture import Picture

_RANKED = {
    "pinball": ("skill_pinball", "seeds_skill", "dm_p_pinball", "mcs_p_pinball", "coverage_80"),
    "log_loss": ("skill_log_loss", "seeds_skill", "dm_p_log_loss", "mcs_p_log_loss", "accuracy"),
    "mse": ("skill_mse", "dm_p_mse"),
    "error": ("skill_error", "dm_p_error"),
}


def write_comparison(
    folder: Path, *, document: Mapping[str, Any], forecasts: pd.DataFrame
) -> list[Path]:
    """Draw the pictures of a comparison and write its page.

    Args:
        folder: Exists.
        document: One entry of `compare --json`.
        forecasts: Forecasts of the test part: a forecast frame, or class forecasts.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    step = int(document["horizon"])
    networks = {name: one for name, one in document["networks"].items() if not one["error"]}
    rows = [row for row in document["scores"] if row["step"] == step]
    pictures = [_models(document, rows, networks, step), *_held(document, forecasts, step)]
    shown = {
        **document,
        "network": document["best"],
        "ranking": {
            "caption": "Networks and baselines",
            "rows": [_ranked(row, networks.get(row["model"]), document["losses"]) for row in rows],
        },
        "failed": [
            {"network": name, "error": f"{one['error']['type']}: {one['error']['message']}"}
            for name, one in document["networks"].items()
            if one["error"]
        ],
    }
    text = render_page(
        shown,
        pictures,
        template="comparison.html",
        sections=(("ranking", "The best first"), ("failed", "Failed")),
        side=class_page.CLASSES if document["target"] in CLASSES else run_page.PRICES,
    )
    return write_page(folder, text, pictures)


def _models(
    document: Mapping[str, Any],
    rows: list[Mapping[str, Any]],
    networks: Mapping[str, Mapping[str, Any]],
    step: int,
) -> Picture:
    ticker, seeds = str(document["ticker"]), len(document["seeds"])
    asked = f"{document['target']}, " if document["target"] in CLASSES else ""
    span = document["split"]["test"]
    return compared_models(
        rows,
        networks,
        document["plausible"],
        losses=document["losses"],
        ticker=ticker,
        title=f"{ticker}: {document['finding']}",
        subtitle=f"{asked}{wording.ahead(step)} · {wording.whole(rows[0]['origins'])} forecasts, "
        + wording.span(span["first"], span["last"])
        + (f" · mean of {seeds} seeds" if seeds > 1 else ""),
    )


def _held(document: Mapping[str, Any], forecasts: pd.DataFrame, step: int) -> list[Picture]:
    """Whether the best network's bands, or its odds, hold."""
    ticker, best = str(document["ticker"]), str(document["best"])
    if document["target"] not in CLASSES:
        drawn = coverage_plot(forecasts, ticker=ticker, model=best, step=step)
        return [drawn] if drawn else []
    held = reliability(forecasts, model=best, step=step)
    return [
        reliability_picture(
            as_rows(held), ticker=ticker, model=best, step=step, text=reliability_text(held)
        )
    ]


def _ranked(
    row: Mapping[str, Any], network: Mapping[str, Any] | None, losses: list[str]
) -> dict[str, Any]:
    """A line of the ranking: a model's scores, and of a network what it took and its seeds."""
    known: dict[str, Any] = {**row, "seeds_skill": wording.NOTHING}
    if network is not None:
        mean, spread = (network[part][f"skill_{losses[0]}"] for part in ("mean", "spread"))
        known |= {**network, "seeds_skill": wording.around(mean, spread)}
    keys = ("model", *(key for loss in losses for key in _RANKED[loss]), "parameters", "seconds")
    return {key: known.get(key) for key in keys}
