"""Two pictures of a comparison, light and dark: loss against time, and the time to the goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.rivals.summary import OWN, Run, arrival
from forecast.report.style import BODY, DPI, HEIGHT, PALETTE, SMALL, TITLE, WIDTH

LOOKS = {
    "program": ("blue", "-"),
    "torch_every_step_allocator": ("green", "-"),
    "torch_every_step": ("green", ":"),
    "torch_windows": ("orange", "-"),
    "darts_lstm": ("purple", "-"),
    "neuralforecast_lstm": ("muted", "-"),
    "neuralforecast_gru": ("muted", ":"),
    "keras_windows": ("ink", "-"),
}
"""Role of `PALETTE` and line style: hue for the kind, dots for its second variant."""


def draw(folder: Path, results: dict[str, Any], runs: Sequence[Run]) -> None:
    """Write `curves.png`, `bars.png` and their dark versions."""
    for theme, ending in enumerate(["", "_dark"]):
        colours = {role: pair[theme] for role, pair in PALETTE.items()}
        for name, picture in (("curves", _curves), ("bars", _bars)):
            figure = picture(results, runs, colours)
            figure.savefig(folder / f"{name}{ending}.png", dpi=DPI, facecolor=colours["paper"])


def _curves(results: dict[str, Any], runs: Sequence[Run], colours: dict[str, str]) -> Any:
    figure, axes = _page(
        _finding(results),
        "Held-out pinball loss by seconds from the start of a process; thick: the median round",
        colours,
    )
    goal, top = results["goal"], results["untrained"] * 1.004
    for row in results["rivals"]:
        role, style = LOOKS[row["rival"]]
        mine = sorted(
            (run for run in runs if run["rival"] == row["rival"]),
            key=lambda run: arrival(run, goal),
        )
        middle = mine[(len(mine) - 1) // 2]
        for run in mine:
            axes.plot(
                [run["start_s"] + look["trained"] for look in run["points"]],
                [look["pinball"] for look in run["points"]],
                color=colours[role],
                linestyle=style,
                linewidth=(3.2 if row["rival"] == OWN else 2.0) if run is middle else 0.6,
                alpha=1.0 if run is middle else 0.6,
                label=row["label"] if run is middle else None,
                zorder=3 if row["rival"] == OWN else 2,
            )
    axes.axhline(goal, color=colours["rule"], linewidth=1.2)
    axes.set_ylim(results["best"] - 0.06 * (top - results["best"]), top)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(
        [tick for tick in (1, 2, 3, 5, 10, 20, 30, 60, 120) if _inside(tick, axes.get_xlim())]
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))
    axes.text(
        1.01,
        goal,
        "within 0.5 % of the best",
        transform=axes.get_yaxis_transform(),
        va="center",
        color=colours["muted"],
        size=SMALL,
    )
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.005, 1.0),
        frameon=False,
        fontsize=SMALL,
        labelcolor=colours["ink"],
        handlelength=1.8,
        borderaxespad=0.0,
    )
    return figure


def _bars(results: dict[str, Any], runs: Sequence[Run], colours: dict[str, str]) -> Any:
    rows = results["rivals"]
    figure, axes = _page(
        _finding(results),
        "Seconds until the held-out pinball is within 0.5 % of the best; pale: process start",
        colours,
        left=0.31,
        right=0.93,
    )
    longest = max((row["whole"] or 0.0 for row in rows), default=1.0) or 1.0
    for place, row in enumerate(rows):
        role, _ = LOOKS[row["rival"]]
        if row["whole"] is None:
            text, end = "not reached", 0.0
        else:
            end = row["whole"]
            axes.barh(place, row["start"], color=colours[role], alpha=0.4, height=0.62)
            axes.barh(
                place, end - row["start"], left=row["start"], color=colours[role], height=0.62
            )
            times = row["whole_ratio"]
            text = f"{end:.1f} s" + (
                f", {times:.1f} ×" if times is not None and row["rival"] != OWN else ""
            )
        axes.text(end + 0.01 * longest, place, text, va="center", color=colours["ink"], size=SMALL)
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.tick_params(axis="y", labelcolor=colours["ink"], labelsize=SMALL)
    # Said, as rows without a bar do not count for it.
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.16 * longest)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))
    axes.grid(visible=False)
    return figure


def _finding(results: dict[str, Any]) -> str:
    """How long this program and the others take to the goal, process start included."""
    took = {row["rival"]: row["whole"] for row in results["rivals"]}
    own = took.pop(OWN, None)
    others = [seconds for seconds in took.values() if seconds is not None]
    if own is None or not others:
        return "Time to the same held-out loss"
    never = " or never" if len(others) < len(took) else ""
    return (
        f"To the same held-out loss: this program {own:.1f} s, "
        f"the others {min(others):.1f} to {max(others):.1f} s{never}"
    )


def _page(
    title: str, subtitle: str, colours: dict[str, str], *, left: float = 0.085, right: float = 0.685
) -> tuple[Any, Any]:
    """A figure with its title, and quiet axes."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    figure.text(0.025, 0.935, title, size=TITLE, weight="bold", color=colours["ink"])
    figure.text(0.025, 0.885, subtitle, size=BODY, color=colours["muted"])
    axes = figure.add_axes((left, 0.085, right - left, 0.75))
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(colours["rule"])
    axes.tick_params(colors=colours["muted"], labelsize=SMALL, length=0)
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="y", color=colours["grid"], linewidth=0.8)
    return figure, axes


def _inside(value: float, limits: tuple[float, float]) -> bool:
    return math.isfinite(value) and limits[0] <= value <= limits[1]
