"""Pictures of a search: how it went on, what each setting did, what it cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, ORANGE, RULE
from forecast.report.tuning_text import setting_text
from forecast.report.wording import count, fixed, number, percent, shorten

_COLUMNS = 4
_LONGEST = 14
_ROOM = 19
"""So many characters stand beside each other below a panel."""
_FAR = 3.0
"""So many times the median distance from the best loss a trial may lie before it is cut off."""


class Losses:
    """The losses of a search's finished trials, in percent of that of the settings as they are.

    Attributes:
        done: The finished trials.
        best: The one with the lowest loss.
        values: Loss of each against the settings as they are [%]; below zero is better. Against
            the best trial where the settings as they are failed.
        reference: In words, what zero is.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.done = [one for one in document["trials"] if one["state"] == "done"]
        self.best = min(self.done, key=lambda one: (one["value"], one["trial"]))
        default = document["default"]
        base = (default or self.best)["value"]
        self.reference = "the settings as they are" if default else "the best trial"
        self.values = np.array([100 * (one["value"] / base - 1) for one in self.done])
        self.lowest = 100 * (self.best["value"] / base - 1)

    def top(self) -> float:
        """The highest loss that is drawn; one far off must not press all others together."""
        above = self.values - self.lowest
        usual = float(np.median(above[above > 0])) if (above > 0).any() else 0.1
        top = max(float(np.quantile(self.values, 0.75)), self.lowest + _FAR * usual, 0.05)
        return min(top, max(float(self.values.max()), 0.05))

    def draw(self, axes: Axes, at: np.ndarray, *, size: float = 6.5) -> None:
        """A circle a trial; a triangle at the top where it lies above."""
        top = self.top()
        inside = self.values <= top
        _dots(axes, at[inside], self.values[inside], MUTED, "o", size=size)
        _dots(axes, at[~inside], np.full((~inside).sum(), top), MUTED, "^", size=size)

    def limit(self, axes: Axes) -> None:
        """The same height for every picture of the search."""
        height = self.top() - self.lowest
        axes.set_ylim(self.lowest - 0.1 * height, self.top() + 0.1 * height)


