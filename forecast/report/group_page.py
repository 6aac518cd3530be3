"""The page of one network over many tickers: all together, and every ticker in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forecast.features.targets import CLASSES
from forecast.report import class_page, group_skills, run_page
from forecast.report.group_skills import Panels
from forecast.report.page import Side, render_page, write_page
from forecast.report.tables import METRICS, MODELS, Cell, Row, Table, skill_cells
from forecast.report.training import training_curve
from forecast.report.wording import finite


@dataclass(frozen=True)
class _Skill:
    """Two columns: a skill and its p.

    Attributes:
        loss: What the keys of a row end in.
        heading: Of the skill.
    """

    loss: str
    heading: str


@dataclass(frozen=True)
class _Kind:
    """What the page has of one kind of forecast, of prices or of classes.

    Attributes:
        side: As every page's.
        template: Its file.
        panels: Of the picture.
        pooled: Columns of the table of all together: keys of `METRICS`, and skills.
        tickers: The same of the table of tickers.
        best: What the tickers are sorted by, and how the table's caption says so.
    """

    side: Side
    template: str
    panels: Panels
    pooled: tuple[str | _Skill, ...]
    tickers: tuple[str | _Skill, ...]
    best: tuple[str, str]


_SPREAD, _CALLS = _Skill("pinball", "Skill, spread"), _Skill("error", "Skill, calls")
_ODDS = _Skill("log_loss", "Skill, odds")
_PRICES = _Kind(
    run_page.PRICES,
    "group.html",
    group_skills.PRICES,
    pooled=(
        *("mse_return", "direction_accuracy", _Skill("mse_return", "Skill, price")),
        *("pinball", "coverage_80", _SPREAD),
    ),
    tickers=("origins", _Skill("mse", "Skill, price"), _SPREAD, "coverage_80"),
    best=("skill_pinball", "The best spread first"),
)
_CLASSES = _Kind(
    replace(class_page.CLASSES, figures=lambda own: class_page.CLASSES.figures(own)[:2]),
    "class_group.html",
    group_skills.CLASSES,
    pooled=("accuracy", _CALLS, "log_loss", _ODDS),
    tickers=("origins", "accuracy", _CALLS, "log_loss", _ODDS),
    best=("skill_log_loss", "The best odds first"),
)


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
        history: As in `run_page.write_report`.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    kind = _CLASSES if document["target"] in CLASSES else _PRICES
    network, step = str(document["network"]), int(document["horizon"])
    by, caption = kind.best
    rows = sorted(
        (_own_row(run, network, step) for run in runs),
        key=lambda row: finite(row.get(by)) or float("-inf"),
        reverse=True,
    )
    by_model = {row["model"]: row for row in document["scores"]}
    whole = by_model[network]
    pictures = [
        group_skills.group_skills(rows, whole, model=network, step=step, panels=kind.panels),
        training_curve(history, ticker=f"{len(rows)} tickers", model=network),
    ]
    shown = {
        **document,
        "settings": runs[0].get("settings"),
        "versions": runs[0].get("versions"),
        # The figures below the verdict.
        "scores": [
            {**row, "step": step, **_as_price(row)}
            for name, row in by_model.items()
            if name in (network, "drift")
        ],
    }
    text = render_page(
        shown,
        pictures,
        template=kind.template,
        sections=(),
        extra=[
            _pooled_table(document, network, kind.pooled),
            _tickers_table(rows, kind.tickers, caption=caption),
        ],
        side=kind.side,
    )
    return write_page(folder, text, pictures)


def _own_row(run: Mapping[str, Any], network: str, step: int) -> dict[str, Any]:
    """The network's scores of one ticker at the last step, and what it is called."""
    row = next(row for row in run["scores"] if row["model"] == network and row["step"] == step)
    page = f"../../{run['ticker']}/{run['run']}/index.html"
    return {**row, "ticker": run["ticker"], "page": page}


def _as_price(row: Mapping[str, Any]) -> dict[str, Any]:
    """A price is judged by its return: prices of different tickers cannot be added up."""
    return {f"{name}_mse": row.get(f"{name}_mse_return") for name in ("skill", "dm_p")}


def _pooled_table(
    document: Mapping[str, Any], network: str, columns: Sequence[str | _Skill]
) -> Table:
    rows = [
        Row(
            str(row["model"]),
            MODELS.get(str(row["model"]), "the network" if row["model"] == network else ""),
            row["model"] == network,
            _cells(row, columns),
        )
        for row in document["scores"]
    ]
    caption = f"{len(document['tickers']):,} tickers, {document['forecasts']:,} forecasts"
    return Table(caption, _headings(columns), [("", rows)], ident="pooled", names="Model")


def _tickers_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str | _Skill], *, caption: str
) -> Table:
    body = [
        Row(
            str(row["ticker"]),
            "",
            False,
            # Without the intervals: a second line for each of so many is too much.
            [replace(cell, note="") for cell in _cells(row, columns)],
            str(row["page"]),
        )
        for row in rows
    ]
    return Table(caption, _headings(columns), [("", body)], ident="tickers", names="Ticker")


def _cells(row: Mapping[str, Any], columns: Sequence[str | _Skill]) -> list[Cell]:
    return [
        cell
        for column in columns
        for cell in (
            skill_cells(row, column.loss)
            if isinstance(column, _Skill)
            else [Cell(METRICS[column].show(row.get(column)))]
        )
    ]


def _headings(columns: Sequence[str | _Skill]) -> list[tuple[str, str]]:
    return [
        heading
        for column in columns
        for heading in (
            [(column.heading, "%"), ("p", "")]
            if isinstance(column, _Skill)
            else [(METRICS[column].label, METRICS[column].unit)]
        )
    ]
