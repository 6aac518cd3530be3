"""What a run's forecasts came to: prices with their band, and returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib import ticker as mticker

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, LINE, MUTED, ORANGE, RULE
from forecast.report.wording import ahead, count, number, percent, shorten, span

_ZOOM = 60
_PRICES = ("predicted", "p10", "p90", "actual")


def forecasts_of(forecasts: pd.DataFrame, model: str, step: int) -> pd.DataFrame:
    """One model's forecasts of one step, by session; what is not a number becomes NaN.

    Args:
        forecasts: Long frame `ticker, origin, step, session, model, predicted, p05 … p95, actual`.
        model: Such as `lstm`, `last_close`.
        step: Sessions ahead, >= 1.
    """
    own = forecasts[(forecasts["model"] == model) & (forecasts["step"] == step)].copy()
    for name in ("session", "origin"):
        own[name] = pd.to_datetime(own[name], errors="coerce")
    numbers = [name for name in own.columns if name == "predicted" or name[:1] == "p"]
    for name in {*numbers, "actual"} & set(own.columns):
        own[name] = pd.to_numeric(own[name], errors="coerce")
    return own.dropna(subset=["session"]).sort_values("session")


def price_forecast(
    forecasts: pd.DataFrame,
    *,
    ticker: str,
    model: str,
    step: int = 1,
    currency: str | None = None,
    lag: str | None = None,
    name: str = "price_forecast",
) -> Picture:
    """Actual and predicted price over the test part with the 80 % band, and its last 60 sessions.

    Args:
        forecasts: As in `forecasts_of`, prices adjusted [quote currency].
        ticker: Named in the title.
        model: The network.
        step: Which step to draw.
        currency: Quote currency, or None.
        lag: What the lag test found, marked on the zoom.
        name: Stem of the file.
    """
    own = forecasts_of(forecasts, model, step)
    naive = forecasts_of(forecasts, "last_close", step)
    covered, known = _coverage(own)
    title = f"{ticker}, {ahead(step)}: {count(len(own), 'forecast')}"
    if known:
        title = (
            f"{ticker}, {ahead(step)}: the 80 % band held {percent(covered, 1)} of {known:,} closes"
        )
    subtitle = f"{model} · forecasts for {span(own['session'].min(), own['session'].max())}"
    figure = style.new_figure(title, f"{subtitle} · bars that it never saw")
    grid = figure.add_gridspec(
        2,
        1,
        left=style.LEFT,
        right=style.RIGHT,
        bottom=style.BOTTOM,
        top=0.81,
        hspace=0.34,
        height_ratios=[1, 1.35],
    )
    unit = f"adjusted close [{shorten(currency or 'quote currency', 16)}]"
    whole, zoom = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    last = own.tail(_ZOOM)
    style.dress(whole, ylabel=None, heading="The whole test part")
    style.dress(zoom, ylabel=None, heading=_zoom_heading(last, naive, step))
    for axes, part in ((whole, own), (zoom, last)):
        _draw_prices(axes, part, zoomed=axes is zoom)
    figure.text(
        0.018, 0.44, unit, rotation=90, va="center", size=style.SMALL, color=MUTED, parse_math=False
    )
    if len(own) > len(last):
        whole.axvspan(*_days(last["session"].iloc[[0, -1]]), color=RULE, alpha=0.25, linewidth=0)
    near = naive[naive["session"].isin(last["session"])]
    if not near.empty:
        zoom.plot(
            _days(near["session"]),
            near["predicted"],
            linestyle="none",
            marker="o",
            markersize=4.6,
            markerfacecolor="none",
            markeredgecolor=MUTED,
            markeredgewidth=0.9,
            label="last close",
            zorder=2.5,
        )
    if not last.empty:
        end = last.iloc[-1]
        style.label_ends(
            zoom,
            [
                (end["actual"], "actual", INK),
                (end["predicted"], shorten(model, 13), BLUE),
                (end["p90"] if "p90" in last else np.nan, "80 % band", BLUE),
                (near["predicted"].iloc[-1] if len(near) else np.nan, "○ last close", MUTED),
            ],
        )
    if lag:
        zoom.text(
            0.0,
            -0.21,
            shorten(lag, 120),
            transform=zoom.transAxes,
            size=style.SMALL,
            color=ORANGE,
            va="top",
            parse_math=False,
        )
    alt = (
        f"Two line charts of the actual and predicted adjusted close of {ticker}, {ahead(step)}, "
        f"{span(own['session'].min(), own['session'].max())}, with the 80 % band. "
        + (f"The band held {percent(covered, 1)} of {known:,} closes. " if known else "")
        + _zoom_heading(last, naive, step)
        + "."
    )
    reading = (
        "The band should hold four closes in five. Below, the circles are the close that was known "
        "when the forecast was made: where the blue line runs through them, the network says no "
        "more than “as it was”."
    )
    return Picture(name, figure, title, alt, reading)


def _coverage(own: pd.DataFrame) -> tuple[float, int]:
    if not {"p10", "p90", "actual"} <= set(own.columns):
        return np.nan, 0
    rows = own[["p10", "p90", "actual"]].dropna()
    inside = (rows["actual"] >= rows["p10"]) & (rows["actual"] <= rows["p90"])
    return (float(inside.mean()) if len(rows) else np.nan), len(rows)


def _zoom_heading(last: pd.DataFrame, naive: pd.DataFrame, step: int) -> str:
    heading = f"The last {len(last)} sessions" if len(last) > 1 else "The last session"
    both = last.merge(naive[["origin", "predicted"]], on="origin", suffixes=("", "_naive"))
    moved = (both["actual"] / both["predicted_naive"] - 1).abs().mean()
    said = (both["predicted"] / both["predicted_naive"] - 1).abs().mean()
    if np.isfinite(moved) and np.isfinite(said):
        since = "the last close" if step == 1 else f"the close {step} sessions before"
        heading += (
            f": forecasts lie {percent(said, 2)} from {since}, prices moved {percent(moved, 2)}"
        )
    return heading


def _draw_prices(axes: Any, part: pd.DataFrame, *, zoomed: bool) -> None:
    days = _days(part["session"])
    many = len(part) > 1
    marker = {"marker": "o", "markersize": 3.2 if zoomed else 2.0} if zoomed or not many else {}
    if {"p10", "p90"} <= set(part.columns):
        if many:
            axes.fill_between(
                days,
                part["p10"],
                part["p90"],
                color=BLUE,
                alpha=0.2,
                linewidth=0,
                label="80 % band",
            )
        else:
            axes.vlines(days, part["p10"], part["p90"], color=BLUE, alpha=0.3, linewidth=9)
    axes.plot(
        days,
        part["actual"],
        color=INK,
        linewidth=LINE if zoomed else 1.2,
        label="actual",
        zorder=3,
        **marker,
    )
    axes.plot(
        days,
        part["predicted"],
        color=BLUE,
        linewidth=1.9 if zoomed else 0.9,
        label="predicted",
        zorder=3.5,
        solid_capstyle="round",
        **({} if many else {"marker": "D", "markersize": 6}),
    )
    drawn = [name for name in _PRICES if name in part.columns]
    style.price_axis(axes, part[drawn].to_numpy(dtype=float).ravel(), ticks=7 if zoomed else 4)
    style.date_axis(axes)


def return_scatter(
    forecasts: pd.DataFrame, bars: pd.DataFrame, *, ticker: str, model: str, step: int = 1
) -> Picture:
    """Actual against predicted return, once to the same scale and once with the forecast stretched.

    Args:
        forecasts: As in `forecasts_of`.
        bars: Bars; their close at the origin turns a price into a return.
        ticker: Named in the title.
        model: The network.
        step: Which step to draw.
    """
    own = forecasts_of(forecasts, model, step)
    base = bars["close"].reindex(own["origin"]).to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        said = 100 * np.log(own["predicted"].to_numpy(dtype=float) / base)
        came = 100 * np.log(own["actual"].to_numpy(dtype=float) / base)
    known = np.isfinite(said) & np.isfinite(came)
    said, came = said[known], came[known]
    slope, cut, r = _fit(said, came)
    right = float(np.mean(np.sign(said) == np.sign(came))) if len(said) else np.nan
    title = f"{ticker}: too few different returns to correlate"
    if np.isfinite(r):
        # Returns over `step` sessions overlap, so that only every `step`-th is news.
        chance = abs(r) < 1.96 / np.sqrt(len(said) / step)
        title = (
            f"{ticker}: predicted and actual returns correlate at {number(r, 2)}, "
            f"{'no more than chance' if chance else 'more than chance'}"
        )
    figure = style.new_figure(
        title,
        f"{model} · {ahead(step)} · {count(len(said), 'forecast')}, "
        f"{span(own['session'].min(), own['session'].max())} · direction right {percent(right)}",
    )
    grid = figure.add_gridspec(
        1, 2, left=style.LEFT, right=0.965, bottom=0.125, top=0.785, wspace=0.22
    )
    reach = max(float(np.abs(np.r_[said, came]).max(initial=0.0)) * 1.06, 1e-3)
    narrow = max(float(np.abs(said).max(initial=0.0)) * 1.12, reach / 1000)
    for place, width in enumerate((reach, narrow)):
        axes = figure.add_subplot(grid[place])
        stretched = place == 1
        times = reach / narrow
        heading = (
            f"Forecast axis stretched {number(times, 2)} times"
            if stretched
            else "Both axes to the same scale"
        )
        style.dress(
            axes, ylabel="actual return [%, log]" if not stretched else None, heading=heading
        )
        axes.set_xlabel("predicted return [%, log]", size=style.SMALL, color=MUTED)
        axes.set_xlim(-width, width)
        axes.set_ylim(-reach, reach)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(mticker.MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
        axes.axhline(0, color=RULE, linewidth=1)
        axes.axvline(0, color=RULE, linewidth=1)
        axes.scatter(
            said, came, s=15, color=BLUE, alpha=0.45, linewidths=0, label="one forecast", zorder=2.5
        )
        ends = np.array([-width, width])
        axes.plot(ends, ends, color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)), label="identity")
        if not stretched:
            axes.text(
                0.93 * reach,
                0.78 * reach,
                "predicted = actual",
                rotation=0,
                ha="right",
                va="top",
                size=style.SMALL,
                color=MUTED,
            )
        if np.isfinite(slope):
            axes.plot(ends, cut + slope * ends, color=ORANGE, linewidth=2, label="fitted", zorder=3)
            if stretched:
                axes.text(
                    0.985,
                    0.03,
                    f"fitted slope {number(slope, 2)} (1 would be right)",
                    transform=axes.transAxes,
                    ha="right",
                    size=style.SMALL,
                    color=ORANGE,
                )
    alt = (
        f"Two scatter plots of {count(len(said), 'actual return')} against the predicted one. "
        f"Correlation {number(r, 2)}, fitted slope {number(slope, 2)}, direction right "
        f"{percent(right)}."
    )
    reading = (
        "Left, to the same scale, a useful forecast would lean along the dashed diagonal; an "
        "upright cloud at zero says “nothing will happen”. Right, the same points stretched: the "
        "orange line’s slope is what one unit of forecast was worth."
    )
    return Picture("return_scatter", figure, title, alt, reading)


def _fit(said: np.ndarray, came: np.ndarray) -> tuple[float, float, float]:
    """Least-squares slope and intercept of `came` on `said`, and their correlation."""
    if len(said) < 3 or np.ptp(said) < 1e-12 or np.ptp(came) < 1e-12:
        return np.nan, np.nan, np.nan
    slope = float(np.cov(said, came)[0, 1] / np.var(said, ddof=1))
    cut = float(came.mean() - slope * said.mean())
    return slope, cut, float(np.corrcoef(said, came)[0, 1])


def _days(sessions: pd.Series) -> np.ndarray:
    return np.asarray(mdates.date2num(pd.DatetimeIndex(sessions).to_numpy()), dtype=float)
