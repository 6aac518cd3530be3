"""The page of `evaluate`, made of the same parts as a run's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.files import write_atomically
from forecast.report import plots, wording
from forecast.report.calibration import coverage_plot
from forecast.report.equity import RULES, equity
from forecast.report.html import render_page, write_pictures
from forecast.report.skills import fold_skills

_FOLD = ("skill_mse", "skill_pinball", "coverage_80", "direction_accuracy", "mae_price")


def write_evaluation(
    folder: Path,
    *,
    document: Mapping[str, Any],
    forecasts: pd.DataFrame,
    bars: pd.DataFrame,
    paths: pd.DataFrame,
) -> list[Path]:
    """Draw the pictures of an evaluation and write its page.

    Args:
        folder: Exists.
        document: One entry of `evaluate --json`.
        forecasts: Forecast frame of all folds' test parts.
        bars: Bars of the ticker.
        paths: As `Backtest.paths`.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    ticker, network = str(document["ticker"]), str(document["network"])
    step = int(document["horizon"])
    own = next(row for row in document["scores"] if row["model"] == network and row["step"] == step)
    pictures = [
        fold_skills(document["folds"], document["seeds"], own, ticker=ticker, model=network),
        equity(
            paths,
            document["backtest"],
            ticker=ticker,
            model=network,
            retrained=[fold["first"] for fold in document["folds"]],
        ),
        plots.price_forecast(
            forecasts,
            ticker=ticker,
            model=network,
            step=step,
            currency=document["currency"],
            late=document["lag"]["persistence"],
        ),
    ]
    held = coverage_plot(forecasts, ticker=ticker, model=network, step=step)
    pictures += [held] if held else []
    shown = {
        **document,
        "walk_forward": {
            "text": document["seeds"]["text"],
            "caption": "Scores of each fold’s test part",
            "rows": [_fold(fold) for fold in document["folds"]],
        },
        "by_seed": {
            "text": "The same folds with networks that differ by nothing but the seed of their "
            "weights and order. All other figures are of the mean of their forecasts.",
            "caption": "Scores of each seed, all folds",
            "rows": document["seeds"]["rows"],
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
        ("calibration", "Calibration"),
    )
    written = write_pictures(folder, pictures)
    page = folder / "index.html"
    text = render_page(shown, pictures, template="evaluation.html", sections=sections)
    write_atomically(page, text.encode())
    return [*written, page]


def _fold(fold: Mapping[str, Any]) -> dict[str, Any]:
    train = fold["train"]
    return {
        "fold": fold["fold"],
        "trained_on": wording.span(train["first"], train["last"]),
        "tested_on": wording.span(fold["first"], fold["last"]),
        "origins": fold["origins"],
        **{key: fold[key] for key in _FOLD},
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
