"""How much better than the reference, and how sure: fold by fold, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.group_skills import PRICES, Panels
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, ORANGE, RULE
from forecast.report.wording import count, finite, fixed, percent

# Share of the panel's height within which a number would lie on the line at zero.
_NEAR = 0.08


def fold_skills(
    folds: Sequence[Mapping[str, Any]],
    seeds: Mapping[str, Any],
    own: Mapping[str, Any],
    *,
    ticker: str,
    model: str,
    panels: Panels = PRICES,
) -> Picture:
    """Skill of every fold and seed, a panel a loss, with the pooled interval.

    Args:
        folds: As `folds` of `evaluate --json`.
        seeds: As `seeds` there.
        own: The network's row of the pooled scores at the last step.
        ticker: Named in the title.
        model: The network.
        panels: Of prices, or of classes.
    """
    judged = f"skill_{list(panels.headings)[-1]}"
    better = sum((finite(fold.get(judged)) or 0.0) > 0 for fold in folds)
    mean, spread = (finite(seeds[part].get(judged)) for part in ("mean", "spread"))
    title = f"{ticker}: {panels.beat} in {better} of {count(len(folds), 'fold')}"
    if mean is not None and spread is not None:
        by = ", by" if mean > 0 else "; skill"
        title += f"{by} {fixed(100 * mean)} ± {fixed(100 * spread)} % over the seeds"
    figure = style.new_figure(
        title,
        f"{model} · retrained in each fold with {count(len(seeds['seeds']), 'seed')} · skill "
        "against the reference on the same origins",
    )
    grid = figure.add_gridspec(
        2, 1, left=style.LEFT, right=style.RIGHT, bottom=0.105, top=0.8, hspace=0.34
    )
    for place, (kind, heading) in enumerate(panels.headings.items()):
        axes = figure.add_subplot(grid[place])
        style.dress(axes, ylabel="skill [%]", heading=heading)
        _draw_folds(axes, folds, own, kind, labels=place == 1)
    named = {kind: heading.split(":")[0].lower() for kind, heading in panels.headings.items()}
    alt = f"Skill by fold and seed. {title}. " + " ".join(
        f"Fold {fold['fold']}: "
        + ", ".join(
            f"{name} {percent(fold.get(f'skill_{kind}'), 2, signed=True)}"
            for kind, name in named.items()
        )
        + "."
        for fold in folds
    )
    reading = (
        "Above the line at zero the network was better than the reference. Small circles are "
        "single seeds, diamonds the mean of their forecasts; the grey zone is the 95 % interval "
        "over all folds. A skill that lives in one fold, or with one seed, is luck."
    )
    return Picture("fold_skills", figure, title, alt, reading)


def _draw_folds(
    axes: Axes,
    folds: Sequence[Mapping[str, Any]],
    own: Mapping[str, Any],
    kind: str,
    *,
    labels: bool,
) -> None:
    low, high = (finite(own.get(f"skill_{kind}_{end}")) for end in ("low", "high"))
    whole = finite(own.get(f"skill_{kind}"))
    if low is not None and high is not None:
        axes.axhspan(100 * low, 100 * high, color=RULE, alpha=0.3, linewidth=0)
    axes.axhline(0, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)))
    at, reach = np.arange(len(folds)), _reach(folds, kind)
    for place, fold in zip(at, folds, strict=True):
        single = [finite(row.get(f"skill_{kind}")) for row in fold["seeds"]]
        known = [100 * value for value in single if value is not None]
        offsets = np.linspace(-0.28, -0.12, len(known))
        axes.plot(
            place + offsets,
            known,
            linestyle="none",
            marker="o",
            markersize=5.5,
            markerfacecolor="none",
            markeredgecolor=MUTED,
            markeredgewidth=1.1,
        )
        value = finite(fold.get(f"skill_{kind}"))
        if value is not None:
            colour = BLUE if value > 0 else ORANGE if value < 0 else MUTED
            aside = (7 if value >= 0 else -7) if abs(value) < _NEAR * reach else 0
            axes.plot(place, 100 * value, marker="D", markersize=8, color=colour, zorder=3)
            axes.annotate(
                f"{100 * value:+.2f}".replace("-", "−"),
                (place, 100 * value),
                xytext=(10, aside),
                textcoords="offset points",
                va="center",
                size=style.SMALL,
                color=INK,
            )
    axes.set_xlim(-0.5, len(folds) - 0.5)
    names = [f"{_month(fold['first'])} –\n{_month(fold['last'])}" for fold in folds]
    every = max(1, -(-len(folds) // 8))
    axes.set_xticks(at[::every], names[::every] if labels else [""] * len(at[::every]))
    axes.yaxis.set_major_locator(mticker.MaxNLocator(nbins=5))
    axes.margins(y=0.15)
    ends = [(0.0, "reference", MUTED)]
    if whole is not None:
        ends.append((100 * whole, f"all {100 * whole:+.2f}".replace("-", "−"), INK))
    style.label_ends(axes, ends)


def _reach(folds: Sequence[Mapping[str, Any]], kind: str) -> float:
    """From the lowest to the highest skill drawn, zero included."""
    drawn = [finite(row.get(f"skill_{kind}")) for fold in folds for row in (fold, *fold["seeds"])]
    known = [0.0, *(value for value in drawn if value is not None)]
    return max(known) - min(known)


def _month(session: Any) -> str:
    return f"{pd.Timestamp(session):%b %Y}"
