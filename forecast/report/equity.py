"""What trading on the forecasts would have made of one unit of money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, GREEN, INK, ORANGE, PURPLE, RULE
from forecast.report.wording import count, percent, span

RULES = {
    "buy_and_hold": "buy and hold",
    "sign": "sign",
    "likelier": "likelier side",
    "sign_scaled": "sign, scaled",
    "long_scaled": "long, scaled",
    "momentum": "momentum",
}
_LOOKS: dict[str, tuple[str, float, Any]] = {
    "momentum": (PURPLE, 1.2, (0, (2, 1.5))),
    "sign_scaled": (ORANGE, 1.5, (0, (6, 2))),
    "buy_and_hold": (INK, 1.8, "solid"),
    "long_scaled": (GREEN, 2.0, "solid"),
    "sign": (BLUE, 2.0, "solid"),
    "likelier": (BLUE, 2.0, "solid"),
}
# What the title and the lower panel speak of, besides buy-and-hold.
_OWN = {"sign": "the forecast’s sign", "likelier": "the likelier direction"}
_DEEP = ("buy_and_hold", *_OWN, "long_scaled")
_READING = {
    "sign": "Sign is long or short one unit as the forecast points",
    "likelier": "Likelier side is long one unit where up is likelier than the class against it, "
    "else short",
    "sign_scaled": "scaled takes less when the predicted spread is wide",
    "long_scaled": "long, scaled ignores the direction",
    "momentum": "momentum repeats the last session",
}
_LOWEST = 1e-3


def equity(
    paths: pd.DataFrame,
    trades: Mapping[str, Any],
    *,
    ticker: str,
    model: str,
    retrained: Sequence[str] = (),
) -> Picture:
    """Capital after costs by rule, and how far each was below its highest level.

    Args:
        paths: As `Backtest.paths`: `session`, `strategy`, `net` (simple return until the next).
        trades: As `backtest` of `evaluate --json`: `trade`, `cost`, `rows`.
        ticker: Named in the title.
        model: The network.
        retrained: First sessions of the folds, marked.
    """
    net = paths.pivot(index="session", columns="strategy", values="net")
    capital = (1 + net).cumprod()
    yearly = {row["strategy"]: row["annual_return"] for row in trades["rows"]}
    own = next((name for name in _OWN if name in yearly), "sign")
    title = (
        f"{ticker}: {_OWN[own]} earned {percent(yearly.get(own), signed=True)} a year, "
        f"buy and hold {percent(yearly.get('buy_and_hold'), signed=True)}"
    )
    when = "the next open" if trades["trade"] == "open" else "the close it was decided from"
    figure = style.new_figure(
        title,
        f"{model}, retrained in each fold · traded at {when}, {trades['cost']:g} basis points · "
        f"{span(net.index[0], net.index[-1])}",
    )
    grid = figure.add_gridspec(
        2,
        1,
        left=style.LEFT,
        right=0.805,
        bottom=style.BOTTOM,
        top=0.815,
        height_ratios=[1.9, 1],
        hspace=0.3,
    )
    top, low = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    days = style.days_of(capital.index)
    style.dress(top, ylabel="capital, start = 1", heading="One unit of money, after costs")
    style.dress(low, ylabel="below highest [%]", heading="How deep one had to sit through")
    ends = []
    for name, (colour, width, dash) in _LOOKS.items():
        if name not in capital:
            continue
        held = capital[name].to_numpy(dtype=float)
        shown = np.maximum(held, _LOWEST)
        label = RULES[name]
        top.plot(days, shown, color=colour, linewidth=width, linestyle=dash, label=label)
        highest = np.maximum(np.maximum.accumulate(held), 1.0)
        if name in _DEEP:
            fall = 100 * (held / highest - 1)
            low.plot(days, fall, color=colour, linewidth=1.3, label=label)
        ends.append((float(shown[-1]), f"{label} ×{shown[-1]:.2f}", colour))
    top.axhline(1.0, color=RULE, linewidth=1)
    style.price_axis(top, np.maximum(capital.to_numpy(dtype=float).ravel(), _LOWEST))
    low.set_ylim(top=1.5)
    low.yaxis.set_major_locator(mticker.MaxNLocator(nbins=4))
    for axes in (top, low):
        for first in style.days_of(pd.DatetimeIndex(list(retrained)))[1:]:
            axes.axvline(first, color=RULE, linewidth=0.9, linestyle=(0, (1, 3)), zorder=0)
        style.date_axis(axes, days, labels=axes is low)
    style.label_ends(top, ends)
    falls = [
        (name, float((capital[name] / capital[name].cummax().clip(lower=1.0) - 1).min()))
        for name in _DEEP
        if name in capital
    ]
    style.label_ends(
        low,
        [
            (100 * deepest, f"{RULES[name]} {percent(deepest, 0)}", _LOOKS[name][0])
            for name, deepest in falls
        ],
    )
    alt = (
        f"Two line charts over {count(len(net), 'session')}: capital after costs and its distance "
        "from its highest level. "
        + "; ".join(
            f"{RULES[row['strategy']]} {percent(row['total_return'], 0, signed=True)}"
            for row in trades["rows"]
            if row["strategy"] in RULES
        )
        + "."
    )
    rules = "; ".join(words for name, words in _READING.items() if name in capital)
    reading = (
        f"{rules}. Dotted lines mark where the network was retrained. One path of one market: "
        "look at the interval of the Sharpe ratio before believing the order of the lines."
    )
    return Picture("equity", figure, title, alt, reading)
