"""Forecasts beside what came: the price over the test part, and its last sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, LINE, MUTED, ORANGE, RULE
from forecast.report.wording import ahead, count, percent, shorten, span

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
    late: bool = False,
    name: str = "price_forecast",
) -> Picture:
    """Actual and predicted price over the test part with the 80 % band, and its last 60 sessions.

    Args:
        forecasts: As in `forecasts_of`, prices adjusted [quote currency].
        ticker: Named in the title.
        model: The network.
        step: Which step to draw.
        currency: Quote currency, or None.
        late: The lag test called it persistence: the zoom says so and marks the largest move.
        name: Stem of the file.
    """
    own = forecasts_of(forecasts, model, step)
    naive = forecasts_of(forecasts, "last_close", step)
    covered, known = _coverage(own)
    held = f"the 80 % band held {percent(covered)} of {count(known, 'close')}"
    title = f"{ticker}, {ahead(step)}: {held if known else count(len(own), 'forecast')}"
    subtitle = f"{model} · forecasts for {span(own['session'].min(), own['session'].max())}"
    figure = style.new_figure(title, f"{subtitle} · outcomes that it never saw")
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
    style.dress(zoom, ylabel=None, heading=_zoom_heading(last, naive, late=late))
    for axes, part in ((whole, own), (zoom, last)):
        _draw_prices(axes, part, zoomed=axes is zoom)
    figure.text(
        0.028,
        0.44,
        unit,
        rotation=90,
        va="center",
        ha="right",
        size=style.SMALL,
        color=MUTED,
        parse_math=False,
    )
    if len(own) > len(last):
        whole.axvspan(
            *style.days_of(last["session"].iloc[[0, -1]]), color=RULE, alpha=0.25, linewidth=0
        )
    near = naive[naive["session"].isin(last["session"])]
    if not near.empty:
        zoom.plot(
            style.days_of(near["session"]),
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
    if late:
        _mark_delay(zoom, last, step)
    alt = (
        f"Two line charts of the actual and predicted adjusted close of {ticker}, {ahead(step)}, "
        f"{span(own['session'].min(), own['session'].max())}, with the 80 % band. "
        + (f"{held[0].upper()}{held[1:]}. " if known else "")
        + _zoom_heading(last, naive, late=late)
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


def _mark_delay(axes: Axes, last: pd.DataFrame, step: int) -> None:
    """An arrow from the largest move of the price to where the forecast repeats it."""
    actual, said = last["actual"].to_numpy(), last["predicted"].to_numpy()
    moves = np.abs(np.diff(np.log(actual), prepend=np.nan))
    # Left of the move must be room for the words, right of it for the repetition.
    moves[: len(moves) // 4] = np.nan
    moves[max(len(moves) - step, 0) :] = np.nan
    if not np.isfinite(moves).any():
        return
    at = int(np.nanargmax(moves))
    days = style.days_of(last["session"])
    axes.annotate(
        "",
        (days[at + step], said[at + step]),
        xytext=(days[at], actual[at]),
        arrowprops={"arrowstyle": "-|>", "color": ORANGE, "linewidth": 2, "mutation_scale": 16},
        zorder=5,
    )
    axes.annotate(
        f"{count(step, 'session')} late",
        (days[at], actual[at]),
        xytext=(-9, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        size=style.BODY,
        weight="bold",
        color=ORANGE,
    )


def _zoom_heading(last: pd.DataFrame, naive: pd.DataFrame, *, late: bool) -> str:
    heading = f"Last {len(last)} sessions" if len(last) > 1 else "The last session"
    if late:
        heading += ", persistence"
    both = last.merge(naive[["origin", "predicted"]], on="origin", suffixes=("", "_naive"))
    moved = (both["actual"] / both["predicted_naive"] - 1).abs().mean()
    said = (both["predicted"] / both["predicted_naive"] - 1).abs().mean()
    if np.isfinite(moved) and np.isfinite(said):
        heading += (
            f": forecasts lie {percent(said, 2)} from the last close, prices moved "
            f"{percent(moved, 2)}"
        )
    return heading


def _draw_prices(axes: Axes, part: pd.DataFrame, *, zoomed: bool) -> None:
    days = style.days_of(part["session"])
    many = len(part) > 1
    dot = (3.2 if zoomed else 0) if many else 5.0
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
        marker="o",
        markersize=dot,
    )
    axes.plot(
        days,
        part["predicted"],
        color=BLUE,
        linewidth=1.9 if zoomed else 0.9,
        label="predicted",
        zorder=3.5,
        solid_capstyle="round",
        marker="D",
        markersize=0 if many else 6,
    )
    drawn = [name for name in _PRICES if name in part.columns]
    style.price_axis(axes, part[drawn].to_numpy(dtype=float).ravel(), ticks=7 if zoomed else 4)
    style.date_axis(axes, days)
