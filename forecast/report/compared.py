"""Models side by side: how much better than the reference, how sure, and what training took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, PAPER
from forecast.report.wording import count, finite, number, percent, shorten

_HEADINGS = {
    "pinball": "Spread: pinball loss below {}",
    "mse": "Price: below last close",
    "log_loss": "Odds: better than usual shares",
    "error": "Calls: fewer wrong",
    "seconds": "Training a seed",
}
_READING = (
    "Right of the dashed line a model is better than the reference; bars are 95 % intervals. "
    "Diamonds are networks, filled where they cannot be told from the best, and small circles "
    "their single seeds. Where circles scatter wider than diamonds differ, the "
    "seed matters more than the network. A square is filled where no other network is both better "
    "and quicker. Arrows point to values outside."
)


def compared_models(
    scores: Sequence[Mapping[str, Any]],
    networks: Mapping[str, Mapping[str, Any]],
    plausible: Sequence[str],
    *,
    losses: Sequence[str],
    ticker: str,
    title: str,
    subtitle: str,
) -> Picture:
    """Skill of every model with its 95 % interval and seeds, and the networks' training time.

    Args:
        scores: Rows of the score table at one step, the best first.
        networks: As `networks` of `compare --json`, without those that failed.
        plausible: Networks that cannot be told from the best.
        losses: What is drawn: the ends of two columns `skill_…`.
        ticker: Named in the alternative text.
        title: The finding.
        subtitle: What was compared.
    """
    figure = style.new_figure(title, subtitle)
    grid = figure.add_gridspec(
        1,
        3,
        left=0.15,
        right=0.975,
        bottom=0.115,
        top=0.79,
        wspace=0.09,
        width_ratios=(1.55, 1.0, 1.0),
    )
    reference = next(
        (str(row["pinball_reference"]) for row in scores if row.get("pinball_reference")), "ewma"
    )
    at = np.arange(len(scores))[::-1]
    for place, kind in enumerate([*losses, "seconds"]):
        axes = figure.add_subplot(grid[place])
        style.dress(axes, heading=_HEADINGS[kind].format(reference))
        axes.grid(visible=False, axis="y")
        if kind == "seconds":
            _draw_seconds(axes, at, scores, networks)
        else:
            _draw_skills(axes, at, scores, networks, plausible, kind)
        names = [shorten(row["model"], 15) for row in scores]
        axes.set_yticks(at, names if place == 0 else [""] * len(at))
        for tick, row in zip(axes.get_yticklabels(), scores, strict=True):
            known = row["model"] in networks
            tick.set(weight="bold" if known else "normal", color=INK if known else MUTED)
        axes.set_ylim(-0.6, len(scores) - 0.35)
    alt = f"Skill of {count(len(scores), 'model')} on {ticker}. {title}. " + " ".join(
        _in_words(row, networks, losses) for row in scores
    )
    return Picture("compared_models", figure, title, alt, _READING)


def _in_words(
    row: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]], losses: Sequence[str]
) -> str:
    named = {kind: _HEADINGS[kind].partition(":")[0].lower() for kind in losses}
    skills = ", ".join(
        f"{name} {percent(row.get(f'skill_{kind}'), 2, signed=True)}"
        for kind, name in named.items()
    )
    own = networks.get(row["model"])
    took = f", {number(own['seconds'], 3)} s of training" if own else ""
    return f"{row['model']}: {skills}{took}."


def _draw_skills(
    axes: Axes,
    at: np.ndarray,
    scores: Sequence[Mapping[str, Any]],
    networks: Mapping[str, Mapping[str, Any]],
    plausible: Sequence[str],
    kind: str,
) -> None:
    """One row a model; a model that is far off (drift's spread) must not squeeze the others."""
    axes.axvline(0, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)))
    # Seeds and diamond of a row must not touch, however many rows there are.
    size = 8.0 if len(scores) <= 12 else 6.0
    shown = [finite(row.get(f"skill_{kind}")) for row in scores]
    ends = {id(row): _interval(row, kind) for row in scores}
    reach = _reach([value for value in shown if value is not None], list(ends.values()))
    for height, row, value in zip(at, scores, shown, strict=True):
        if value is None:
            continue
        own = networks.get(row["model"])
        colour = BLUE if own else MUTED
        if (interval := ends[id(row)]) is not None:
            # Not under the figures on the right.
            seen = np.clip([100 * end for end in interval], -1.12 * reach, 1.12 * reach)
            axes.plot(seen, [height, height], color=colour, linewidth=2.2, alpha=0.45)
        singles = [finite(seed.get(f"skill_{kind}")) for seed in own["seeds"]] if own else []
        known = [100 * single for single in singles if single is not None]
        if len(known) > 1:
            _draw_seeds(axes, known, height - 0.37, edge=1.06 * reach, colour=colour, size=size)
        beyond = abs(100 * value) > reach
        marker = "<" if beyond and value < 0 else ">" if beyond else "D" if own else "o"
        axes.plot(
            float(np.clip(100 * value, -reach, reach)),
            height,
            marker=marker,
            markersize=size if own else 0.85 * size,
            markerfacecolor=colour if not own or row["model"] in plausible else PAPER,
            markeredgecolor=colour,
            markeredgewidth=1.6,
            zorder=3,
        )
        axes.text(
            1.0,
            height,
            percent(value, 2, signed=True).removesuffix(" %"),
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            size=style.SMALL,
            color=INK,
        )
    # Room on the right for the figures.
    wide = axes.get_position().width > 0.3
    axes.set_xlim(-1.12 * reach, (1.6 if wide else 2.0) * reach)
    ticks = mticker.MaxNLocator(nbins=4).tick_values(-reach, reach)
    axes.set_xticks([tick for tick in ticks if abs(tick) <= reach])
    axes.xaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
    axes.set_xlabel("skill [%], right is better", size=style.SMALL, color=MUTED)


