"""The market as a person looks at it: price with its indicators and volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.features.indicators import bollinger, rsi, sma
from forecast.market.findings import MOST_LISTED
from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, GRID, INK, MUTED, ORANGE, RULE
from forecast.report.wording import count, day, finite, named, number, percent, price, shorten

_SHOWN = 250
_RIGHT = 0.843  # the labels at the lines hold a name and a price
# severity: row of the strip, colour, marker
FINDINGS = {"warn": (0, MUTED, "o"), "repair": (1, BLUE, "D"), "reject": (2, ORANGE, "X")}


def indicator_chart(bars: pd.DataFrame, *, ticker: str, currency: str | None = None) -> Picture:
    """Close with moving averages (20, 50) and Bollinger bands (20, 2), RSI (14) and volume.

    Args:
        bars: Bars, at least one; the last 250 sessions are drawn, the indicators see all.
        ticker: Named in the title.
        currency: Quote currency, or None.
    """
    close = bars["close"]
    lines = {
        "sma20": sma(close, period=20) if len(bars) >= 20 else close * np.nan,
        "sma50": sma(close, period=50) if len(bars) >= 50 else close * np.nan,
    }
    none = pd.DataFrame(np.nan, index=bars.index, columns=["lower", "upper"])
    bands = bollinger(close) if len(bars) >= 20 else none
    strength = rsi(close) if len(bars) >= 15 else close * np.nan
    shown = bars.index[-_SHOWN:]
    days = style.days_of(shown)
    last = close.iloc[-1]
    recent = bands.loc[shown]
    money = partial(price, within=finite(_end(recent["upper"]) - _end(recent["lower"])))
    title = f"{ticker}’s adjusted close on {day(shown[-1])}: {money(last)}"
    title += _standing(last, lines["sma50"])
    figure = style.new_figure(
        title, f"The last {count(len(shown), 'session')} · adjusted prices and volume"
    )
    grid = figure.add_gridspec(
        3,
        1,
        left=style.LEFT,
        right=_RIGHT,
        bottom=style.BOTTOM,
        top=style.TOP,
        height_ratios=[3.4, 1, 0.9],
        hspace=0.14,
    )
    top, middle, bottom = (figure.add_subplot(grid[row]) for row in range(3))
    style.dress(top, ylabel=f"price [{shorten(currency or 'quote currency', 16)}]")
    top.fill_between(
        days,
        recent["lower"],
        recent["upper"],
        color=BLUE,
        alpha=0.14,
        linewidth=0,
        label="Bollinger band (20, 2)",
    )
    top.plot(
        days,
        lines["sma50"].loc[shown],
        color=ORANGE,
        linewidth=1.7,
        linestyle=(0, (6, 2)),
        label="SMA 50",
    )
    top.plot(days, lines["sma20"].loc[shown], color=BLUE, linewidth=1.5, label="SMA 20")
    top.plot(
        days,
        close.loc[shown],
        color=INK,
        linewidth=1.7,
        label="close",
        marker="o",
        markersize=0 if len(shown) > 1 else 5,
    )
    style.price_axis(
        top, np.r_[close.loc[shown], recent["lower"].fillna(last), recent["upper"].fillna(last)]
    )
    style.dress(middle, ylabel="RSI 14")
    middle.axhspan(30, 70, color=RULE, alpha=0.18, linewidth=0)
    middle.plot(days, strength.loc[shown], color=INK, linewidth=1.4, label="RSI 14")
    middle.set_ylim(0, 100)
    middle.set_yticks([30, 50, 70])
    style.dress(bottom, ylabel="volume")
    up = (bars["close"].diff() >= 0).loc[shown].to_numpy()
    volume = bars["volume"].loc[shown].to_numpy(dtype=float)
    width = max(0.6, min(3.0, 420 / max(len(shown), 1)))
    for mask, colour, label in ((up, MUTED, "up"), (~up, RULE, "down")):
        bottom.vlines(days[mask], 0, volume[mask], color=colour, linewidth=width, label=label)
    bottom.set_ylim(0, max(float(volume.max()) * 1.05, 1.0))
    bottom.yaxis.set_major_locator(mticker.MaxNLocator(nbins=2))
    bottom.yaxis.set_major_formatter(mticker.FuncFormatter(_volume))
    for axes in (top, middle, bottom):
        style.date_axis(axes, days, labels=axes is bottom)
    style.label_ends(
        top,
        [
            (last, named("close", money(last)), INK),
            (_end(lines["sma20"]), named("SMA 20", money(_end(lines["sma20"]))), BLUE),
            (_end(lines["sma50"]), named("SMA 50", money(_end(lines["sma50"]))), ORANGE),
            (_end(recent["upper"]), "±2 σ band", BLUE),
        ],
    )
    now = _end(strength)
    style.label_ends(middle, [(now, number(now, 2), INK)])
    style.label_ends(bottom, [(float(volume[-1]), _volume(volume[-1]), MUTED)])
    alt = (
        f"Price chart of {ticker} over {count(len(shown), 'session')} to {day(shown[-1])}: "
        f"adjusted close {money(last)}, 20-session average {money(_end(lines['sma20']))}, "
        f"50-session average {money(_end(lines['sma50']))}, RSI {number(now, 2)}; volume below."
    )
    reading = (
        "Averages and bands describe the past alone. The RSI leaves its grey zone (30–70) after a "
        "run in one direction; the stronger volume bars are sessions that closed up."
    )
    return Picture("indicator_chart", figure, title, alt, reading)


def _standing(last: float, average: pd.Series) -> str:
    mean = _end(average)
    if not np.isfinite(mean):
        return ""
    side = "above" if last >= mean else "below"
    return f", {percent(abs(last / mean - 1))} {side} its 50-session average"


def _end(series: pd.Series) -> float:
    return float(series.iloc[-1]) if len(series) else np.nan


def _volume(value: float, _position: int = 0) -> str:
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def history_strip(
    bars: pd.DataFrame,
    findings: Sequence[Mapping[str, Any]],
    split: Mapping[str, Any],
    *,
    ticker: str,
    currency: str | None = None,
) -> Picture:
    """The whole history with its three parts, and the findings about its bars as a strip below.

    Args:
        bars: Bars, at least one.
        findings: As in `fetch --json`: `severity`, `kind`, `sessions`; of the stored history, which
            may begin before the bars. Of each at most `MOST_LISTED` sessions are listed.
        split: `train`, `validation`, `test`, each with its `first` and `last` origin.
        ticker: Named in the title.
        currency: Quote currency, or None.
    """
    first, last = bars.index[0], bars.index[-1]
    marks = []
    for one in findings:
        if one.get("severity") in FINDINGS:
            listed = pd.DatetimeIndex(one.get("sessions") or [])
            marks.append(
                (FINDINGS[str(one["severity"])], listed[(listed >= first) & (listed <= last)])
            )
    marked = {session for _, sessions in marks for session in sessions}
    missing = len(marked.difference(bars.index))
    more = any(len(one.get("sessions") or []) >= MOST_LISTED for one in findings)
    told = "nothing to report about them"
    if findings:
        told = _told(len(marked) - missing, missing, more=more)
    title = f"{ticker}: {count(len(bars), 'session')}, {told}"
    figure = style.new_figure(title, f"{day(first)} to {day(last)} · adjusted close")
    grid = figure.add_gridspec(
        2,
        1,
        left=style.LEFT,
        right=style.RIGHT,
        bottom=style.BOTTOM,
        top=0.80,
        height_ratios=[5, 1],
        hspace=0.08,
    )
    top, strip = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    days = style.days_of(bars.index)
    style.dress(top, ylabel=f"price [{shorten(currency or 'quote currency', 16)}]")
    top.plot(
        days,
        bars["close"],
        color=INK,
        linewidth=1.3,
        label="close",
        marker="o",
        markersize=0 if len(days) > 1 else 5,
    )
    style.price_axis(top, bars["close"].to_numpy(dtype=float))
    _mark_parts(top, split)
    style.dress(strip)
    strip.set_ylim(-0.6, len(FINDINGS) - 0.4)
    strip.set_yticks([row for row, _, _ in FINDINGS.values()], list(FINDINGS))
    strip.grid(visible=True, axis="y", color=GRID)
    for (row, colour, marker), sessions in marks:
        strip.plot(
            style.days_of(sessions),
            np.full(len(sessions), row),
            linestyle="none",
            marker=marker,
            markersize=7,
            color=colour,
            alpha=0.8,
        )
    style.date_axis(top, days, labels=False)
    style.date_axis(strip, days)
    alt = f"Line chart of the whole history, split into training, validation and test. {title}."
    reading = (
        "The network learnt from the first part, was stopped on the second and is judged on the "
        "third. Marks below are sessions whose bars were refused, repaired or worth a second look"
        + (f", the first {MOST_LISTED} of a kind." if more else ".")
    )
    return Picture("history", figure, title, alt, reading)


def _told(marked: int, missing: int, *, more: bool) -> str:
    """How many sessions the findings name; `more` where their lists may have been cut."""
    least, apart = "at least " if more else "", f"{missing:,} more missing"
    if not marked:
        return "no finding names one of them" + (f"; {least}{apart}" if missing else "")
    return f"{least}{marked:,} of them with a finding" + (f" and {apart}" if missing else "")


def _mark_parts(axes: Axes, split: Mapping[str, Any]) -> None:
    """The parts as shades with their names on top."""
    for name, opacity in (("train", 0.0), ("validation", 0.25), ("test", 0.4)):
        part = split.get(name) or {}
        ends = pd.to_datetime(pd.Series([part.get("first"), part.get("last")]), errors="coerce")
        if ends.isna().any():
            continue
        first, last = style.days_of(ends)
        axes.axvspan(first, last, color=RULE, alpha=opacity, linewidth=0)
        axes.text(
            (first + last) / 2,
            1.015,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            size=style.SMALL,
            color=MUTED,
        )
