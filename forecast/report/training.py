"""How the training went: loss by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, GREEN, MUTED, ORANGE
from forecast.report.wording import count, number


def training_curve(history: Mapping[str, Any], *, ticker: str, model: str) -> Picture:
    """Training and validation loss by epoch, with the kept epoch marked.

    Args:
        history: `loss`, `val_loss` and optionally `learning_rate`, one figure an epoch, and
            `kept_epoch` (1-based).
        ticker: Named in the title.
        model: The network.
    """
    curves = {
        name: pd.to_numeric(pd.Series(list(history.get(name) or []), dtype=object), errors="coerce")
        for name in ("loss", "val_loss", "learning_rate")
    }
    ran = max((len(curve) for curve in curves.values()), default=0)
    kept = history.get("kept_epoch")
    title = f"{ticker}: {count(ran, 'epoch')} of training"
    if kept:
        title = f"{ticker}: the weights of epoch {kept} of {ran} were kept"
    figure = style.new_figure(
        title,
        f"{model} · kept is the epoch with the lowest validation loss; what came after is undone",
    )
    rates = curves["learning_rate"].dropna()
    falling = len(rates) > 1 and rates.nunique() > 1
    grid = figure.add_gridspec(
        2 if falling else 1,
        1,
        left=style.LEFT,
        right=style.RIGHT,
        bottom=0.125,
        top=style.TOP,
        height_ratios=[4, 1] if falling else [1],
        hspace=0.2,
    )
    axes = figure.add_subplot(grid[0])
    style.dress(axes, ylabel="loss [the network’s own units]")
    looks = (("loss", "training", MUTED, (0, (4, 2))), ("val_loss", "validation", BLUE, "solid"))
    ends = []
    for key, label, colour, dash in looks:
        curve = curves[key]
        if curve.notna().any():
            axes.plot(
                np.arange(1, len(curve) + 1),
                curve,
                color=colour,
                linewidth=2,
                linestyle=dash,
                label=label,
                marker="o",
                markersize=4 if len(curve) <= 40 else 0,
            )
            ends.append((float(curve.dropna().iloc[-1]), label, colour))
    axes.set_xlim(0.5, max(ran, 1) + 0.5)
    panels = [axes]
    if falling:
        rate_axes = figure.add_subplot(grid[1])
        style.dress(rate_axes, ylabel="learning rate")
        rate_axes.step(np.arange(1, len(rates) + 1), rates, where="mid", color=GREEN, linewidth=1.8)
        rate_axes.set_yscale("log")
        rate_axes.yaxis.set_major_locator(mticker.LogLocator(subs=(1.0, 2.0, 5.0), numticks=4))
        rate_axes.yaxis.set_minor_locator(mticker.NullLocator())
        rate_axes.yaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
        rate_axes.set_xlim(*axes.get_xlim())
        axes.tick_params(axis="x", labelbottom=False)
        panels.append(rate_axes)
    panels[-1].set_xlabel("epoch", size=style.SMALL, color=MUTED)
    for panel in panels:
        panel.xaxis.set_major_locator(mticker.MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
        if kept:
            panel.axvline(kept, color=ORANGE, linewidth=1.6)
    valid = curves["val_loss"]
    if kept and 1 <= kept <= len(valid) and np.isfinite(valid.iloc[kept - 1]):
        best = float(valid.iloc[kept - 1])
        (dot,) = axes.plot(
            *(kept, best),
            linestyle="none",
            marker="o",
            markersize=10,
            color=ORANGE,
            zorder=4,
            label="kept epoch",
        )
        style.note(axes, dot, f"epoch {kept} kept\nvalidation loss {number(best)}", ORANGE)
    style.label_ends(axes, ends)
    alt = f"Line chart of training and validation loss over {count(ran, 'epoch')}. " + (
        f"Epoch {kept} was kept." if kept else ""
    )
    reading = (
        "Both lines should fall together. Where validation turns up while training goes on "
        "falling, the network began to learn its training part by heart."
    )
    return Picture("training_curve", figure, title, alt, reading)
