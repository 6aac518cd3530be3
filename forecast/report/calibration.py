"""Do the intervals hold: over time, at every level, and at every step."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.plots import forecasts_of
from forecast.report.style import BLUE, INK, MUTED, ORANGE, RULE
from forecast.report.wording import ahead, count, percent, span

_WINDOW = 60
_TARGET = 0.8
_BANDS = {0.5: ("p25", "p75"), 0.8: ("p10", "p90"), 0.9: ("p05", "p95")}
_LEVELS = {"p05": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95}
_SURE = 1.96


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
    own = forecasts_of(forecasts, model, step).dropna(subset=[*_LEVELS, "actual"])
    if own.empty:
        return None
    inside = ((own["actual"] >= own["p10"]) & (own["actual"] <= own["p90"])).to_numpy(dtype=float)
    overall = float(inside.mean())
    window = min(_WINDOW, len(own))
    rolling = pd.Series(inside).rolling(window).mean().to_numpy()
    # Outcomes over `step` sessions overlap: only every `step`-th is an independent one.
    chance = _SURE * np.sqrt(_TARGET * (1 - _TARGET) * step / window)
    known = rolling[np.isfinite(rolling)]
    broken = float(np.mean(known < _TARGET - chance))
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
    _draw_rolling(figure.add_subplot(grid[0, :]), own["session"], rolling, chance, window)
    _draw_pit(figure.add_subplot(grid[1, 0]), own, step)
    _draw_bands(figure.add_subplot(grid[1, 1]), own, step)
    alt = (
        f"Three charts of how the intervals held. The 80 % band held {percent(overall)} of "
        f"{len(own):,} closes; over {window} sessions {percent(known.min(), 0)} to "
        f"{percent(known.max(), 0)}."
    )
    reading = (
        "Above, the line should stay in the grey zone, where chance alone would keep it nineteen "
        "times in twenty. Below, outcomes should fall on the dashed line between every pair of "
        "quantiles, and each band should hold its share."
    )
    return Picture("coverage", figure, title, alt, reading)


def _draw_rolling(
    axes: Axes, sessions: pd.Series, rolling: np.ndarray, chance: float, window: int
) -> None:
    style.dress(
        axes, ylabel="in the band [%]", heading=f"Share inside, last {count(window, 'session')}"
    )
    days = style.days_of(sessions)
    axes.axhspan(
        100 * (_TARGET - chance),
        100 * min(_TARGET + chance, 1),
        color=RULE,
        alpha=0.28,
        linewidth=0,
    )
    axes.axhline(100 * _TARGET, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label="target")
    axes.plot(
        days,
        100 * rolling,
        color=BLUE,
        linewidth=1.9,
        label="rolling coverage",
        marker="o",
        markersize=0 if np.isfinite(rolling).sum() > 1 else 6,
    )
    low = np.nanmin(np.r_[rolling, _TARGET - chance])
    axes.set_ylim(100 * max(low - 0.04, -0.02), 101)
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=5, integer=True))
    style.date_axis(axes, days[np.isfinite(rolling)])
    style.label_ends(
        axes, [(100 * rolling[-1], "80 % band", BLUE), (100 * _TARGET, "target 80 %", MUTED)]
    )


def _draw_pit(axes: Axes, own: pd.DataFrame, step: int) -> None:
    """Density of outcomes between the quantiles: 1 everywhere if they hold."""
    style.dress(axes, ylabel="density", heading="Where outcomes fell")
    edges = np.r_[0.0, list(_LEVELS.values()), 1.0]
    below = (own[list(_LEVELS)].to_numpy() < own[["actual"]].to_numpy()).sum(axis=1)
    shares = np.bincount(below, minlength=len(edges) - 1) / len(own)
    widths = np.diff(edges)
    spread = _SURE * np.sqrt(widths * (1 - widths) * step / len(own)) / widths
    axes.bar(
        edges[:-1],
        shares / widths,
        width=widths,
        align="edge",
        color=BLUE,
        alpha=0.45,
        edgecolor=BLUE,
        linewidth=1,
        label="outcomes",
    )
    axes.vlines(
        edges[:-1] + widths / 2,
        np.maximum(1 - spread, 0),
        1 + spread,
        color=INK,
        linewidth=1.3,
        label="by chance",
    )
    axes.axhline(1, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label="target")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1.25 * float((shares / widths).max()), 1.05 * (1 + spread.max()), 1.6))
    axes.set_xticks([0.05, 0.25, 0.5, 0.75, 0.95], ["5", "25", "50", "75", "95"])
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=4))
    axes.set_xlabel("quantile of the forecast [%]", size=style.SMALL, color=MUTED)


def _draw_bands(axes: Axes, own: pd.DataFrame, step: int) -> None:
    style.dress(axes, heading="What each band held")
    for row, (share, (low, high)) in enumerate(_BANDS.items()):
        held = float(((own["actual"] >= own[low]) & (own["actual"] <= own[high])).mean())
        chance = _SURE * np.sqrt(share * (1 - share) * step / len(own))
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
