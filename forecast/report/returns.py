"""Forecasts as returns: how they relate to what came, and whether they merely repeat the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker

from forecast.evaluation.significance import diebold_mariano
from forecast.evaluation.verdict import SIGNIFICANT
from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.plots import forecasts_of
from forecast.report.style import BLUE, MUTED, ORANGE, PAPER, RULE
from forecast.report.wording import ahead, count, fixed, number, percent, span


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
        title = (
            f"{ticker}: predicted and actual returns correlate at {fixed(r)}, "
            f"{_by_chance(said, came, r, step)}"
        )
    figure = style.new_figure(
        title,
        f"{model} · {ahead(step)} · {count(len(said), 'forecast')}, "
        f"{span(own['session'].min(), own['session'].max())} · direction right {percent(right)}",
    )
    grid = figure.add_gridspec(
        1, 2, left=style.LEFT, right=0.965, bottom=0.125, top=0.785, wspace=0.22
    )
    # A flat price or no forecast at all still has axes: ± 1 %.
    reach = float(np.abs(np.r_[said, came]).max(initial=0.0)) * 1.06 or 1.0
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
                0.62 * reach,
                0.62 * reach,
                "predicted = actual",
                ha="center",
                va="center",
                size=style.SMALL,
                color=MUTED,
                # Under the points, on the line.
                zorder=2.2,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 2},
            )
        if np.isfinite(slope):
            # Only as far as there are forecasts: beyond them it would claim what nobody saw.
            ends = np.array([said.min(), said.max()])
            (line,) = axes.plot(
                ends, cut + slope * ends, color=ORANGE, linewidth=2.4, label="fitted", zorder=3
            )
            if stretched:
                style.note(axes, line, f"fitted slope {number(slope, 2)}, ideal 1", ORANGE)
    alt = (
        f"Two scatter plots of {count(len(said), 'actual return')} against the predicted one. "
        f"Correlation {fixed(r)}, fitted slope {number(slope, 2)}, direction right "
        f"{percent(right)}."
    )
    reading = (
        "Left, to the same scale, a useful forecast would lean along the dashed diagonal; an "
        "upright cloud at zero says “nothing will happen”. Right, the same points stretched: the "
        "orange line’s slope is what one unit of forecast was worth."
    )
    return Picture("return_scatter", figure, title, alt, reading)


def _by_chance(said: np.ndarray, came: np.ndarray, r: float, step: int) -> str:
    """Whether the correlation is more than chance gives, in words.

    Tested is the mean of the products that it is made of, so that overlap counts, and that wild
    sessions have both large returns and large forecasts: the textbook's 1.96 / sqrt(n) knows
    neither.
    """
    products = (said - said.mean()) * (came - came.mean())
    p = diebold_mariano(products, np.zeros(len(products)), step=step)
    if np.isnan(p):
        return "too few to tell from chance"
    if p >= SIGNIFICANT:
        return "no more than chance"
    return "more than chance" if r > 0 else "more than chance, the wrong way round"


def _fit(said: np.ndarray, came: np.ndarray) -> tuple[float, float, float]:
    """Least-squares slope and intercept of `came` on `said`, and their correlation."""
    if len(said) < 3 or np.ptp(said) < 1e-12 or np.ptp(came) < 1e-12:
        return np.nan, np.nan, np.nan
    from scipy.stats import linregress

    line = linregress(said, came)
    return float(line.slope), float(line.intercept), float(line.rvalue)


def lag_plot(
    correlations: Sequence[Mapping[str, Any]],
    *,
    ticker: str,
    model: str,
    step: int = 1,
    late: bool,
    origins: int,
    text: str = "",
) -> Picture:
    """Correlation of the predicted line's moves with the price's, shifted by -5 … 5 sessions.

    Args:
        correlations: Rows `lag`, `line`, `forecast` as in `LagTest.correlations`, in [-1, 1]; None
            or NaN where there is none.
        ticker: Named in the title.
        model: The network.
        step: Sessions ahead.
        late: The lag test called it persistence.
        origins: How many forecasts it rests on.
        text: What the lag test said, for the caption.
    """
    table = pd.DataFrame(list(correlations)).apply(pd.to_numeric, errors="coerce").set_index("lag")
    delay = count(step, "session")
    if table.loc[[0, step], "line"].isna().any():
        found = "no lag test, too few outcomes or prices that stand still"
    elif late:
        found = f"this is persistence, the line follows the price {delay} late"
    elif table["line"].idxmax() == step:
        found = "the line stays near the last close, but what it adds is significant"
    else:
        found = "no sign that the line merely follows the price"
    title = f"{ticker}: {found}"
    figure = style.new_figure(title, f"{model} · {ahead(step)} · {count(origins, 'forecast')}")
    grid = figure.add_gridspec(
        1, 2, left=style.LEFT, right=0.965, bottom=0.125, top=0.775, wspace=0.12
    )
    chance = 1.96 / np.sqrt(max(origins, 1))
    edge = table.index.max() + 0.7
    # The words take more than a third of the panel's width.
    right = 1 if edge - step > 0.36 * 2 * edge else -1
    for place, (name, heading) in enumerate(
        (("line", "Moves of the predicted line"), ("forecast", "Predicted returns"))
    ):
        axes = figure.add_subplot(grid[place])
        style.dress(axes, ylabel="correlation" if place == 0 else None, heading=heading)
        axes.set_ylim(-1.08, 1.08)
        axes.axhspan(-chance, chance, color=RULE, alpha=0.28, linewidth=0)
        axes.axhline(0, color=RULE, linewidth=1)
        own = table[name]
        colours = [ORANGE if lag == step else BLUE if lag == 0 else MUTED for lag in own.index]
        axes.vlines(own.index, 0, own, color=colours, linewidth=7, label=name)
        for lag, words, side, colour in (
            (step, "the last close", right, ORANGE),
            (0, "its target", -1, BLUE),
        ):
            height = own.get(lag, np.nan)
            if np.isfinite(height):
                # Beside a tall bar; off a short one, so that its neighbours stay visible.
                short = abs(height) < 0.3
                axes.annotate(
                    f"{words} {fixed(height)}",
                    (lag, chance + 0.07 + 0.12 * (lag > 0) if short else height),
                    xytext=(0 if short else 8 * side, 0),
                    textcoords="offset points",
                    ha="left" if side > 0 else "right",
                    va="bottom" if short else "top",
                    size=style.SMALL,
                    color=colour,
                )
        axes.set_xlim(-edge, edge)
        axes.xaxis.set_major_locator(mticker.MaxNLocator(nbins=11, integer=True))
        axes.set_xlabel("sessions the price is shifted back", size=style.SMALL, color=MUTED)
        axes.tick_params(axis="y", labelleft=place == 0)
    alt = f"Two bar charts of correlations at shifts of up to {own.index.max()} sessions. {title}."
    reading = (
        "Left, a line that repeats the last close has its tall bar at the orange place instead of "
        "the blue one. Right, the same for what the network adds to the last close: a useful "
        "forecast has a blue bar outside the grey zone of chance."
    )
    return Picture("lag", figure, title, alt, reading, text)
