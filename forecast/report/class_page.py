"""The page of one run that forecasts classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.report import tables, wording
from forecast.report.charts import history_strip, indicator_chart
from forecast.report.class_pictures import (
    PLAIN,
    confusion_picture,
    odds_picture,
    reliability_picture,
)
from forecast.report.page import Side, render_page, write_page
from forecast.report.picture import Picture
from forecast.report.training import training_curve

HELD = (("reliability", "Do the odds hold?"), ("confusion", "What was named and what came"))
"""Sections of every page of classes."""


def write_class_report(
    folder: Path,
    *,
    document: Mapping[str, Any],
    probabilities: pd.DataFrame,
    bars: pd.DataFrame,
    history: Mapping[str, Any],
    pictures: bool = True,
) -> list[Path]:
    """Draw a run's pictures and write its page.

    Args:
        folder: Exists.
        document: One entry of `train --json`.
        probabilities: Class forecasts of the test part, the network's and the baselines'.
        bars: Bars of the ticker.
        history: As `run_page.write_report`.
        pictures: Draw them.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    drawn = _pictures(document, probabilities, bars, history) if pictures else []
    text = render_page(
        {**document, **shown(document), "asked": asked(document, [document])},
        drawn,
        template="classes.html",
        sections=(*HELD, ("audit", "Does anything see the future?")),
        side=CLASSES,
    )
    return write_page(folder, text, drawn)


def shown(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a page shows of a document's `scores`, `reliability` and `confusion`."""
    held, matrix = document["reliability"], document["confusion"]
    return {
        # Of prices the rows hold nothing: columns of dashes would hide the others.
        "scores": [
            {name: value for name, value in row.items() if value is not None}
            for row in document["scores"]
        ],
        "reliability": {
            **held,
            "caption": "Groups of forecasts, by class",
            "rows": [{**row, "class": PLAIN[row["class"]]} for row in held["rows"]],
        },
        "confusion": {
            "caption": "What came, by row, and how often it was named as what",
            "rows": [{**row, "came": PLAIN[row["came"]]} for row in matrix["rows"]],
        },
    }


def _pictures(
    document: Mapping[str, Any],
    probabilities: pd.DataFrame,
    bars: pd.DataFrame,
    history: Mapping[str, Any],
) -> list[Picture]:
    ticker, model = wording.shorten(document["ticker"], 20), str(document["network"])
    return [
        *held_pictures(document, probabilities),
        training_curve(history, ticker=ticker, model=model),
        indicator_chart(bars, ticker=ticker, currency=document["currency"]),
        history_strip(
            bars,
            document["findings"],
            document["split"],
            ticker=ticker,
            currency=document["currency"],
        ),
    ]


def held_pictures(document: Mapping[str, Any], probabilities: pd.DataFrame) -> list[Picture]:
    """What was named and what came, whether the odds hold, and the odds over time."""
    ticker, model = wording.shorten(document["ticker"], 20), str(document["network"])
    step = int(document["horizon"])
    return [
        confusion_picture(
            document["confusion"]["rows"],
            document["scores"],
            ticker=ticker,
            model=model,
            step=step,
        ),
        reliability_picture(
            document["reliability"]["rows"],
            ticker=ticker,
            model=model,
            step=step,
            text=document["reliability"]["text"],
        ),
        odds_picture(probabilities, ticker=ticker, model=model, step=step),
    ]


def asked(document: Mapping[str, Any], fitted: Sequence[Mapping[str, Any]]) -> str:
    """What the network was asked, in words.

    Args:
        document: One entry of `train --json` or `evaluate --json`.
        fitted: With the `threshold` of a move, one for each training part.
    """
    step = int(document["horizon"])
    if document["target"] == "direction":
        return f"Is the close up, {wording.ahead(step)}? Unchanged is not up."
    sizes = [float(one["threshold"]) for one in fitted]
    most = " to ".join(dict.fromkeys(wording.number(size, 3) for size in (min(sizes), max(sizes))))
    return (
        f"Does the close go down, stay flat or go up, {wording.ahead(step)}? Flat is a move of at "
        f"most {most} times its expected size at that moment, "
        "which makes the three about equally frequent in the training part."
    )


def _figures(own: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The four figures to take away: `(value, what, note)`."""
    if not own:
        return []
    return [
        (
            wording.percent(own.get("accuracy")),
            "of calls right",
            "it always names the commonest class"
            if own.get("dm_p_error") is None
            else f"against the commonest class p {wording.equals(own['dm_p_error'])}",
        ),
        (
            wording.percent(own.get("skill_log_loss"), signed=True),
            "skill, odds",
            "log loss saved against the usual shares, p "
            + wording.equals(own.get("dm_p_log_loss")),
        ),
        (
            wording.percent(own.get("balanced_accuracy")),
            "right, classes alike",
            "mean over the classes of how many of each were named",
        ),
        (wording.fixed(own.get("roc_auc"), 3), "ROC AUC", "0.5 is chance, 1 perfect"),
    ]


CLASSES = Side(
    badges=(
        ("price", "Calls", "the commonest class"),
        ("uncertainty", "Odds", "the usual shares"),
    ),
    figures=_figures,
    tables=(
        partial(
            tables.score_table,
            metrics=("accuracy", "balanced_accuracy", "precision", "recall", "f1"),
            loss="error",
            caption="Calls: how often the class that was named came",
            note="Skill: by how much wrong calls are rarer than those of majority.",
        ),
        partial(
            tables.score_table,
            metrics=("log_loss", "brier", "roc_auc"),
            loss="log_loss",
            caption="Probabilities: what the odds were worth",
            note="Skill: by how much the log loss is below that of majority, the usual shares.",
        ),
    ),
    by=("accuracy", "log_loss", "skill_error", "skill_log_loss"),
)
