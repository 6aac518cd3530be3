"""What may come: the recent past and the fan of the coming sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.files import write_atomically
from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, RULE
from forecast.report.wording import count, day, named, narrowest, number, percent, price, shorten

_PAST = 75
_RIGHT = 0.843  # the labels at the fan hold a share and a price
# Outer to inner: (lower, upper, opacity, share of outcomes).
_FANS = (("p05", "p95", 0.16, 90), ("p10", "p90", 0.20, 80), ("p25", "p75", 0.30, 50))


def fan_chart(
    past: pd.Series,
    steps: Sequence[Mapping[str, Any]],
    *,
    ticker: str,
    model: str,
    currency: str | None = None,
) -> Picture:
    """The recent past and the fan of the coming sessions.

    Few sessions to come are drawn wider than those that have been, so that a fan of one session
    can be read too; the picture says by how much.

    Args:
        past: Closes in today's money [quote currency], index = session; the last one is the
            forecast's origin.
        steps: One mapping a session to come, as in `predict --json`: `step`, `session`,
            `predicted`, `p05` … `p95`; prices in the same money.
        ticker: Named in the title.
        model: The network.
        currency: Quote currency, or None.
    """
    past = past.dropna().tail(_PAST)
    ahead = pd.DataFrame(list(steps))
    for name in {"predicted", *QUANTILE_COLUMNS} & set(ahead.columns):
        ahead[name] = pd.to_numeric(ahead[name], errors="coerce")
    origin, close = past.index[-1], float(past.iloc[-1])
    final = ahead.iloc[-1]
    many = len(ahead)
    shown = partial(price, within=narrowest(steps))
    title = (
        f"{ticker} on {day(final['session'])}: {shown(final['predicted'])}; "
        f"four times in five {shown(final.get('p10'))} to {shown(final.get('p90'))}"
    )
    wide = max(1.0, 0.42 * len(past) / many)
    figure = style.new_figure(
        title,
        f"{model} · {count(many, 'session')} ahead of the close of {day(origin)}, "
        f"{shown(close)} (dashed)"
        + (f" · future drawn {number(wide, 2)} × wider" if wide > 1 else ""),
    )
    axes = figure.add_axes(
        (style.LEFT, style.BOTTOM, _RIGHT - style.LEFT, style.TOP - style.BOTTOM)
    )
    style.dress(
        axes, ylabel=f"price in today’s money [{shorten(currency or 'quote currency', 16)}]"
    )
    behind = np.arange(-len(past) + 1, 1, dtype=float)
    before = np.r_[0.0, wide * np.arange(1, many + 1)]
    axes.axvspan(0, before[-1], color=RULE, alpha=0.12, linewidth=0)
    for low, high, opacity, share in _FANS:
        if {low, high} <= set(ahead.columns):
            axes.fill_between(
                before,
                np.r_[close, ahead[low]],
                np.r_[close, ahead[high]],
                color=BLUE,
                alpha=opacity,
                linewidth=0,
                label=f"{share} % of outcomes",
            )
    axes.plot(behind, past, color=INK, linewidth=1.8, label="close", solid_capstyle="round")
    axes.plot(
        before,
        np.r_[close, ahead["predicted"]],
        color=BLUE,
        linewidth=2.2,
        label="predicted",
        marker="o",
        markersize=5 if many <= 10 else 0,
        markevery=slice(1, None),
    )
    axes.plot(
        [0, before[-1]],
        [close, close],
        color=MUTED,
        linewidth=1,
        linestyle=(0, (4, 3)),
        label="last close",
    )
    axes.plot(0, close, marker="o", markersize=6, color=INK)
    axes.set_xlim(behind[0] - 0.5, before[-1] + 0.01 * (before[-1] - behind[0]))
    prices = [name for name in ("predicted", *QUANTILE_COLUMNS) if name in ahead]
    style.price_axis(axes, np.r_[past, ahead[prices].to_numpy(dtype=float).ravel()])
    places, labels = _session_ticks(
        pd.DatetimeIndex(past.index), ahead["session"], behind, before[1:]
    )
    axes.set_xticks(places, labels)
    edges = [
        (edge, share) for low, high, _, share in _FANS for edge in (low, high) if edge in ahead
    ]
    style.label_ends(
        axes,
        [
            (float(final["predicted"]), named("point:", shown(final["predicted"])), BLUE),
            *(
                (float(final[edge]), named(f"{share} %:", shown(final[edge])), MUTED)
                for edge, share in edges
            ),
        ],
    )
    up = final.get("probability_up")
    alt = f"Fan chart: {title}." + (
        f" Probability of a rise {percent(up, 0)}." if up is not None else ""
    )
    reading = (
        "From light to dark the fan holds 90, 80 and 50 in 100 outcomes, if the future is like the "
        "past that the network learnt from; the dashed line is today’s close."
    )
    return Picture("fan", figure, title, alt, reading)


def draw_fan(
    path: Path,
    past: pd.Series,
    steps: Sequence[Mapping[str, Any]],
    *,
    ticker: str,
    model: str,
    currency: str | None = None,
) -> Path:
    """Write `fan_chart` as a PNG file, whole or not at all; arguments as there.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    picture = fan_chart(past, steps, ticker=ticker, model=model, currency=currency)
    write_atomically(path, picture.png())
    return path


def _session_ticks(
    past: pd.DatetimeIndex, coming: pd.Series, behind: np.ndarray, before: np.ndarray
) -> tuple[list[float], list[str]]:
    """A date for each new month behind, and for at most four sessions to come."""
    months = past.to_period("M")
    room = (before[-1] - behind[0]) / 12
    starts: list[int] = []
    for at in range(1, len(past)):
        free = behind[at] - behind[starts[-1]] >= room if starts else True
        if months[at] != months[at - 1] and free and -behind[at] >= 1.3 * room:
            starts.append(at)
    places = [float(behind[at]) for at in starts]
    labels = [f"{past[at].day} {past[at]:%b}" for at in starts]
    # From the last session back, each label with a twelfth of the width to itself, that of the
    # origin, which has a year, with more.
    picks: list[int] = []
    for at in range(len(before) - 1, -1, -max(1, len(before) // 4)):
        if before[at] >= 1.35 * room and (not picks or before[picks[0]] - before[at] >= room):
            picks.insert(0, at)
    dates = pd.to_datetime(coming, errors="coerce")
    places += [0.0, *(float(before[at]) for at in picks)]
    labels += [f"{past[-1].day} {past[-1]:%b %Y}"]
    labels += [f"{dates.iloc[at].day} {dates.iloc[at]:%b}" for at in picks]
    return places, labels
