"""Do the intervals hold: over time, at every level, and at every step."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.evaluation.coverage import (
    NOMINAL,
    WINDOW,
    by_chance,
    pit_histogram,
    rolling_coverage,
)
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.plots import forecasts_of
from forecast.report.style import BLUE, INK, MUTED, ORANGE, RULE
from forecast.report.wording import ahead, count, percent, span

_BANDS = {0.5: ("p25", "p75"), NOMINAL: ("p10", "p90"), 0.9: ("p05", "p95")}


def coverage_plot(
    forecasts: pd.DataFrame, *, ticker: str, model: str, step: int = 1
) -> Picture | None:
    """Rolling coverage of the 80 % band, where outcomes fell among the quantiles, and each band.

    Args:
        forecasts: As in `forecasts_of`; `p05 … p95` and `actual` [quote currency].
        ticker: Named in the title.
        model: The network.
        step: Which step to draw.

    Returns:
        None where the model has no quantiles or no outcome is known.
    """
    own = forecasts_of(forecasts, model, step).dropna(subset=[*QUANTILE_COLUMNS, "actual"])
    if own.empty:
        return None
    overall = float(own["actual"].between(own["p10"], own["p90"]).mean())
    window = min(WINDOW, len(own))
    rolling = rolling_coverage(own, model=model, step=step, window=window)
    known = rolling.dropna()
    broken = float((known < NOMINAL - by_chance(NOMINAL, window, step=step)).mean())
    title = f"{ticker}: the 80 % band held {percent(overall)} of closes"
    if len(own) > window:
        low, high = percent(known.min(), 0), percent(known.max(), 0)
        title += f", {low} to {high} over {window} sessions"
    figure = style.new_figure(
        title,
        f"{model} · {ahead(step)} · {span(own['session'].iloc[0], own['session'].iloc[-1])}"
        + (f" · too narrow in {percent(broken, 0)} of the windows" if broken > 0.05 else ""),
    )
    grid = figure.add_gridspec(
        2,
        2,
        left=style.LEFT,
        right=style.RIGHT,
        bottom=0.115,
        top=0.79,
        height_ratios=[1.25, 1],
        width_ratios=[1.5, 1],
        hspace=0.5,
        wspace=0.2,
    )
    draw_coverage(figure.add_subplot(grid[0, :]), rolling, window=window, step=step)
    bins = pit_histogram(own, model=model, step=step)
    _draw_pit(figure.add_subplot(grid[1, 0]), bins, len(own), step)
    _draw_bands(figure.add_subplot(grid[1, 1]), own, step)
    alt = (
        f"Three charts of how the intervals held. The 80 % band held {percent(overall)} of "
        f"{len(own):,} closes; over {window} sessions {percent(known.min(), 0)} to "
        f"{percent(known.max(), 0)}."
    )
    reading = (
        "Above, the line should stay in the grey zone, where chance alone would keep it nineteen "
        "times in twenty. Below, outcomes should fall on the dashed line between every pair of "
        "quantiles, as near as the dark bars of chance, and each band should hold its share."
    )
    return Picture("coverage", figure, title, alt, reading)


def draw_coverage(
    axes: Axes, rolling: pd.Series, *, window: int, step: int, dates: bool = True
) -> None:
    """Share of the last outcomes inside the 80 % band, and where chance alone would keep it.

    Args:
        axes: To be drawn on.
        rolling: As from `rolling_coverage`.
        window: Over how many outcomes.
        step: Sessions ahead.
        dates: Whether this panel shows them. If not, its dates are those of the whole index, as
            in the panel below that does.
    """
    style.dress(axes, ylabel="inside [%]", heading=f"Share inside, last {count(window, 'outcome')}")
    known = rolling.dropna()
    if known.empty:
        style.wait(axes, f"from the {window}th outcome on; {len(rolling)} so far")
        return
    chance = by_chance(NOMINAL, window, step=step)
    axes.axhspan(
        100 * (NOMINAL - chance),
        100 * min(NOMINAL + chance, 1),
        color=RULE,
        alpha=0.28,
        linewidth=0,
    )
    axes.axhline(100 * NOMINAL, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label="target")
    axes.plot(
        style.days_of(rolling.index),
        100 * rolling.to_numpy(),
        color=BLUE,
        linewidth=1.9,
        label="rolling coverage",
        marker="o",
        markersize=0 if len(known) > 1 else 6,
    )
    low = min(float(known.min()), NOMINAL - chance)
    axes.set_ylim(100 * max(low - 0.04, -0.02), 101)
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=5, steps=[1, 2, 10]))
    style.date_axis(axes, style.days_of((known if dates else rolling).index), labels=dates)
    style.label_ends(
        axes,
        [(100 * known.iloc[-1], "80 % band", BLUE), (100 * NOMINAL, "target 80 %", MUTED)],
    )


def _draw_pit(axes: Axes, bins: pd.DataFrame, outcomes: int, step: int) -> None:
    """Density of outcomes between the quantiles: 1 everywhere if they hold."""
    style.dress(axes, ylabel="density", heading="Where outcomes fell (│ by chance)")
    left, widths = bins["above"].to_numpy(), bins["expected"].to_numpy()
    density = bins["observed"].to_numpy() / widths
    chance = by_chance(widths, outcomes, step=step) / widths
    axes.bar(
        left,
        density,
        width=widths,
        align="edge",
        color=BLUE,
        alpha=0.45,
        edgecolor=BLUE,
        linewidth=1,
        label="outcomes",
    )
    axes.vlines(
        left + widths / 2,
        np.maximum(1 - chance, 0),
        1 + chance,
        color=INK,
        linewidth=1.3,
        label="by chance",
    )
    axes.axhline(1, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label="target")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1.25 * density.max(), 1.05 * (1 + chance.max()), 1.6))
    axes.set_xticks([0.05, 0.25, 0.5, 0.75, 0.95], ["5", "25", "50", "75", "95"])
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.set_xlabel("quantile of the forecast [%]", size=style.SMALL, color=MUTED)


def _draw_bands(axes: Axes, own: pd.DataFrame, step: int) -> None:
    style.dress(axes, heading="What each band held")
    for row, (share, (low, high)) in enumerate(_BANDS.items()):
        held = float(own["actual"].between(own[low], own[high]).mean())
        chance = by_chance(share, len(own), step=step)
        axes.plot(
            [100 * (share - chance), 100 * min(share + chance, 1)],
            [row, row],
            color=RULE,
            linewidth=9,
            alpha=0.45,
            solid_capstyle="butt",
        )
        axes.plot(100 * share, row, marker="|", markersize=15, markeredgewidth=2, color=MUTED)
        off = abs(held - share) > chance
        axes.plot(100 * held, row, marker="o", markersize=8, color=ORANGE if off else BLUE)
        axes.annotate(
            percent(held),
            (100 * held, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            size=style.SMALL,
            color=INK,
        )
    axes.set_yticks(range(len(_BANDS)), [f"{share:.0%}".replace("%", " %") for share in _BANDS])
    axes.set_ylim(-0.5, len(_BANDS) - 0.3)
    axes.set_xlim(min(40.0, axes.get_xlim()[0]), 101)
    axes.grid(visible=False)
    axes.set_xlabel("closes inside [%]", size=style.SMALL, color=MUTED)
