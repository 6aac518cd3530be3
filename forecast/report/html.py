"""The report of one run: five pictures or more as PNG files and one page that holds everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from forecast.files import write_atomically
from forecast.report import plots, tables, wording
from forecast.report.calibration import coverage_plot
from forecast.report.charts import history_strip, indicator_chart
from forecast.report.picture import Picture
from forecast.report.returns import lag_plot, return_scatter
from forecast.report.style import PALETTE
from forecast.report.training import training_curve

_TEMPLATES = Path(__file__).parent / "templates"
_SECTIONS = (("calibration", "Calibration"), ("audit", "Does anything see the future?"))
_OUTCOMES = {
    "beats": ("up", "▲", "beats"),
    "ties": ("even", "●", "ties with"),
    "loses": ("down", "▼", "loses to"),
}


@dataclass(frozen=True)
class Side:
    """What a page says of one kind of forecast: of prices, or of classes.

    Attributes:
        badges: Under the verdict: its key, what is judged, beside whom.
        figures: The figures to take away, from the network's row of scores.
        tables: Makers of the score tables.
        by: Columns of the scores by year or regime.
    """

    badges: tuple[tuple[str, str, str], ...]
    figures: Callable[[Mapping[str, Any]], list[tuple[str, str, str]]]
    tables: tuple[Callable[..., tables.Table | None], ...]
    by: tuple[str, ...]


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
    paths = write_pictures(folder, drawn)
    page = folder / "index.html"
    write_atomically(page, render_page(document, drawn).encode())
    return [*paths, page]


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
                    text=_text(lag) or "",
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


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> list[Path]:
    """The pictures as PNG files in a folder that exists.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    paths = [folder / f"{picture.name}.png" for picture in pictures]
    for path, picture in zip(paths, pictures, strict=True):
        write_atomically(path, picture.png())
    return paths


def render_page(
    document: Mapping[str, Any],
    pictures: Sequence[Picture],
    *,
    template: str = "report.html",
    sections: Sequence[tuple[str, str]] = _SECTIONS,
    extra: Sequence[tables.Table] = (),
    side: Side | None = None,
) -> str:
    """The page as text: self-contained, no script, no address outside it.

    Args:
        document: As `write_report`.
        pictures: Drawn on the page in this order.
        template: Which page.
        sections: `(key, heading)` of the document's keys that are text, rows, or both.
        extra: Tables that this template alone knows.
        side: Of prices, if None.
    """
    side = side or PRICES
    scores = [row for row in document.get("scores") or [] if isinstance(row, Mapping)]
    network, currency = str(document.get("network")), str(document.get("currency") or "currency")
    own = _own_scores(scores, network)
    page = page_environment().get_template(template)
    return page.render(
        run=_Lenient(document),
        palette=PALETTE,
        verdict=_verdict(document.get("verdict"), side),
        figures=side.figures(own),
        tables=[
            table
            for make in side.tables
            if (table := make(scores, network=network, currency=currency))
        ],
        every=tables.every_figure(scores, network=network, currency=currency),
        breakdowns=_breakdowns(document, network, currency, side),
        extra=extra,
        pictures=[(picture, Markup(picture.svg())) for picture in pictures],
        split=_split(document.get("split")),
        findings=[
            _Lenient(one) for one in document.get("findings") or [] if isinstance(one, Mapping)
        ],
        sections=[
            (title, words, table)
            for key, title in sections
            for words, table in [_section(document.get(key), title, currency, key)]
            if words or table
        ],
    )


@cache
def page_environment() -> Environment:
    """What every page is rendered with: the templates, and words for figures as filters."""
    # StrictUndefined: a misspelt name in the template fails the tests, not the reader.
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters())
    return environment


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


class _Lenient(dict[str, Any]):
    """A mapping whose missing keys are None: every key of the run's document may be absent."""

    def __missing__(self, key: str) -> None:
        return None


