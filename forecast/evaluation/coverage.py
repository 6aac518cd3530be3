"""Do the intervals hold what they promise: over all outcomes, over time, over the distribution."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import pandas as pd

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.features.targets import LEVELS

NOMINAL = 0.8
UNLIKELY = 0.01
WORST_WINDOW = 0.6
"""An 80 % band that holds less than this over a window is broken, however it does on the whole."""
WINDOW = 60
_Share = TypeVar("_Share", float, np.ndarray)


def pit_histogram(frame: pd.DataFrame, *, model: str, step: int) -> pd.DataFrame:
    """Share of outcomes between each two neighbouring quantiles.

    Source: F. Diebold, T. Gunther, A. Tay (1998), Evaluating density forecasts, International
    Economic Review 39; here with the seven quantiles' uneven bins.

    Args:
        frame: Forecast frame; outcomes not known are left out.
        model: A model of the frame.
        step: Sessions ahead.

    Returns:
        Eight rows; `above` and `upto` the levels of the bin, `expected` and `observed` shares in
        [0, 1]. An outcome equal to a quantile counts below it; NaN without outcomes.
    """
    rows = _known(frame, model, step)
    higher = rows["actual"].to_numpy()[:, None] > rows[QUANTILE_COLUMNS].to_numpy()
    counts = np.bincount(higher.sum(axis=1), minlength=len(LEVELS) + 1)
    edges = np.array([0.0, *LEVELS, 1.0])
    observed = counts / len(rows) if len(rows) else np.full(len(counts), np.nan)
    return pd.DataFrame(
        {
            "above": edges[:-1],
            "upto": edges[1:],
            "expected": np.diff(edges),
            "observed": observed,
        }
    )


def rolling_coverage(
    frame: pd.DataFrame, *, model: str, step: int, window: int = WINDOW
) -> pd.Series:
    """Share of the last `window` outcomes of one ticker inside the 80 % interval.

    Returns:
        Index `session`, [0-1]; the first `window - 1` are NaN (warm-up).
    """
    rows = _known(frame, model, step)
    inside = pd.Series(_inside(rows), index=pd.DatetimeIndex(rows["session"], name="session"))
    return inside.rolling(window).mean().rename("coverage_80")


def by_chance(share: _Share, outcomes: int, *, step: int) -> _Share:
    """How far chance alone takes a share of outcomes from what it should be, 19 times in 20.

    Outcomes over `step` sessions overlap, which widens the variance of a share as `_overlap` says.

    Args:
        share: What it should be [0-1].
        outcomes: Of how many.
        step: Sessions ahead.
    """
    reach: _Share = 1.96 * np.sqrt(share * (1 - share) * _overlap(step) / outcomes)
    return reach


def coverage_text(frame: pd.DataFrame, *, model: str, step: int) -> str:
    """Whether the 80 % interval of one ticker holds, in plain words: a warning, or no sign of one.

    It does not hold when the share of all outcomes differs from 0.8 with p < 0.01 (the binomial
    distribution over `independent_outcomes`), or when some `60 * step` outcomes in a row hold less
    than 0.6. There are too few to tell where not even a share of 1 would differ from 0.8.
    """
    from scipy.stats import binomtest

    rows = _known(frame, model, step)
    inside, window = _inside(rows), WINDOW * step
    share = float(inside.mean())
    band = f"The 80 % band of {model} held"
    held = f"{band} {100 * share:.1f} % of {len(inside)} outcomes at step {step}"
    size = max(round(independent_outcomes(inside, step=step)), 1)
    if binomtest(round(share * size), size, NOMINAL).pvalue < UNLIKELY:
        return f"{held}: too {'few' if share < NOMINAL else 'many'} for chance."
    rolling = rolling_coverage(frame, model=model, step=step, window=window)
    if rolling.min() < WORST_WINDOW:
        return (
            f"{band} {100 * rolling.min():.1f} % of the {window} outcomes up to "
            f"{rolling.idxmin():%Y-%m-%d} at step {step}: it broke there."
        )
    if binomtest(size, size, NOMINAL).pvalue >= UNLIKELY:
        return f"{held}: too few outcomes to tell whether it holds what it promises."
    along = ", which is too short to look along it" if len(inside) < window else " or along it"
    return f"{held}: no sign that it breaks its promise over the whole test part{along}."


def independent_outcomes(inside: np.ndarray, *, step: int) -> float:
    """How many independent outcomes tell as much of the share inside as these, which overlap.

    Runs of misses widen the share's variance (Newey-West, Bartlett's kernel), and overlap alone
    widens it as `_overlap` says: the larger of the two divides their number.

    Args:
        inside: 1 where an outcome lay inside, else 0, in time's order, shape (n,).
        step: Sessions ahead.

    Returns:
        At most n.
    """
    n = len(inside)
    overlap = _overlap(step)
    centred = inside - inside.mean()
    alone = float((centred**2).mean())
    if alone == 0:
        return n / overlap
    from statsmodels.stats.sandwich_covariance import S_hac_simple

    lags = max(step - 1, math.ceil(n ** (1 / 3)))
    together = S_hac_simple(centred[:, None], nlags=lags).item() / n
    return n / max(together / alone, overlap)


def _overlap(step: int) -> float:
    """How many times overlap alone widens the variance of a share, or a little less.

    `docs/decisions/0225-tests-of-overlapping-losses.md` has the measured figures.
    """
    return (step + 1) / 2


def _known(frame: pd.DataFrame, model: str, step: int) -> pd.DataFrame:
    mask = (frame["model"] == model) & (frame["step"] == step) & frame["actual"].notna()
    return frame[mask].sort_values("origin", kind="stable")


def _inside(rows: pd.DataFrame) -> np.ndarray:
    return rows["actual"].between(rows["p10"], rows["p90"]).to_numpy("float64")
