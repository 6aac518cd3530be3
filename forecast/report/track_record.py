"""The live track record: what was issued against what came, and whether the promises hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.calibration import draw_coverage
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, ORANGE
from forecast.report.wording import ahead, count, finite, number, percent, shorten, span

_SHOWN = 125
_RIGHT = 0.852
_BAND = ("p10", "p90")


def track_record(
    record: pd.DataFrame,
    rolling: pd.DataFrame,
    *,
    ticker: str,
    step: int = 1,
    window: int = 60,
    promised: float | None = None,
    currency: str | None = None,
) -> Picture:
    """Issued bands against what came, rolling coverage, and skill against EWMA so far.

    Args:
        record: One ticker's issued steps: `origin`, `step`, `session`, `network`, `last_close`,
            `point`, `p10`, `p90` and `outcome` (log returns from the origin's close, `outcome` NaN
            while not known).
        rolling: Index `session`; `coverage_80` over `window` outcomes, `skill_so_far`.
        ticker: Named in the title.
        step: Which step to draw.
        window: Of the rolling coverage.
        promised: Skill against EWMA that the backtests had promised, or None.
        currency: Quote currency, or None.
    """
    record = record.sort_values(["origin", "step"]).reset_index(drop=True)
    record["close"] = money_of_today(record)
    record = record[record["step"] == step]
    known = record[record["outcome"].notna()]
    inside = known["outcome"].between(known["p10"], known["p90"])
    skill = finite(rolling["skill_so_far"].iloc[-1]) if len(rolling) else None
    title = (
        f"{ticker}, live: the 80 % band held {percent(inside.mean())} of "
        f"{count(len(known), 'close')}, skill against EWMA {percent(skill, signed=True)}"
        if len(known)
        else f"{ticker}, live: {count(len(record), 'forecast')}, none with an outcome yet"
    )
    networks = ", ".join(dict.fromkeys(record["network"]))
    figure = style.new_figure(
        title,
        f"{shorten(networks, 30)} · {ahead(step)} · issued before the outcome for "
        f"{span(record['session'].iloc[0], record['session'].iloc[-1])}",
    )
    grid = figure.add_gridspec(
        3,
        1,
        left=style.LEFT,
        right=_RIGHT,
        bottom=style.BOTTOM,
        top=0.8,
        height_ratios=[1.9, 1, 1],
        hspace=0.62,
    )
    shown = record.tail(_SHOWN)
    _draw_bands(figure.add_subplot(grid[0]), shown, len(record), currency)
    draw_coverage(
        figure.add_subplot(grid[1]), rolling["coverage_80"], window=window, step=step, dates=False
    )
    _draw_skill(figure.add_subplot(grid[2]), rolling, promised)
    misses = int((~inside).sum())
    alt = f"Three charts of forecasts that were recorded before their outcome. {title}." + (
        f" {count(misses, 'close')} of {len(known):,} came outside the band." if len(known) else ""
    )
    reading = (
        "Every band was written down before its close was known, and cannot be changed since. "
        "Orange dots came outside the 80 % band: one in five should. The middle line should stay "
        "in the grey zone, where chance alone would keep it nineteen times in twenty. Below, "
        "above zero the spread was better than EWMA’s; the dashed line is what the backtest had "
        "promised: a line that stays far below it for long is a sign of overfitting."
    )
    return Picture("track_record", figure, title, alt, reading)


def money_of_today(record: pd.DataFrame) -> np.ndarray:
    """The close at the origin of each row in the money of the newest one, splits undone.

    Each forecast was issued in the money of its day. Backwards from the newest origin, the return
    that came between two neighbouring origins, where the record has it, leads from one close to
    the next (dividends count as price); where it has not, the two closes as they were written
    down.

    Args:
        record: In order of origin: `origin`, `session`, `last_close`, `outcome`; all steps.
    """
    pairs = zip(record["origin"], record["session"], strict=True)
    came = dict(zip(pairs, record["outcome"], strict=True))
    written = record.drop_duplicates("origin").set_index("origin")["last_close"]
    today = written.copy()
    origins = written.index
    for before, after in reversed(list(pairwise(origins))):
        between = came.get((before, after), np.nan)
        if not np.isfinite(between):
            between = np.log(written[after] / written[before])
        today[before] = today[after] * np.exp(-between)
    return record["origin"].map(today).to_numpy("float64")


def _draw_bands(axes: Axes, shown: pd.DataFrame, many: int, currency: str | None) -> None:
    heading = f"Issued 80 % band and what came, last {count(len(shown), 'forecast')}"
    if len(shown) == many:
        heading = "Issued 80 % band and what came"
    unit = shorten(currency or "quote currency", 16)
    style.dress(axes, ylabel=f"close [{unit}]", heading=heading)
    close = shown["close"].to_numpy("float64")
    low, high, point, came = (
        close * np.exp(shown[name].to_numpy("float64")) for name in (*_BAND, "point", "outcome")
    )
    days = style.days_of(shown["session"])
    known = np.isfinite(came)
    missed = known & ((came < low) | (came > high))
    wide = np.clip(430 / max(len(days), 1), 1.6, 9)
    for rows, opacity, label in ((known, 0.28, "80 % band"), (~known, 0.75, "open")):
        axes.vlines(
            days[rows],
            low[rows],
            high[rows],
            color=BLUE,
            alpha=opacity,
            linewidth=wide,
            label=label,
        )
    axes.plot(days[known], came[known], color=INK, linewidth=1.1, label="came", zorder=3)
    axes.plot(
        days[missed],
        came[missed],
        color=ORANGE,
        linestyle="none",
        marker="o",
        markersize=4.6,
        label="missed",
        zorder=4,
    )
    style.price_axis(axes, np.r_[low, high, came])
    style.date_axis(axes, days)
    ends = [(float(point[-1]), "80 % band", BLUE)]
    if known.any():
        ends.append((float(came[known][-1]), "close", INK))
    if missed.any():
        ends.append((float(came[missed][-1]), "● outside", ORANGE))
    style.label_ends(axes, ends)


def _draw_skill(axes: Axes, rolling: pd.DataFrame, promised: float | None) -> None:
    style.dress(axes, ylabel="skill [%]", heading="Pinball loss below EWMA’s, all outcomes so far")
    # The first few say nothing and would set the scale.
    skill = 100 * rolling["skill_so_far"].iloc[max(min(9, len(rolling) - 1), 0) :]
    if skill.empty:
        style.wait(axes, "no outcome yet")
        return
    axes.axhline(0, color=INK, linewidth=0.9)
    axes.plot(
        style.days_of(skill.index),
        skill,
        color=BLUE,
        linewidth=1.9,
        label="skill",
        marker="o",
        markersize=0 if len(skill) > 1 else 6,
    )
    ends = [(float(skill.iloc[-1]), f"live {number(skill.iloc[-1], 2)} %", BLUE)]
    if promised is not None:
        axes.axhline(
            100 * promised, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label="promised"
        )
        ends.append((100 * promised, f"promised {number(100 * promised, 2)} %", MUTED))
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=4))
    style.date_axis(axes, style.days_of(rolling.index))
    style.label_ends(axes, ends)
