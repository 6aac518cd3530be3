"""The report of one run that forecasts prices: its pictures as PNG files, and its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.evaluation.verdict import PLAIN_NAMES
from forecast.report import plots, tables, wording
from forecast.report.calibration import coverage_plot
from forecast.report.charts import history_strip, indicator_chart
from forecast.report.page import Side, render_page, write_page
from forecast.report.picture import Picture
from forecast.report.returns import lag_plot, return_scatter
from forecast.report.training import training_curve

_SECTIONS = (("calibration", "Calibration"), ("audit", "Does anything see the future?"))


def write_report(
    folder: Path,
    *,
    document: Mapping[str, Any],
    forecasts: pd.DataFrame,
    bars: pd.DataFrame,
    history: Mapping[str, Any],
    pictures: bool = True,
) -> list[Path]:
    """Draw a run's pictures and write its page.

    Args:
        folder: Exists; the pipeline makes it whole or not at all.
        document: One entry of `train --json`, and where known `settings`, `findings`, `notice`,
            `command`, `versions`, `snapshot`, `currency`, `by_year`, `by_regime`, `lag`,
            `calibration`, `audit`: a section is written only where its key is there.
        forecasts: Forecast frame of the test part; adjusted prices [quote currency].
        bars: Bars of the ticker.
        history: `loss`, `val_loss`, `learning_rate` by epoch, and `kept_epoch` (1-based).
        pictures: Draw them; without, the page holds the tables alone.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    drawn = draw_pictures(document, forecasts, bars, history) if pictures else []
    return write_page(folder, render_run(document, drawn), drawn)


def draw_pictures(
    document: Mapping[str, Any],
    forecasts: pd.DataFrame,
    bars: pd.DataFrame,
    history: Mapping[str, Any],
) -> list[Picture]:
    """The pictures of a run, in the order of its page; arguments as `write_report`."""
    ticker, model = wording.shorten(document.get("ticker"), 20), str(document.get("network"))
    currency = document.get("currency")
    steps = sorted(set(forecasts["step"]))
    drawn = []
    if steps:
        # The last step is the horizon that was asked for; the verdict speaks of it.
        first, last = int(steps[0]), int(steps[-1])
        lag = _mapping(document.get("lag"))
        late = bool(lag.get("persistence"))
        named = [(last, "price_forecast")]
        named += [(first, "price_forecast_step_1")] if first < last else []
        for step, name in named:
            drawn.append(
                plots.price_forecast(
                    forecasts,
                    ticker=ticker,
                    model=model,
                    step=step,
                    currency=currency,
                    late=late and step == last,
                    name=name,
                )
            )
        drawn.append(return_scatter(forecasts, bars, ticker=ticker, model=model, step=last))
        if lag.get("correlations"):
            drawn.append(
                lag_plot(
                    lag["correlations"],
                    late=late,
                    text=str(lag.get("text") or ""),
                    origins=int((forecasts["step"] == last).sum() / forecasts["model"].nunique()),
                    ticker=ticker,
                    model=model,
                    step=last,
                )
            )
        held = coverage_plot(forecasts, ticker=ticker, model=model, step=last)
        drawn += [held] if held else []
    drawn.append(training_curve(history, ticker=ticker, model=model))
    if len(bars):
        drawn.append(indicator_chart(bars, ticker=ticker, currency=currency))
        drawn.append(
            history_strip(
                bars,
                [one for one in document.get("findings") or [] if isinstance(one, Mapping)],
                _mapping(document.get("split")),
                ticker=ticker,
                currency=currency,
            )
        )
    return drawn


def render_run(document: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """The page as text; arguments as `write_report` and `render_page`."""
    return render_page(document, pictures, template="report.html", sections=_SECTIONS, side=PRICES)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _figures(own: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The four figures to take away: `(value, what, note)`."""
    if not own:
        return []
    rival = PLAIN_NAMES.get(own["pinball_reference"], "EWMA and GARCH")
    return [
        (
            wording.percent(own["skill_mse"], signed=True),
            "skill, price",
            f"squared error saved against last close, p {wording.equals(own['dm_p_mse'])}",
        ),
        (
            wording.percent(own["skill_pinball"], signed=True),
            "skill, spread",
            f"pinball loss saved against {rival}, p {wording.equals(own['dm_p_pinball'])}",
        ),
        (wording.percent(own["coverage_80"]), "of closes in the 80 % band", "80 % would be right"),
        (
            wording.percent(own["direction_accuracy"]),
            "of directions right",
            # Prices rise more often than they fall, the more so the further ahead.
            "a coin gets 50 %"
            if own["usual_direction"] is None
            else f"naming the usual one each time gets {wording.percent(own['usual_direction'])}",
        ),
    ]


PRICES = Side(
    badges=(
        ("price", "Price", "last close"),
        ("uncertainty", "Spread", "the better of EWMA and GARCH"),
    ),
    figures=_figures,
    tables=(
        partial(
            tables.score_table,
            metrics=("mse_price", "rmse_price", "mae_price", "mape", "direction_accuracy"),
            loss="mse",
            caption="Price: how near the point forecast came",
            note="Skill: by how much the mean squared error is below that of last_close.",
        ),
        partial(
            tables.score_table,
            metrics=(
                *("pinball", "crps", "winkler_80"),
                *("coverage_50", "coverage_80", "coverage_90"),
            ),
            loss="pinball",
            caption="Spread: how well the band fitted",
            note="Skill: by how much the pinball loss is below that of the better of ewma and "
            "garch.",
        ),
    ),
    by=("mae_price", "direction_accuracy", "skill_mse", "pinball", "coverage_80", "skill_pinball"),
)
