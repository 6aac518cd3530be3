"""How much better than the references, ticker by ticker: what one network does for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, ORANGE, RULE
from forecast.report.tables import standing_of
from forecast.report.wording import ahead, count, finite, percent


@dataclass(frozen=True)
class Panels:
    """What is drawn of each ticker, or of each fold.

    Attributes:
        headings: What `skill_…` ends in → heading of its panel; the last one is the title's.
        pooled: The same → column of the pooled scores.
        better: The title's words before the number of those that are.
        worse: The same.
        beat: The title's words before the number of folds in which it was.
    """

    headings: Mapping[str, str]
    pooled: Mapping[str, str]
    better: str
    worse: str
    beat: str


PRICES = Panels(
    {
        "mse": "Price: squared error below last close",
        "pinball": "Spread: pinball loss below the better of EWMA and GARCH",
    },
    {"mse": "skill_mse_return", "pinball": "skill_pinball"},
    "the spread beats EWMA and GARCH for",
    "loses for",
    "the spread was better than EWMA and GARCH",
)
CLASSES = Panels(
    {
        "error": "Calls: wrong ones rarer than those of the commonest class",
        "log_loss": "Odds: log loss below that of the usual shares",
    },
    {"error": "skill_error", "log_loss": "skill_log_loss"},
    "the odds beat the usual shares for",
    "lose for",
    "the odds were better than the usual shares",
)
# An outlier must not squeeze all others together.
_REACH = 6.0


def group_skills(
    rows: Sequence[Mapping[str, Any]],
    whole: Mapping[str, Any],
    *,
    model: str,
    step: int,
    panels: Panels = PRICES,
) -> Picture:
    """Skill of each ticker in order, a panel a loss, with that of all together.

    Args:
        rows: The network's row of each ticker's score table, with `ticker`.
        whole: Its row of the pooled scores.
        model: The network.
        step: Sessions ahead.
        panels: Of prices, or of classes.
    """
    judged = list(panels.headings)[-1]
    many = count(len(rows), "ticker")
    better, worse = (
        sum(_standing(row, judged) == standing for row in rows) for standing in ("up", "down")
    )
    title = f"{many}: {panels.better} {better}, {panels.worse} {worse}"
    skill = finite(whole.get(panels.pooled[judged]))
    if skill is not None:
        title += f"; all together {percent(skill, 1, signed=True)}"
    figure = style.new_figure(
        title,
        f"one {model} over all, {ahead(step)} · blue better, orange worse, p < 0.05; grey: chance",
    )
    grid = figure.add_gridspec(
        2, 1, left=style.LEFT, right=style.RIGHT, bottom=0.115, top=0.8, hspace=0.34
    )
    for place, (kind, heading) in enumerate(panels.headings.items()):
        axes = figure.add_subplot(grid[place])
        style.dress(axes, ylabel="skill [%]", heading=heading)
        _draw(axes, rows, kind, finite(whole.get(panels.pooled[kind])))
        if place:
            axes.set_xlabel("tickers, each panel in its own order", size=style.SMALL, color=MUTED)
    alt = f"Skill by ticker. {title}."
    reading = (
        "One mark a ticker, the lowest skill left. Blue marks above the dashed line are better "
        "than the reference with p < 0.05, orange ones below worse; grey ones may be chance. Where "
        "nothing differs, chance alone makes one ticker in forty blue and one orange. "
        "The label at the right is the skill over all tickers. Triangles lie beyond the panel; "
        "where the reference never errs there is no skill, and no mark."
    )
    return Picture("group_skills", figure, title, alt, reading)


def _draw(axes: Axes, rows: Sequence[Mapping[str, Any]], kind: str, pooled: float | None) -> None:
    known = [row for row in rows if finite(row.get(f"skill_{kind}")) is not None]
    known.sort(key=lambda row: float(row[f"skill_{kind}"]))
    skills = np.array([100 * float(row[f"skill_{kind}"]) for row in known])
    axes.axhline(0, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)))
    if known:
        middle = float(np.median(np.abs(skills)))
        # The line of all together is within, triangles at the edges.
        reach = max(_REACH * middle, 0.02, 100 * abs(pooled or 0.0))
        at, shown = np.arange(len(known)), np.clip(skills, -reach, reach)
        standings = np.array([_standing(row, kind) for row in known])
        size = float(np.clip(420 / len(known), 3.0, 9.0))
        for standing, colour in (("even", MUTED), ("up", BLUE), ("down", ORANGE)):
            for marker, chosen in (
                ("o", np.abs(skills) <= reach),
                ("^", skills > reach),
                ("v", skills < -reach),
            ):
                mask = (standings == standing) & chosen
                axes.plot(
                    at[mask],
                    shown[mask],
                    linestyle="none",
                    marker=marker,
                    markersize=size,
                    color=colour,
                    markeredgewidth=0,
                )
        axes.set_xlim(-0.02 * len(known) - 0.5, 1.02 * len(known) - 0.5)
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=5))
    if 1 < len(known) <= 12:
        axes.set_xticks(np.arange(len(known)), [str(row["ticker"]) for row in known])
    else:
        axes.set_xticks([])
    ends = [(0.0, "reference", MUTED)]
    if pooled is not None:
        axes.axhline(100 * pooled, color=RULE, linewidth=1.3)
        ends.append((100 * pooled, f"all {100 * pooled:+.2f}".replace("-", "−"), INK))
    style.label_ends(axes, ends)


def _standing(row: Mapping[str, Any], kind: str) -> str:
    skill, p = finite(row.get(f"skill_{kind}")), finite(row.get(f"dm_p_{kind}"))
    return standing_of(skill, p) or "even"
