"""The picture of `textbook_stock.py`."""

from __future__ import annotations

import pandas as pd

from examples.textbook_stock import HONEST, LAST, LEAKY, RIGHT, WAYS, WINDOW
from forecast.report.picture import Picture
from forecast.report.style import (
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SMALL,
    date_axis,
    days_of,
    dress,
    label_ends,
    new_figure,
)

LINES = {
    HONEST: ("textbook,\nno leak", PURPLE),
    "actual": ("actual", INK),
    LEAKY: ("textbook", ORANGE),
}


def draw(told: pd.DataFrame, *, ticker: str) -> Picture:
    """The whole test part, where all looks well; its last 40 sessions; and what the errors are."""
    errors = {name: float((told[name] - told["actual"]).abs().mean()) for name in (*WAYS, LAST)}
    title = f"{ticker}: the textbook’s forecast looks excellent, and “no change” is better"
    figure = new_figure(
        title,
        f"two LSTM(50), window {WINDOW} · {len(told)} sessions never trained on, "
        f"{told.index[0]:%b %Y} – {told.index[-1]:%b %Y}",
    )
    grid = figure.add_gridspec(
        2, 2, left=0.085, right=0.87, bottom=0.1, top=0.785, hspace=0.5, width_ratios=[1.7, 1]
    )
    whole, near = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, 0])
    for axes, part, heading in (
        (whole, told, "On the whole test part, in USD: with the leak it looks right"),
        (near, told.iloc[-40:], "Last 40 sessions: it comes a session late"),
    ):
        dress(axes, heading=heading)
        days = days_of(part.index)
        ends = []
        for name, (label, colour) in LINES.items():
            if axes is near and name == HONEST:
                continue  # far below
            dots = {"marker": "o", "markersize": 3.5} if axes is near else {}
            axes.plot(days, part[name], color=colour, linewidth=1.6, **dots)
            ends.append((float(part[name].iloc[-1]), label, colour))
        date_axis(axes, days)
        if axes is whole:
            label_ends(axes, ends, x=1.012)
    bars = figure.add_subplot(grid[1, 1])
    dress(bars, heading="Mean absolute error, USD")
    bars.grid(visible=False)
    bars.set_xlim(0, max(errors.values()) * 1.6)
    bars.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
    bars.spines["bottom"].set_visible(False)
    for row, (name, error) in enumerate(errors.items()):
        label, colour = {RIGHT: ("returns", GREEN), LAST: ("no change", MUTED), **LINES}[name]
        bars.barh(-row, error, height=0.42, color=colour)
        text = f"{error:.2f}  {label.replace(chr(10), ' ')}"
        bars.text(error, -row, "  " + text, va="center", size=SMALL, color=INK)
    alt = f"Mean absolute errors in USD: {', '.join(f'{n} {e:.2f}' for n, e in errors.items())}."
    return Picture("textbook_stock", figure, title, alt, reading="")
