"""The page of `evaluate`, made of the same parts as a run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.features.targets import CLASSES
from forecast.report import class_page, group_skills, plots, run_page, wording
from forecast.report.calibration import coverage_plot
from forecast.report.equity import RULES, equity
from forecast.report.group_skills import Panels
from forecast.report.page import Side, render_page, write_page
from forecast.report.picture import Picture
from forecast.report.skills import fold_skills


@dataclass(frozen=True)
class _Kind:
    """What the page has of one kind of forecast, of prices or of classes.

    Attributes:
        side: As every page's.
        template: Its file.
        panels: Of the picture of the folds.
        fold: Scores of a fold, and of a seed, in a row.
        seed: The same of a seed.
        held: Sections that tell whether the forecasts hold what they say.
    """

    side: Side
    template: str
    panels: Panels
    fold: tuple[str, ...]
    seed: tuple[str, ...]
    held: tuple[tuple[str, str], ...]


_PRICES = _Kind(
    run_page.PRICES,
    "evaluation.html",
    group_skills.PRICES,
    fold=("skill_mse", "skill_pinball", "coverage_80", "direction_accuracy", "mae_price"),
    seed=(
        *("mse_price", "mae_price", "direction_accuracy", "pinball", "coverage_80"),
        *("skill_mse", "skill_pinball"),
    ),
    held=(("calibration", "Calibration"),),
)
_CLASSES = _Kind(
    class_page.CLASSES,
    "class_evaluation.html",
    group_skills.CLASSES,
    fold=(
        *("accuracy", "usual", "dm_p_error", "roc_auc"),
        *("skill_log_loss", "dm_p_log_loss"),
    ),
    seed=(
        *("accuracy", "skill_error", "balanced_accuracy", "precision", "recall", "f1", "roc_auc"),
        *("brier", "log_loss", "skill_log_loss"),
    ),
    held=class_page.HELD,
)


def write_evaluation(
    folder: Path,
    *,
    document: Mapping[str, Any],
    forecasts: pd.DataFrame,
    paths: pd.DataFrame,
) -> list[Path]:
    """Draw the pictures of an evaluation and write its page.

    Args:
        folder: Exists.
        document: One entry of `evaluate --json`.
        forecasts: Of all folds' test parts: a forecast frame, or class forecasts.
        paths: As `Backtest.paths`.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    classes = document["target"] in CLASSES
    kind, ticker, network = (
        _CLASSES if classes else _PRICES,
        str(document["ticker"]),
        str(document["network"]),
    )
    step = int(document["horizon"])
    own = next(row for row in document["scores"] if row["model"] == network and row["step"] == step)
    pictures = [
        fold_skills(
            document["folds"],
            document["seeds"],
            own,
            ticker=ticker,
            model=network,
            panels=kind.panels,
        ),
        equity(
            paths,
            document["backtest"],
            ticker=ticker,
            model=network,
            retrained=[fold["first"] for fold in document["folds"]],
        ),
        *(
            class_page.held_pictures(document, forecasts)
            if classes
            else _price_pictures(document, forecasts)
        ),
    ]
    shown = {
        **document,
        **(class_page.shown(document) if classes else {}),
        "asked": class_page.asked(document, document["folds"]) if classes else None,
        "walk_forward": {
            "text": document["seeds"]["text"],
            "caption": "Scores of each fold’s test part",
            "rows": [_fold(fold, kind.fold) for fold in document["folds"]],
        },
        "by_seed": {
            "text": "The same folds with networks that differ by nothing but the seed of their "
            "weights and order. All other figures are of the mean of their forecasts.",
            "caption": "Scores of each seed, all folds",
            "rows": [
                {key: row[key] for key in ("seed", *kind.seed)} for row in document["seeds"]["rows"]
            ],
        },
        "trades": {
            "text": document["backtest"]["text"],
            "caption": "What each rule would have earned",
            "rows": [_rule(row) for row in document["backtest"]["rows"]],
        },
    }
    sections = (
        ("walk_forward", "Fold by fold"),
        ("by_seed", "Seed by seed"),
        ("trades", "Would trading on it have paid?"),
        *kind.held,
    )
    text = render_page(shown, pictures, template=kind.template, sections=sections, side=kind.side)
    return write_page(folder, text, pictures)


def _price_pictures(document: Mapping[str, Any], forecasts: pd.DataFrame) -> list[Picture]:
    ticker, network = str(document["ticker"]), str(document["network"])
    step = int(document["horizon"])
    held = coverage_plot(forecasts, ticker=ticker, model=network, step=step)
    return [
        plots.price_forecast(
            forecasts,
            ticker=ticker,
            model=network,
            step=step,
            currency=document["currency"],
            late=document["lag"]["persistence"],
        ),
        *([held] if held else []),
    ]


def _fold(fold: Mapping[str, Any], scores: Sequence[str]) -> dict[str, Any]:
    train = fold["train"]
    return {
        "fold": fold["fold"],
        "trained_on": wording.span(train["first"], train["last"]),
        "tested_on": wording.span(fold["first"], fold["last"]),
        "origins": fold["origins"],
        **{key: fold[key] for key in scores},
    }


def _rule(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = (wording.fixed(row[f"sharpe_{end}"]) for end in ("low", "high"))
    return {
        "strategy": RULES[row["strategy"]],
        "annual_return": row["annual_return"],
        "volatility": row["volatility"],
        "sharpe": row["sharpe"],
        "sharpe_range": f"{low} to {high}",
        "deflated_sharpe": row["deflated_sharpe"],
        "max_drawdown": row["max_drawdown"],
        "turnover": row["turnover"],
        "break_even_cost": row["break_even_cost"],
        "total_return": row["total_return"],
    }
