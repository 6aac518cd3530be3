"""What is likely: the probability of each class in the coming sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import ticker as mticker

from forecast.files import write_atomically
from forecast.report import style
from forecast.report.class_pictures import COLOURS, PLAIN
from forecast.report.picture import Picture
from forecast.report.style import INK, MUTED
from forecast.report.wording import count, day, percent

_MOST = 12


def coming_odds(
    steps: Sequence[Mapping[str, Any]], *, ticker: str, model: str, origin: str
) -> Picture:
    """A bar for each class of each coming session, with its usual share.

    Args:
        steps: As in `predict --json`: `session`, `probability_…`, and `usual`, the share of each
            class in the training part. Of many the first ones are drawn.
        ticker: Named in the title.
        model: The network.
        origin: Session that the forecast is made from.
    """
    shown = list(steps)[:_MOST]
    classes = list(shown[0]["usual"])
    last = shown[-1]
    odds = {name: float(last[f"probability_{name}"]) for name in classes}
    words = ", ".join(f"{PLAIN[name]} {percent(odds[name], 0)}" for name in classes)
    title = f"{ticker} on {day(last['session'])}: {words}"
    figure = style.new_figure(
        title, f"{model} · {count(len(shown), 'session')} ahead of the close of {day(origin)}"
    )
    axes = figure.add_axes((0.13, 0.125, 0.835, style.TOP - 0.145))
    style.dress(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=style.GRID, linewidth=0.8)
    height = 0.8 / len(classes)
    for row, step in enumerate(shown):
        for place, name in enumerate(classes):
            said, usual = 100 * float(step[f"probability_{name}"]), 100 * float(step["usual"][name])
            at = row + (place - (len(classes) - 1) / 2) * height
            axes.barh(at, said, height=0.82 * height, color=COLOURS[name], alpha=0.55, linewidth=0)
            axes.plot(
                [usual, usual], [at - 0.41 * height, at + 0.41 * height], color=INK, linewidth=2
            )
            if len(shown) * len(classes) <= 2 * _MOST:
                axes.text(
                    max(said, usual) + 0.7,
                    at,
                    f"{PLAIN[name]} {percent(said / 100)}",
                    va="center",
                    size=style.BODY if len(shown) <= 3 else style.SMALL,
                    color=INK,
                )
    axes.set_yticks(np.arange(len(shown)), [day(step["session"]) for step in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    most = max(
        max(float(step[f"probability_{name}"]), float(step["usual"][name]))
        for step in shown
        for name in classes
    )
    axes.set_xlim(0, 100 * min(1.0, 1.25 * most) + 6)
    axes.xaxis.set_major_locator(mticker.MultipleLocator(10))
    axes.set_xlabel(
        "probability [%]; the black line is the class's usual share", size=style.SMALL, color=MUTED
    )
    alt = f"Bar chart of the probability of each class. {title}."
    reading = (
        "Each bar is how likely the network takes a class to be, the black line how often it came "
        "in the training part: where they end at the same place, the network has nothing to add."
    )
    return Picture("coming_odds", figure, title, alt, reading)


def draw_coming_odds(
    path: Path, steps: Sequence[Mapping[str, Any]], *, ticker: str, model: str, origin: str
) -> Path:
    """Write `coming_odds` as a PNG file, whole or not at all; arguments as there.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    picture = coming_odds(steps, ticker=ticker, model=model, origin=origin)
    write_atomically(path, picture.png())
    return path
