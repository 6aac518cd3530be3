"""The page of one network over many tickers: all together, and every ticker in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forecast.files import write_atomically
from forecast.report.group_skills import group_skills
from forecast.report.html import render_page, write_pictures
from forecast.report.tables import METRICS, MODELS, Cell, Row, Table, skill_cells
from forecast.report.training import training_curve
from forecast.report.wording import finite

_POOLED = ("mse_return", "direction_accuracy", "pinball", "coverage_80")


def write_group_page(
    folder: Path,
    *,
    document: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    history: Mapping[str, Any],
) -> list[Path]:
    """Draw the group's pictures and write its page.

    Args:
        folder: Exists.
        document: `pooled` of `train --json`.
        runs: `runs` of the same.
        history: As in `write_report`.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    network, step = str(document["network"]), int(document["horizon"])
    rows = sorted(
        (own_row(run, network, step) for run in runs),
        key=lambda row: finite(row.get("skill_pinball")) or float("-inf"),
        reverse=True,
    )
    whole = next(row for row in document["scores"] if row["model"] == network)
    pictures = [
        group_skills(rows, whole, model=network, step=step),
        training_curve(history, ticker=f"{len(rows)} tickers", model=network),
    ]
    paths = write_pictures(folder, pictures)
    shown = {
        **{name: value for name, value in document.items() if name != "scores"},
        "settings": runs[0].get("settings"),
        "versions": runs[0].get("versions"),
        # The four figures below the verdict.
        "scores": [{**whole, "step": step, **_as_price(whole)}],
    }
    page = folder / "index.html"
    extra = [_pooled_table(document, network), _tickers_table(rows)]
    text = render_page(shown, pictures, template="group.html", sections=(), extra=extra)
    write_atomically(page, text.encode())
    return [*paths, page]


def own_row(run: Mapping[str, Any], network: str, step: int) -> dict[str, Any]:
    """The network's scores of one ticker at the last step, and what it is called."""
    row = next(row for row in run["scores"] if row["model"] == network and row["step"] == step)
    page = f"../../{run['ticker']}/{run['run']}/index.html"
    return {**row, "ticker": run["ticker"], "page": page}


def _as_price(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"skill_mse": row["skill_mse_return"], "dm_p_mse": row["dm_p_mse_return"]}


def _pooled_table(document: Mapping[str, Any], network: str) -> Table:
    rows = [
        Row(
            str(row["model"]),
            MODELS.get(str(row["model"]), "the network" if row["model"] == network else ""),
            row["model"] == network,
            [
                *(Cell(METRICS[key].show(row.get(key))) for key in _POOLED[:2]),
                *skill_cells(row, "mse_return"),
                *(Cell(METRICS[key].show(row.get(key))) for key in _POOLED[2:]),
                *skill_cells(row, "pinball"),
            ],
        )
        for row in document["scores"]
    ]
    named = [(METRICS[key].label, METRICS[key].unit) for key in _POOLED]
    columns = [
        *named[:2],
        ("Skill, price", "%"),
        ("p", ""),
        *named[2:],
        ("Skill, spread", "%"),
        ("p", ""),
    ]
    caption = f"{len(document['tickers']):,} tickers, {document['forecasts']:,} forecasts"
    return Table(caption, columns, [("", rows)], ident="pooled")


def _tickers_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    body = [
        Row(
            str(row["ticker"]),
            "",
            False,
            [
                Cell(METRICS["origins"].show(row.get("origins"))),
                # Without the intervals: a second line for each of so many is too much.
                *(replace(cell, note="") for cell in skill_cells(row, "mse")),
                *(replace(cell, note="") for cell in skill_cells(row, "pinball")),
                Cell(METRICS["coverage_80"].show(row.get("coverage_80"))),
            ],
            str(row["page"]),
        )
        for row in rows
    ]
    columns = [
        ("Forecasts", ""),
        ("Skill, price", "%"),
        ("p", ""),
        ("Skill, spread", "%"),
        ("p", ""),
        (METRICS["coverage_80"].label, "%"),
    ]
    return Table("The best spread first", columns, [("", body)], ident="tickers")