def _filters() -> dict[str, Callable[..., str]]:
    return {
        "number": wording.number,
        "whole": wording.whole,
        "price": wording.price,
        "day": wording.day,
        "known": _known,
        "ahead": wording.ahead,
        "unbroken": wording.unbroken,
        "months": wording.span,
    }


def _known(value: Any) -> str:
    """Any setting's value as text; nothing is an en dash."""
    if value is None or value in ("", [], {}, ()):
        return wording.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return str(value)


def _own_scores(scores: Sequence[Mapping[str, Any]], network: str) -> _Lenient:
    own = [row for row in scores if row.get("model") == network]
    last: Mapping[str, Any] = max(own, key=lambda row: row.get("step") or 0) if own else {}
    return _Lenient(last)


def _verdict(verdict: Any, side: Side) -> dict[str, Any]:
    """The sentence, and a badge for each thing that is judged."""
    known = verdict if isinstance(verdict, Mapping) else {}
    badges = []
    for key, what, rival in side.badges:
        if known.get(key) in _OUTCOMES:
            standing, symbol, verb = _OUTCOMES[known[key]]
            badges.append(
                {"what": what, "standing": standing, "symbol": symbol, "words": f"{verb} {rival}"}
            )
    return {"text": known.get("text"), "badges": badges}


def _figures(own: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The four figures to take away: `(value, what, note)`."""
    if not own:
        return []
    rival = own["pinball_reference"] or "EWMA and GARCH"
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
        (wording.percent(own["direction_accuracy"]), "of directions right", "a coin gets 50 %"),
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


def _breakdowns(
    document: Mapping[str, Any], network: str, currency: str, side: Side
) -> list[tables.Table]:
    """The network's scores by year and by how stormy the market was, at the last step."""
    found = []
    for key, first, caption in (
        ("by_year", "year", f"By year: {network}"),
        ("by_regime", "regime", f"By how stormy the market was: {network}"),
    ):
        rows = [row for row in document.get(key) or [] if isinstance(row, Mapping)]
        last = max((row.get("step") or 1 for row in rows), default=1)
        own = [
            {name: row.get(name) for name in (first, "origins", *side.by)}
            for row in rows
            if row.get("model", network) == network and (row.get("step") or 1) == last
        ]
        table = tables.plain_table(own, caption=caption, currency=currency, ident=key)
        found += [table] if table else []
    return found


def _split(split: Any) -> list[dict[str, Any]]:
    """The parts of the history with the width each takes of a bar."""
    parts = [
        {"name": name, **_Lenient(split[name])}
        for name in ("train", "validation", "test")
        if isinstance(split, Mapping) and isinstance(split.get(name), Mapping)
    ]
    whole = sum(wording.finite(part.get("origins")) or 0 for part in parts) or 1
    return [
        {
            "first": None,
            "last": None,
            "origins": None,
            **part,
            "share": max((wording.finite(part.get("origins")) or 0) / whole, 0.06),
        }
        for part in parts
    ]


def _text(section: Any) -> str | None:
    """The words of a section that is a text, or a mapping with a `text`."""
    words = section.get("text") if isinstance(section, Mapping) else section
    return words if isinstance(words, str) else None


def _section(
    section: Any, caption: str, currency: str, ident: str
) -> tuple[str | None, tables.Table | None]:
    """Words and table of a section: a text, a list of rows, or a mapping with `text`, `rows`."""
    rows = section.get("rows") if isinstance(section, Mapping) else section
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return _text(section), None
    if isinstance(section, Mapping):
        caption = section.get("caption") or caption
    rows = [_between(row) if "upto" in row else row for row in rows]
    return _text(section), tables.plain_table(rows, caption=caption, currency=currency, ident=ident)


def _between(row: Mapping[str, Any]) -> dict[str, Any]:
    """A bin of the calibration: the quantiles it lies between, and its shares of the outcomes."""
    ends = wording.percent(row["above"], 0).removesuffix(" %"), wording.percent(row["upto"], 0)
    return {
        "between_quantiles": " – ".join(ends),
        "expected": row["expected"],
        "observed": row["observed"],
    }
