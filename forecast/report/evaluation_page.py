"""The pages of `evaluate` and `compare`, made of the same parts as a run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.files import write_atomically
from forecast.report import plots, wording
from forecast.report.calibration import coverage_plot
from forecast.report.compared import compared_models
from forecast.report.equity import RULES, equity
from forecast.report.html import render_page, write_pictures
from forecast.report.picture import Picture
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
    return _write(folder, shown, pictures, "evaluation.html", sections)


def write_comparison(
    folder: Path, *, document: Mapping[str, Any], forecasts: pd.DataFrame
) -> list[Path]:
    """Draw the pictures of a comparison and write its page.

    Args:
        folder: Exists.
        document: One entry of `compare --json`.
        forecasts: Forecast frame of the test part.

    Returns, Raises: as `write_evaluation`.
    """
    ticker, step = str(document["ticker"]), int(document["horizon"])
    networks = {name: one for name, one in document["networks"].items() if not one["error"]}
    rows = [row for row in document["scores"] if row["step"] == step]
    seeds = len(document["seeds"])
    pictures = [
        compared_models(
            rows,
            networks,
            document["plausible"],
            ticker=ticker,
            title=f"{ticker}: {document['finding']}",
            subtitle=f"{wording.ahead(step)} · {wording.whole(rows[0]['origins'])} forecasts, "
            + wording.span(document["split"]["test"]["first"], document["split"]["test"]["last"])
            + (f" · mean of {seeds} seeds" if seeds > 1 else ""),
        )
    ]
    best = str(document["best"])
    held = coverage_plot(forecasts, ticker=ticker, model=best, step=step)
    pictures += [held] if held else []
    shown = {
        **document,
        "network": best,
        "ranking": {
            "caption": "Networks and baselines",
            "rows": [_ranked(row, networks.get(row["model"])) for row in rows],
        },
        "failed": [
            {"network": name, "error": f"{one['error']['type']}: {one['error']['message']}"}
            for name, one in document["networks"].items()
            if one["error"]
        ],
    }
    sections = (("ranking", "The best spread first"), ("failed", "Failed"))
    return _write(folder, shown, pictures, "comparison.html", sections)


_RANKED = (
    "model",
    "skill_pinball",
    "seeds_skill",
    "dm_p_pinball",
    "mcs_p_pinball",
    "coverage_80",
    "skill_mse",
    "dm_p_mse",
    "parameters",
    "seconds",
)


def _ranked(row: Mapping[str, Any], network: Mapping[str, Any] | None) -> dict[str, Any]:
    """A line of the ranking: a model's scores, and of a network what it took and its seeds."""
    known: dict[str, Any] = {**row, "seeds_skill": wording.NOTHING}
    if network is not None:
        mean, spread = (network[part]["skill_pinball"] for part in ("mean", "spread"))
        known |= {**network, "seeds_skill": wording.around(mean, spread)}
    return {key: known.get(key) for key in _RANKED}


def _write(
    folder: Path,
    document: Mapping[str, Any],
    pictures: Sequence[Picture],
    template: str,
    sections: Sequence[tuple[str, str]],
) -> list[Path]:
    paths = write_pictures(folder, pictures)
    page = folder / "index.html"
    text = render_page(document, pictures, template=template, sections=sections)
    write_atomically(page, text.encode())
    return [*paths, page]


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
