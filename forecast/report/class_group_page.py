"""The page of one network over many tickers that forecasts classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forecast.files import write_atomically
from forecast.report.class_page import CLASSES
from forecast.report.group_page import own_row
from forecast.report.group_skills import CLASSES as PANELS
from forecast.report.group_skills import group_skills
from forecast.report.html import render_page, write_pictures
from forecast.report.tables import METRICS, MODELS, Cell, Row, Table, skill_cells
from forecast.report.training import training_curve
from forecast.report.wording import finite

_COLUMNS = (("accuracy", "error", "Skill, calls"), ("log_loss", "log_loss", "Skill, odds"))


def write_class_group_page(
    folder: Path,
    *,
    document: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    history: Mapping[str, Any],
) -> list[Path]:
    """Draw the group's pictures and write its page; arguments as `write_group_page`.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    network, step = str(document["network"]), int(document["horizon"])
    rows = sorted(
        (own_row(run, network, step) for run in runs),
        key=lambda row: finite(row.get("skill_log_loss")) or float("-inf"),
        reverse=True,
    )
    whole = next(row for row in document["scores"] if row["model"] == network)
    pictures = [
        group_skills(rows, whole, model=network, step=step, panels=PANELS),
        training_curve(history, ticker=f"{len(rows)} tickers", model=network),
    ]
    paths = write_pictures(folder, pictures)
    shown = {
        **document,
        "settings": runs[0].get("settings"),
        "versions": runs[0].get("versions"),
        # The figures below the verdict.
        "scores": [{**whole, "step": step}],
    }
    page = folder / "index.html"
    text = render_page(
        shown,
        pictures,
        template="class_group.html",
        sections=(),
        extra=[_pooled_table(document, network), _tickers_table(rows)],
        side=replace(CLASSES, figures=lambda own: CLASSES.figures(own)[:2]),
    )
    write_atomically(page, text.encode())
    return [*paths, page]


def _pooled_table(document: Mapping[str, Any], network: str) -> Table:
    rows = [
        Row(
            str(row["model"]),
            MODELS.get(str(row["model"]), "the network" if row["model"] == network else ""),
            row["model"] == network,
            [
                cell
                for key, loss, _ in _COLUMNS
                for cell in (Cell(METRICS[key].show(row.get(key))), *skill_cells(row, loss))
            ],
        )
        for row in document["scores"]
    ]
    caption = f"{len(document['tickers']):,} tickers, {document['forecasts']:,} forecasts"
    return Table(caption, _headings(), [("", rows)], ident="pooled")


def _tickers_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    body = [
        Row(
            str(row["ticker"]),
            "",
            False,
            [
                Cell(METRICS["origins"].show(row.get("origins"))),
                *(
                    replace(cell, note="")
                    for key, loss, _ in _COLUMNS
                    for cell in (Cell(METRICS[key].show(row.get(key))), *skill_cells(row, loss))
                ),
            ],
            str(row["page"]),
        )
        for row in rows
    ]
    columns = [("Forecasts", ""), *_headings()]
    return Table("The best odds first", columns, [("", body)], ident="tickers")


def _headings() -> list[tuple[str, str]]:
    return [
        heading
        for key, _, skill in _COLUMNS
        for heading in ((METRICS[key].label, METRICS[key].unit), (skill, "%"), ("p", ""))
    ]