def search_progress(document: Mapping[str, Any]) -> Picture:
    """Loss of every trial in the order of the trials, and the best so far."""
    losses, trials = Losses(document), document["trials"]
    saved = -losses.lowest
    title = f"{document['ticker']}: nothing beat the settings as they are"
    if losses.lowest < 0:
        title = (
            f"{document['ticker']}: trial {losses.best['trial']} of {len(trials)} saved "
            f"{fixed(saved)} % of the held-out loss"
        )
    counts = ", ".join(f"{many} {state}" for state, many in document["counts"].items() if many)
    figure = style.new_figure(
        title,
        f"{document['search']} search · {counts} · walk-forward validation in "
        f"{count(len(document['folds']), 'fold')} before the test part",
    )
    axes = figure.add_axes((style.LEFT, 0.125, style.RIGHT - style.LEFT, style.TOP - 0.125))
    style.dress(axes, ylabel=f"loss against {losses.reference} [%]")
    axes.axhline(0, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)))
    at = np.array([one["trial"] for one in losses.done])
    losses.draw(axes, at)
    soonest = np.minimum.accumulate(losses.values)
    axes.step(
        np.append(at, len(trials) - 1 + 0.4),
        np.append(soonest, soonest[-1]),
        where="post",
        color=BLUE,
        linewidth=2,
        label="best so far",
    )
    _dots(axes, [losses.best["trial"]], [losses.lowest], ORANGE, "D", size=9)
    losses.limit(axes)
    for state, marker, colour in (("pruned", "|", MUTED), ("failed", "x", ORANGE)):
        there = [one["trial"] for one in trials if one["state"] == state]
        axes.plot(
            there,
            np.full(len(there), 0.015),
            transform=axes.get_xaxis_transform(),
            linestyle="none",
            marker=marker,
            markersize=8,
            markeredgewidth=1.6,
            color=colour,
            label=state,
        )
    axes.set_xlim(-0.6, max(len(trials) - 0.4, 0.6))
    axes.xaxis.set_major_locator(mticker.MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.set_xlabel("trial", size=style.SMALL, color=MUTED)
    style.label_ends(
        axes,
        [(0.0, "as set", MUTED), (losses.lowest, f"best {_signed(losses.lowest)}", BLUE)],
    )
    return Picture(
        "search_progress",
        figure,
        title,
        f"Loss of each trial. {title}. {counts}.",
        "Each circle is a trial: one choice of settings, trained and scored in every fold. The "
        "line is the best so far, the diamond the best of all; triangles lie above the picture, "
        "bars and crosses at the foot are trials that were cut short or failed. The best of many "
        "looks better than it is.",
    )


def search_settings(document: Mapping[str, Any]) -> Picture:
    """Loss by the value of each setting that was searched."""
    losses = Losses(document)
    names = [name for name in document["space"] if name in losses.best["settings"]]
    apart = float(losses.values.max()) - losses.lowest
    title = (
        f"{document['ticker']}: {number(apart, 3)} % lie between the best and the worst of "
        f"{count(len(losses.done), 'trial')}"
    )
    figure = style.new_figure(
        title, f"loss against {losses.reference} [%] · ◆ the best trial · – median"
    )
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    grid = figure.add_gridspec(
        rows, columns, left=0.075, right=0.975, bottom=0.1, top=0.79, hspace=0.55, wspace=0.24
    )
    for place, name in enumerate(names):
        axes = figure.add_subplot(grid[divmod(place, columns)])
        style.dress(axes, heading=name.replace("_", " "))
        if place % columns:
            axes.tick_params(axis="y", labelleft=False)
        _by_value(axes, losses, name, document["space"][name])
    return Picture(
        "search_settings",
        figure,
        title,
        f"Loss of each trial by the value of {', '.join(names)}. {title}.",
        f"Loss in percent of that of {losses.reference}; lower is better. A setting matters where "
        "its circles as a whole lie lower on one side. Differences smaller than the scatter of "
        "the circles are chance; triangles lie above the picture.",
    )


def search_time(document: Mapping[str, Any]) -> Picture:
    """Loss against the time that each trial took."""
    losses = Losses(document)
    seconds = np.array([one["seconds"] for one in losses.done])
    usual, best = float(np.median(seconds)), float(losses.best["seconds"])
    title = (
        f"{document['ticker']}: a trial took {number(usual, 3)} s, the best one {number(best, 3)} s"
    )
    figure = style.new_figure(
        title,
        f"median of {count(len(seconds), 'trial')} · {number(document['seconds']['trials'], 3)} s "
        "for all of them",
    )
    axes = figure.add_axes((style.LEFT, 0.125, style.RIGHT - style.LEFT, style.TOP - 0.125))
    style.dress(axes, ylabel=f"loss against {losses.reference} [%]")
    axes.axhline(0, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)))
    losses.draw(axes, seconds)
    order = np.argsort(seconds, kind="stable")
    front = order[losses.values[order] <= np.minimum.accumulate(losses.values[order])]
    front = front[losses.values[front] <= losses.top()]
    axes.plot(seconds[front], losses.values[front], color=BLUE, linewidth=1.6, label="front")
    _dots(axes, seconds[front], losses.values[front], BLUE, "o")
    _dots(axes, [best], [losses.lowest], ORANGE, "D", size=9)
    losses.limit(axes)
    axes.margins(x=0.04)
    axes.set_xlabel("seconds a trial, all folds", size=style.SMALL, color=MUTED)
    axes.xaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
    style.label_ends(axes, [(0.0, "as set", MUTED), (losses.lowest, "best", ORANGE)])
    return Picture(
        "search_time",
        figure,
        title,
        f"Loss of each trial against its seconds. {title}.",
        "Bottom left is where a trial should be: a low loss in little time. The line joins the "
        "trials that no other beats in both; triangles lie above the picture. The first "
        "trial of a network's shape also pays for "
        "compiling it.",
    )


