"""One look for every picture: palette, page size, axes, direct labels.

The colours are roles. A PNG file uses their light value; on the page each becomes a CSS variable
with a light and a dark value. They follow Okabe and Ito (2008), "Color Universal Design", darkened
where text needs a contrast of 4.5 : 1, and differ in lightness so that they survive a grey printer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib import ticker as mticker
from matplotlib.figure import Figure

from forecast.report.wording import shorten, times_ten

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# role: (light, dark). Each light value is unique: the page finds a role by it.
PALETTE = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1b2430", "#e8ebef"),
    "muted": ("#5a6573", "#a3adb9"),
    "rule": ("#b3bbc5", "#4d5763"),
    "grid": ("#e4e8ed", "#2a3139"),
    "blue": ("#0072b2", "#5bb8ee"),
    "orange": ("#c25400", "#f59a4e"),
    "green": ("#007a5a", "#36c99c"),
    "purple": ("#9c4f80", "#dd9ac4"),
}
PAPER, INK, MUTED, RULE, GRID, BLUE, ORANGE, GREEN, PURPLE = (
    light for light, _ in PALETTE.values()
)

WIDTH, HEIGHT = 32 / 3, 6.0  # inches; 1600 × 900 pixels
DPI = 150
TITLE, BODY, SMALL = 16.5, 12.5, 11.5  # points; still legible at half size
LEFT, RIGHT, BOTTOM, TOP = 0.1, 0.872, 0.075, 0.835
LINE = 1.5
# The numbers of prices beyond would reach into the axis' label.
_SMALL_PRICE, _LARGE_PRICE = 0.01, 1e6
# Of the price: a tick has six digits, and on a narrower axis several would have the same.
_LEAST_SPAN = 2e-4


def new_figure(title: str, subtitle: str) -> Figure:
    """An empty 1600 × 900 page with its finding as title; no pyplot, so safe in any thread."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor=PAPER, edgecolor=PAPER)
    # Text from outside may hold a dollar sign; it must not start a formula.
    title = shorten(title, 96)
    figure.text(
        0.025,
        0.935,
        title,
        size=TITLE * min(1.0, 69 / max(len(title), 1)),
        weight="bold",
        color=INK,
        parse_math=False,
    )
    figure.text(0.025, 0.885, shorten(subtitle, 104), size=BODY, color=MUTED, parse_math=False)
    return figure


def dress(axes: Axes, *, ylabel: str | None = None, heading: str | None = None) -> None:
    """Quiet axes: no box, a light horizontal grid, muted ticks; nothing is left to rcParams."""
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(visible=True, color=RULE, linewidth=0.8)
    axes.tick_params(
        axis="both", colors=MUTED, labelcolor=MUTED, labelsize=SMALL, length=3.5, width=0.8, pad=4
    )
    axes.tick_params(axis="y", length=0)
    axes.minorticks_off()
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8, linestyle="-")
    axes.grid(visible=False, axis="x")
    axes.margins(x=0.01)
    axes.yaxis.set_major_formatter(mticker.FuncFormatter(tick_text))
    if ylabel:
        axes.set_ylabel(ylabel, size=SMALL, color=MUTED, parse_math=False)
        # The same place in every panel, whatever the width of its numbers.
        box = axes.get_position()
        axes.yaxis.set_label_coords(-0.072 / box.width, 0.5)
    # A fixed place, also where there are no words: searching for one costs a second layout.
    axes.set_title(
        heading or "",
        loc="left",
        y=1.0,
        pad=6,
        size=BODY,
        color=INK,
        weight="bold",
        parse_math=False,
    )


def date_axis(axes: Axes, days: np.ndarray, *, labels: bool = True) -> None:
    """Concise dates from the first to the last day; without `labels` only their ticks.

    Args:
        axes: To be changed.
        days: Sessions as `days_of` gives them, increasing; at least one.
        labels: Whether this panel shows the dates.
    """
    # Two days at least: the locator would otherwise begin to show hours.
    margin = max(0.012 * (days[-1] - days[0]), 2.0 if days[-1] - days[0] < 4 else 0.5)
    axes.set_xlim(days[0] - margin, days[-1] + margin)
    locator = mdates.AutoDateLocator(minticks=3, maxticks=9)
    locator.intervald[mdates.DAILY] = [1, 2, 7, 14]
    axes.xaxis.set_major_locator(locator)
    formatter = mdates.ConciseDateFormatter(
        locator,
        formats=["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%S.%f"],
        zero_formats=["", "%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M"],
        show_offset=False,
    )
    axes.xaxis.set_major_formatter(formatter)
    axes.tick_params(axis="x", labelbottom=labels)


def days_of(sessions: pd.Series | pd.Index) -> np.ndarray:
    """Sessions as matplotlib counts days, whatever converters are registered."""
    return np.asarray(mdates.date2num(sessions.to_numpy()), dtype=float)