def _draw_seeds(
    axes: Axes, skills: Sequence[float], height: float, *, edge: float, colour: str, size: float
) -> None:
    """Small circles, or arrows at the edge of the panel for what lies outside."""
    marks = {
        "o": [skill for skill in skills if abs(skill) <= edge],
        "<": [-edge for skill in skills if skill < -edge],
        ">": [edge for skill in skills if skill > edge],
    }
    for marker, places in marks.items():
        axes.plot(
            places,
            [height] * len(places),
            linestyle="none",
            marker=marker,
            markersize=0.55 * size,
            markerfacecolor="none",
            markeredgecolor=colour,
            markeredgewidth=1.0,
        )


def _interval(row: Mapping[str, Any], kind: str) -> tuple[float, float] | None:
    low, high = (finite(row.get(f"skill_{kind}_{end}")) for end in ("low", "high"))
    return None if low is None or high is None else (low, high)


def _reach(skills: Sequence[float], intervals: Sequence[tuple[float, float] | None]) -> float:
    """How far an axis goes to both sides [%], so that most models and intervals are on it."""
    # Those of baselines that never differ from the reference are no interval at all.
    ends = [max(abs(low), abs(high)) for low, high in filter(None, intervals) if low < high]
    sizes = [abs(skill) for skill in skills]
    middle = [2.5 * float(np.median(sizes))] if sizes else []
    return 100 * max([*middle, *([1.1 * float(np.median(ends))] if ends else []), 0.0002])


def _draw_seconds(
    axes: Axes,
    at: np.ndarray,
    scores: Sequence[Mapping[str, Any]],
    networks: Mapping[str, Mapping[str, Any]],
) -> None:
    """The networks' seconds on a log axis, with their weights; baselines have none."""
    quickest = float("inf")
    drawn = []
    for height, row in zip(at, scores, strict=True):
        own = networks.get(row["model"])
        if own is None:
            continue
        seconds = max(float(own["seconds"]), 1e-2)
        # From the best spread down: on the frontier is what is quicker than all above it.
        frontier, quickest = seconds < quickest, min(quickest, seconds)
        drawn.append(seconds)
        axes.plot(
            seconds,
            height,
            marker="s",
            markersize=7.5,
            markerfacecolor=BLUE if frontier else PAPER,
            markeredgecolor=BLUE,
            markeredgewidth=1.6,
            zorder=3,
        )
        axes.text(
            1.0,
            height,
            f"{number(seconds, 2)} s · {_thousands(own['parameters'])}",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            size=style.SMALL,
            color=INK,
        )
    axes.set_xscale("log")
    low, high = min(drawn, default=1.0), max(drawn, default=10.0)
    span = max(np.log10(high / low), 0.5)
    axes.set_xlim(low / 10 ** (0.1 * span), high * 10 ** (1.15 * span))
    # None under the figures on the right.
    for steps in ((1.0, 3.0), (1.0, 2.0, 5.0), tuple(range(1, 10))):
        ticks = [10.0**power * each for power in range(-2, 6) for each in steps]
        ticks = [value for value in ticks if low / 1.2 <= value <= 1.2 * high]
        if len(ticks) > 1:
            break
    apart: list[float] = []
    for tick in ticks:
        # Nearer to each other their labels touch.
        if not apart or np.log10(tick / apart[-1]) >= 0.2 * span:
            apart.append(tick)
    axes.set_xticks(apart)
    axes.xaxis.set_minor_locator(mticker.NullLocator())
    axes.xaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
    axes.set_xlabel("seconds (log) · weights", size=style.SMALL, color=MUTED)


def _thousands(parameters: int) -> str:
    return f"{parameters / 1000:,.0f}k" if parameters >= 1000 else str(parameters)
