"""How much better than the reference, and how sure: by fold and seed, or model beside model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker as mticker
from matplotlib.axes import Axes

from forecast.report import style
from forecast.report.picture import Picture
from forecast.report.style import BLUE, INK, MUTED, ORANGE, RULE
from forecast.report.wording import count, finite, fixed, percent, shorten

_PRICE, _SPREAD = "Price: squared error below last close", "Spread: pinball loss below "


def fold_skills(
    folds: Sequence[Mapping[str, Any]],
    seeds: Mapping[str, Any],
    own: Mapping[str, Any],
    *,
    ticker: str,
    model: str,
) -> Picture:
    """Skill of every fold and seed, price above, spread below, with the pooled interval.

    Args:
        folds: As `folds` of `evaluate --json`.
        seeds: As `seeds` there.
        own: The network's row of the pooled scores at the last step.
        ticker: Named in the title.
        model: The network.
    """
    better = sum((finite(fold.get("skill_pinball")) or 0.0) > 0 for fold in folds)
    mean, spread = (finite(seeds[part].get("skill_pinball")) for part in ("mean", "spread"))
    title = f"{ticker}: the spread beat EWMA and GARCH in {better} of {count(len(folds), 'fold')}"
    if mean is not None and spread is not None:
        title += f", by {fixed(100 * mean)} ± {fixed(100 * spread)} % over the seeds"
    figure = style.new_figure(
        title,
        f"{model} · retrained in each fold with {count(len(seeds['seeds']), 'seed')} · skill "
        "against the reference on the same origins",
    )
    grid = figure.add_gridspec(
        2, 1, left=style.LEFT, right=style.RIGHT, bottom=0.105, top=0.8, hspace=0.34
    )
    headings = {"mse": _PRICE, "pinball": f"{_SPREAD}the better of EWMA and GARCH"}
    for place, (kind, heading) in enumerate(headings.items()):
        axes = figure.add_subplot(grid[place])
        style.dress(axes, ylabel="skill [%]", heading=heading)
        _draw_folds(axes, folds, own, kind, labels=place == 1)
    alt = f"Skill by fold and seed. {title}. " + " ".join(
        f"Fold {fold['fold']}: price {percent(fold.get('skill_mse'), 2, signed=True)}, spread "
        f"{percent(fold.get('skill_pinball'), 2, signed=True)}."
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
    at = np.arange(len(folds))
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
            colour = BLUE if value > 0 else ORANGE
            axes.plot(place, 100 * value, marker="D", markersize=8, color=colour, zorder=3)
            axes.annotate(
                f"{100 * value:+.2f}".replace("-", "−"),
                (place, 100 * value),
                xytext=(10, 0),
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


def _month(session: Any) -> str:
    return f"{pd.Timestamp(session):%b %Y}"


def model_skills(
    scores: Sequence[Mapping[str, Any]],
    networks: Sequence[str],
    *,
    ticker: str,
    title: str,
    subtitle: str,
) -> Picture:
    """Skill of every model with its 95 % interval, price on the left, spread on the right.

    Args:
        scores: Rows of the score table at one step, the best first.
        networks: Which of the models are networks.
        ticker: Named in the alternative text.
        title: The finding.
        subtitle: What was compared.
    """
    figure = style.new_figure(title, subtitle)
    grid = figure.add_gridspec(1, 2, left=0.135, right=0.965, bottom=0.115, top=0.79, wspace=0.08)
    reference = next(
        (str(row["pinball_reference"]) for row in scores if row.get("pinball_reference")), "ewma"
    )
    at = np.arange(len(scores))[::-1]
    for place, (kind, heading) in enumerate(
        {"mse": _PRICE, "pinball": _SPREAD + reference}.items()
    ):
        axes = figure.add_subplot(grid[place])
        style.dress(axes, heading=heading)
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)))
        shown = [finite(row.get(f"skill_{kind}")) for row in scores]
        # A baseline that is far off (drift's spread) must not squeeze all others together.
        sizes = [abs(value) for value in shown if value is not None]
        reach = 100 * max(2.5 * float(np.median(sizes)) if sizes else 0.0, 0.02)
        for height, row, value in zip(at, scores, shown, strict=True):
            network = row["model"] in networks
            colour = BLUE if network else MUTED
            if value is None:
                continue
            low, high = (finite(row.get(f"skill_{kind}_{end}")) for end in ("low", "high"))
            if low is not None and high is not None:
                axes.plot(
                    [100 * low, 100 * high],
                    [height, height],
                    color=colour,
                    linewidth=2.2,
                    alpha=0.55,
                )
            marker = "D" if network else "o"
            beyond = abs(100 * value) > reach
            spot = float(np.clip(100 * value, -reach, reach))
            axes.plot(
                spot,
                height,
                marker="<" if beyond and value < 0 else ">" if beyond else marker,
                markersize=8 if network else 6.5,
                color=colour,
                zorder=3,
            )
            axes.text(
                1.0,
                height,
                percent(value, 2, signed=True).removesuffix(" %"),
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="center",
                size=style.SMALL,
                color=INK,
            )
        axes.set_xlim(-1.12 * reach, 1.45 * reach)
        names = [shorten(row["model"], 14) for row in scores]
        axes.set_yticks(at, names if place == 0 else [""] * len(at))
        for tick, row in zip(axes.get_yticklabels(), scores, strict=True):
            tick.set(weight="bold" if row["model"] in networks else "normal")
        axes.set_ylim(-0.6, len(scores) - 0.35)
        axes.xaxis.set_major_locator(mticker.MaxNLocator(nbins=5))
        axes.xaxis.set_major_formatter(mticker.FuncFormatter(style.tick_text))
        axes.set_xlabel("skill [%], right is better", size=style.SMALL, color=MUTED)
    alt = f"Skill of {count(len(scores), 'model')} on {ticker}. {title}. " + " ".join(
        f"{row['model']}: price {percent(row.get('skill_mse'), 2, signed=True)}, spread "
        f"{percent(row.get('skill_pinball'), 2, signed=True)}."
        for row in scores
    )
    reading = (
        "Right of the dashed line a model is better than the reference, with the bar as the 95 % "
        "interval. Diamonds are networks. Where the bars of two models overlap widely, ask the "
        "model set’s p in the table before preferring one; arrows point to values outside."
    )
    return Picture("model_skills", figure, title, alt, reading)