def price_axis(axes: Axes, values: np.ndarray, *, ticks: int = 6) -> None:
    """Round prices, at most `ticks` + 1; logarithmic where they span a factor of five.

    Prices whose numbers would reach into the axis' label stand in a power of ten: said once above
    them, or at each on a logarithmic axis, whose numbers have a single digit.

    Args:
        axes: To be changed; what it shows is drawn already.
        values: The prices drawn [quote currency]; NaN and what is not above 0 do not count.
        ticks: So many intervals have room.
    """
    known = values[np.isfinite(values) & (values > 0)]
    ratio = known.max() / known.min() if known.size else 1.0
    if ratio >= 5:
        axes.set_yscale("log")
        # One tick a decade where three have no room.
        subs = (1.0, 2.0, 5.0) if ratio < 10 ** (ticks / 2) else (1.0,)
        axes.yaxis.set_major_locator(mticker.LogLocator(subs=subs))
        axes.yaxis.set_minor_locator(mticker.NullLocator())
        axes.yaxis.set_major_formatter(mticker.FuncFormatter(tick_text))
        return
    low, top = axes.get_ylim()
    if top - low < _LEAST_SPAN * top:
        low, top = (low + top) / 2 * (1 + np.array([-0.5, 0.5]) * _LEAST_SPAN)
        axes.set_ylim(low, top)
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    power = 0 if _SMALL_PRICE <= top < _LARGE_PRICE else math.floor(math.log10(top))
    formatter = mticker.FuncFormatter(lambda value, _: tick_text(value / 10.0**power))
    if power:
        formatter.set_offset_string(times_ten(power))
        # Clear of a tick at the very top.
        axes.yaxis.OFFSETTEXTPAD = 7
        axes.yaxis.get_offset_text().set(x=-0.008, ha="right", size=SMALL)
    axes.yaxis.set_major_formatter(formatter)


def tick_text(value: float, _position: int = 0) -> str:
    """A tick's number: `400,000`, `0.0001`, `−2.5`, `2×10⁷`."""
    size = abs(value)
    if size == 0 or 1e-4 <= size < _LARGE_PRICE:
        text = f"{value:,.6g}"
    else:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        text = f"{float(mantissa):g}{times_ten(int(exponent)).replace(' ', '')}"
    return text.replace("-", "−")


def note(axes: Axes, artist: Artist, text: str, colour: str) -> None:
    """What is drawn in words, inside the axes where they cover the least."""
    axes.legend(
        [artist],
        [text],
        loc="best",
        frameon=False,
        fontsize=SMALL,
        labelcolor=colour,
        handlelength=1.2,
        handletextpad=0.5,
        borderpad=0.2,
        borderaxespad=0.5,
    )


def wait(axes: Axes, words: str) -> None:
    """In place of what cannot be drawn yet: what the panel waits for."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        ha="center",
        va="center",
        size=BODY,
        color=MUTED,
    )


def label_ends(
    axes: Axes, labels: Iterable[tuple[float, str, str]], *, x: float = 1.022, gap: float = 15.0
) -> None:
    """Texts right of the axes at the height of their lines, pushed apart until none overlap.

    Args:
        axes: Final position and limits must be set.
        labels: `(y in data units, text, colour)`; one with a NaN is left out.
        x: Where, as a fraction of the axes' width.
        gap: Least distance between two lines of text [points].
    """
    known = [(y, text, colour) for y, text, colour in labels if np.isfinite(y)]
    if not known:
        return
    box = axes.get_window_extent()
    pixels = gap * axes.get_figure(root=True).dpi / 72.0  # type: ignore[union-attr]
    low, high = axes.get_ylim()
    wanted = axes.transData.transform([(0.0, min(max(y, low), high)) for y, _, _ in known])[:, 1]
    order = np.argsort(wanted, kind="stable")
    lines = [pixels * (text.count("\n") + 1) for _, text, _ in known]
    placed = wanted[order].astype(float)
    for _ in range(200):
        moved = False
        for below in range(len(order) - 1):
            need = (lines[order[below]] + lines[order[below + 1]]) / 2
            lack = need - (placed[below + 1] - placed[below])
            if lack > 0.5:
                placed[below] -= lack / 2
                placed[below + 1] += lack / 2
                moved = True
        if not moved:
            break
    # All moved alike, so that the lowest stays above the dates and the highest below the title.
    placed += max(0.0, box.y0 + pixels / 2 - placed[0])
    placed -= max(0.0, placed[-1] - box.y1)
    apart = np.abs(placed - wanted[order]).max() > pixels / 3
    for position, index in zip(placed, order, strict=True):
        _, text, colour = known[index]
        if apart:
            axes.plot(
                (1.002, x - 0.003),
                [(at - box.y0) / box.height for at in (wanted[index], position)],
                transform=axes.transAxes,
                color=RULE,
                linewidth=0.8,
                clip_on=False,
            )
        axes.text(
            x,
            (position - box.y0) / box.height,
            text,
            transform=axes.transAxes,
            va="center",
            ha="left",
            size=SMALL,
            color=colour,
            linespacing=1.15,
            parse_math=False,
        )