def search_importance(document: Mapping[str, Any]) -> Picture:
    """Share of the losses' spread that each setting explains."""
    shares = sorted(document["importance"].items(), key=lambda item: item[1])
    name, share = shares[-1]
    title = (
        f"{document['ticker']}: {name.replace('_', ' ')} explains {percent(share, 0)} of the spread"
    )
    figure = style.new_figure(title, "functional ANOVA over a forest of the finished trials")
    axes = figure.add_axes((0.17, 0.125, 0.72, style.TOP - 0.125))
    style.dress(axes)
    axes.grid(visible=False, axis="y")
    at = np.arange(len(shares))
    colours = [ORANGE if place == len(shares) - 1 else BLUE for place in at]
    axes.barh(at, [100 * value for _, value in shares], color=colours, height=0.62)
    for place, (_, value) in zip(at, shares, strict=True):
        axes.annotate(
            percent(value, 0),
            (100 * value, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            color=INK,
        )
    axes.set_yticks(at, [key.replace("_", " ") for key, _ in shares])
    axes.set_xlim(0, 108 * share if share > 0 else 1)
    axes.set_xlabel("share of the spread of the losses [%]", size=style.SMALL, color=MUTED)
    return Picture(
        "search_importance",
        figure,
        title,
        f"Bars. {title}. "
        + " ".join(f"{key}: {percent(value, 0)}." for key, value in reversed(shares)),
        "How much of the difference between trials goes back to each setting, by itself and with "
        "others. With few trials it is a hint, no more: see the circles above.",
    )


def _by_value(axes: Axes, losses: Losses, name: str, choices: Any) -> None:
    """One panel: the values of a setting from left to right."""
    said = [one["settings"][name] for one in losses.done]
    place = _on_a_scale if isinstance(choices, Mapping) else _side_by_side
    at = place(axes, losses, said, choices)
    axes.axhline(0, color=RULE, linewidth=1.0, linestyle=(0, (5, 3)))
    losses.draw(axes, at, size=5)
    _dots(axes, [at[losses.done.index(losses.best)]], [losses.lowest], ORANGE, "D", size=7)
    losses.limit(axes)
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=5))


def _on_a_scale(
    axes: Axes, losses: Losses, said: Sequence[Any], choices: Mapping[str, Any]
) -> np.ndarray:
    """Where each trial's value of a range lies, with an axis for all of it."""
    at = np.array(said, dtype=float)
    low, high = float(choices["from"]), float(choices["to"])
    axes.xaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
    if choices["log"]:
        # Zero has no place on such a scale: it stands to the left of what was searched.
        zero = low / (high / low) ** 0.3
        shown = [zero] if (at <= 0).any() else []
        ticks = [*shown, *_decades(low, high, most=4 - len(shown))]
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(mticker.NullLocator())
        words = ["0" if tick == zero else style.tick_text(tick) for tick in ticks]
        axes.set_xticks(ticks, words)
        at = np.where(at > 0, at, zero)
    else:
        whole = isinstance(choices["from"], int) and isinstance(choices["to"], int)
        axes.xaxis.set_major_locator(mticker.MaxNLocator(nbins=4, integer=whole))
    # All that was searched, not only what was drawn; the settings as they are may lie outside.
    axes.set_xlim(min(low, *at), max(high, *at))
    return at


def _decades(low: float, high: float, *, most: int) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten if there are two, else its ends."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / most))
    powers = [float(f"1e{power}") for power in range(first, last + 1, every)]
    return powers if len(powers) > 1 else [low, high]


def _side_by_side(
    axes: Axes, losses: Losses, said: Sequence[Any], choices: Sequence[Any]
) -> np.ndarray:
    """Where each trial's value of a list stands, with the median of its trials."""
    values = [setting_text(value) for value in [*choices, *said]]
    values = list(dict.fromkeys(values))
    at = np.array([values.index(setting_text(value)) for value in said], dtype=float)
    for place in range(len(values)):
        if (at == place).any():
            middle = float(np.median(losses.values[at == place]))
            if middle <= losses.top():
                axes.plot([place - 0.3, place + 0.3], [middle, middle], color=BLUE, linewidth=2)
    words = [shorten(value, _LONGEST) for value in values]
    axes.set_xticks(range(len(values)), words)
    if (max(map(len, words)) + 1) * len(words) > _ROOM:
        for label in axes.get_xticklabels():
            label.set(rotation=25, ha="right", rotation_mode="anchor", size=style.SMALL - 1.5)
    axes.set_xlim(-0.6, len(values) - 0.4)
    return at


def _dots(axes: Axes, x: Any, y: Any, colour: str, marker: str, *, size: float = 6.5) -> None:
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=marker,
        markersize=size,
        markerfacecolor=colour if colour != MUTED else "none",
        markeredgecolor=colour,
        markeredgewidth=1.2,
        zorder=3,
        clip_on=False,
    )


def _signed(value: float) -> str:
    return f"{value:+.2f} %".replace("-", "−")


def pictures_of(document: Mapping[str, Any]) -> Sequence[Picture]:
    """The pictures of a search, in the order of its page."""
    drawn = [search_progress(document), search_settings(document), search_time(document)]
    if document["importance"]:
        drawn.append(search_importance(document))
    return drawn
