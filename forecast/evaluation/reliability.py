"""Does it come as often as was said: stated probabilities beside the shares that came."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.evaluation.class_forecasts import classes_of
from forecast.evaluation.class_scores import class_samples

_MOST_BINS, _FEWEST = 10, 80
_SURE = 1.96


def reliability(frame: pd.DataFrame, *, model: str, step: int) -> pd.DataFrame:
    """For each class the forecasts in bins of equal number, from the least likely to the likeliest.

    Of two classes the second alone: the first is its mirror.

    Source: A. Murphy, R. Winkler (1977), Reliability of subjective probability forecasts of
    precipitation and temperature, Applied Statistics 26; intervals: E. Wilson (1927), JASA 22.

    Args:
        frame: Class forecasts with `majority` among them.
        model: Which.
        step: Which step; outcomes over it overlap, so that only every `step`-th counts.

    Returns:
        Columns `class`, `forecasts`, `said` (mean probability), `came` (share), `low` and `high`
        (95 % interval of the share).
    """
    one = dict(class_samples(frame))[step][model].outcomes
    names = classes_of(frame)
    rows = []
    for number in one.scored:
        said, came = one.probabilities[:, number], one.came == number
        order = np.argsort(said, kind="stable")
        bins = int(np.clip(len(said) // _FEWEST, 1, _MOST_BINS))
        for part in np.array_split(order, bins):
            share = float(came[part].mean())
            low, high = _wilson(share, max(len(part) / step, 1.0))
            rows.append(
                {
                    "class": names[number],
                    "forecasts": len(part),
                    "said": float(said[part].mean()),
                    "came": share,
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(rows)


def reliability_text(table: pd.DataFrame) -> str:
    """What the table says, in words."""
    apart = (table["said"] - table["came"]).abs()
    mean = float(np.average(apart, weights=table["forecasts"]))
    inside = int(((table["low"] <= table["said"]) & (table["said"] <= table["high"])).sum())
    return (
        f"What was said and what came lie {100 * mean:.1f} percentage points apart on average; in "
        f"{inside} of {len(table)} groups of forecasts the difference may be chance."
    )


def _wilson(share: float, n: float) -> tuple[float, float]:
    scale = 1.0 + _SURE**2 / n
    middle = (share + _SURE**2 / (2 * n)) / scale
    reach = _SURE / scale * float(np.sqrt(share * (1 - share) / n + _SURE**2 / (4 * n**2)))
    return middle - reach, middle + reach
