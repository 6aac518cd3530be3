"""Pictures of class forecasts: what was named and what came, and whether the odds hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, GREEN, INK, LINE, MUTED, ORANGE, RULE
from forecast.report.wording import ahead, count, percent, span

PLAIN = {"not_up": "not up", "up": "up", "down": "down", "flat": "flat"}
"""Names of the classes in words."""
COLOURS = {"not_up": ORANGE, "up": BLUE, "down": ORANGE, "flat": GREEN}
_PREFIX = "probability_"


def confusion_picture(
    rows: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    *,
    ticker: str,
    model: str,
    step: int,
) -> Picture:
    """How often each class that came was named as each class.

    Args:
        rows: One a class that came: `came`, and a count for each class that was named.
        scores: The score table, for the title.
        ticker: Named in the title.
        model: The network.
        step: Sessions ahead.
    """
    classes = [str(row["came"]) for row in rows]
    counts = np.array([[int(row[name]) for name in classes] for row in rows])
    came = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(came, 1)
    right = float(np.trace(counts) / max(counts.sum(), 1))
    usual = next(
        (
            row.get("accuracy")
            for row in scores
            if row.get("model") == "majority" and row.get("step") == step
        ),
        None,
    )
    title = f"{ticker}: {model} names the right class {percent(right)} of the time"
    if usual is not None:
        title += f", the commonest class comes {percent(usual)}"
    figure = style.new_figure(
        title, f"{ahead(step)} · {int(counts.sum()):,} forecasts of outcomes that it never saw"
    )
    axes = figure.add_axes((0.16, 0.17, 0.6, 0.65))
    axes.set_facecolor("none")
    for side in axes.spines.values():
        side.set_visible(False)
    size = len(classes)
    for y in range(size):
        for x in range(size):
            axes.fill_between(
                [x - 0.48, x + 0.48],
                y - 0.47,
                y + 0.47,
                color=BLUE if x == y else ORANGE,
                alpha=0.08 + 0.4 * float(shares[y, x]),
                linewidth=0,
            )
            axes.text(
                x, y - 0.08, f"{counts[y, x]:,}", ha="center", va="center", size=22, color=INK
            )
            axes.text(
                x,
                y + 0.2,
                f"{percent(shares[y, x], 0)} of {PLAIN[classes[y]]}",
                ha="center",
                va="center",
                size=style.BODY,
                color=INK,
            )
        axes.text(
            size - 0.44,
            y,
            f"came {int(came[y, 0]):,} times",
            ha="left",
            va="center",
            size=style.BODY,
            color=MUTED,
        )
    named = counts.sum(axis=0)
    axes.set_xticks(
        range(size),
        [f"{PLAIN[name]}\n{int(named[x]):,} times" for x, name in enumerate(classes)],
    )
    axes.set_yticks(range(size), [PLAIN[name] for name in classes])
    axes.tick_params(length=0, labelsize=style.BODY, colors=INK, pad=6)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xlabel("the network named", size=style.BODY, color=MUTED, labelpad=6)
    axes.set_ylabel("what came", size=style.BODY, color=MUTED, labelpad=10)
    alt = f"Confusion matrix. {title}. " + " ".join(
        f"Of {int(came[y, 0]):,} {PLAIN[name]} {int(counts[y, y]):,} were named."
        for y, name in enumerate(classes)
    )
    reading = (
        "Each row is what came, each column what the network named: blue fields are right, orange "
        "ones wrong, and the stronger the colour, the larger the share of the row. Rows that look "
        "alike mean that the network cannot tell the classes apart."
    )
    return Picture("confusion", figure, title, alt, reading)


def reliability_picture(
    rows: Sequence[Mapping[str, Any]], *, ticker: str, model: str, step: int, text: str
) -> Picture:
    """Stated probabilities beside the shares that came, a panel a class.

    Args:
        rows: As `evaluation.reliability` gives them.
        ticker: Named in the title.
        model: The network.
        step: Sessions ahead.
        text: What the table says, in words.
    """
    table = pd.DataFrame(list(rows))
    classes = list(dict.fromkeys(table["class"]))
    held = int(((table["low"] <= table["said"]) & (table["said"] <= table["high"])).sum())
    title = f"{ticker}: the odds hold in {held} of {len(table)} groups of forecasts"
    figure = style.new_figure(
        title, f"{model} · {ahead(step)} · calibrated on the validation part alone"
    )
    grid = figure.add_gridspec(
        1, len(classes), left=style.LEFT, right=0.965, bottom=0.125, top=0.79, wspace=0.16
    )
    low = 100 * min(table["said"].min(), table["low"].min())
    high = 100 * max(table["said"].max(), table["high"].max())
    margin = 0.04 * (high - low) + 0.5
    for place, name in enumerate(classes):
        own = table[table["class"] == name]
        axes = figure.add_subplot(grid[place])
        style.dress(
            axes,
            ylabel="came [% of the group]" if place == 0 else None,
            heading=f"{PLAIN[name]}: {count(len(own), 'group')} of {own['forecasts'].iloc[0]}",
        )
        axes.plot(
            [low - margin, high + margin],
            [low - margin, high + margin],
            color=MUTED,
            linewidth=1.3,
            linestyle=(0, (5, 3)),
            label="what is said comes",
        )
        said, came = 100 * own["said"].to_numpy(), 100 * own["came"].to_numpy()
        inside = ((own["low"] <= own["said"]) & (own["said"] <= own["high"])).to_numpy()
        axes.vlines(said, 100 * own["low"], 100 * own["high"], color=RULE, linewidth=2.2)
        for chosen, colour, label in ((inside, BLUE, "holds"), (~inside, ORANGE, "does not")):
            axes.plot(
                said[chosen],
                came[chosen],
                linestyle="none",
                marker="o",
                markersize=8,
                color=colour,
                label=label,
            )
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(low - margin, high + margin)
        axes.xaxis.set_major_locator(mticker.MaxNLocator(nbins=6))
        axes.xaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
        axes.set_xlabel("said [%]", size=style.SMALL, color=MUTED)
        if place:
            axes.tick_params(axis="y", labelleft=False)
    alt = f"Reliability diagram. {title}. {text}"
    reading = (
        "Each point is a group of forecasts with about the same probability: how often the class "
        "then came should be what was said, on the dashed line. The grey bars are what chance "
        "alone would allow, nineteen times in twenty; points close together on the horizontal axis "
        "mean that the network says nearly the same of every session."
    )
    return Picture("reliability", figure, title, alt, reading, text)


def odds_picture(forecasts: pd.DataFrame, *, ticker: str, model: str, step: int) -> Picture:
    """The probability of each class over the test part, beside its usual share.

    Args:
        forecasts: Class forecasts, as `probabilities.csv` holds them.
        ticker: Named in the title.
        model: The network.
        step: Which step to draw.
    """
    drawn = forecasts[forecasts["step"] == step].sort_values("session")
    own, usual = (drawn[drawn["model"] == name] for name in (model, "majority"))
    names = [str(name) for name in own if str(name).startswith(_PREFIX)]
    shown = names[1:] if len(names) == 2 else names
    spread = [float(own[name].max() - own[name].min()) for name in shown]
    widest = shown[int(np.argmax(spread))]
    label = PLAIN[widest.removeprefix(_PREFIX)]
    title = (
        f"{ticker}: the probability of {label} lies between {percent(own[widest].min(), 0)} and "
        f"{percent(own[widest].max(), 0)}"
    )
    figure = style.new_figure(
        title,
        f"{model} · {ahead(step)} · {span(own['session'].iloc[0], own['session'].iloc[-1])}",
    )
    axes = figure.add_axes(
        (style.LEFT, style.BOTTOM, style.RIGHT - style.LEFT, style.TOP - style.BOTTOM - 0.02)
    )
    style.dress(axes, ylabel="probability [%]")
    days = style.days_of(own["session"])
    ends = []
    for name in shown:
        key = name.removeprefix(_PREFIX)
        colour = COLOURS[key]
        axes.plot(days, 100 * usual[name], color=colour, linewidth=1.1, linestyle=(0, (5, 3)))
        axes.plot(days, 100 * own[name], color=colour, linewidth=LINE, label=PLAIN[key])
        ends.append((100 * float(own[name].iloc[-1]), PLAIN[key], colour))
        if len(shown) == 1:
            ends.append((100 * float(usual[name].iloc[-1]), "usual share", MUTED))
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=7))
    style.date_axis(axes, days)
    style.label_ends(axes, ends)
    alt = f"Line chart of the probabilities over the test part. {title}."
    reading = (
        "The dashed lines are how often each class came in the training part: what can be said "
        "without looking. A line that stays near its dashed one says that the network found little "
        "to go by."
    )
    return Picture("odds", figure, title, alt, reading)
