"""Do the intervals hold what they promise: over all outcomes, over time, over the distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.significance import diebold_mariano
from forecast.features.targets import LEVELS

NOMINAL = 0.8
SIGNIFICANT = 0.01
WORST_WINDOW = 0.6
"""An 80 % band that holds less than this over a window is broken, however it does on the whole."""
WINDOW = 60


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


def coverage_break(frame: pd.DataFrame, *, model: str, step: int) -> str | None:
    """A warning in plain words where the 80 % interval of one ticker does not hold, else None.

    It does not hold when the share of all outcomes differs from 0.8 with p < 0.01 (the test of
    Diebold and Mariano on hits against 0.8, so that runs of misses count) or is 0 or 1, or when
    some `60 * step` outcomes in a row hold less than 0.6. Fewer outcomes than that give no warning.
    """
    rows = _known(frame, model, step)
    inside, window = _inside(rows), WINDOW * step
    if len(inside) < window:
        return None
    share = float(inside.mean())
    p = diebold_mariano(inside, np.full(len(inside), NOMINAL), step=step)
    if p < SIGNIFICANT or share in (0.0, 1.0):
        return (
            f"The 80 % band of {model} held {100 * share:.1f} % of {len(inside)} outcomes at step "
            f"{step}: too {'few' if share < NOMINAL else 'many'} for chance."
        )
    rolling = rolling_coverage(frame, model=model, step=step, window=window)
    worst = float(rolling.min())
    if worst < WORST_WINDOW:
        return (
            f"The 80 % band of {model} held {100 * worst:.1f} % of the {window} outcomes up to "
            f"{rolling.idxmin():%Y-%m-%d} at step {step}: it broke there."
        )
    return None


def _known(frame: pd.DataFrame, model: str, step: int) -> pd.DataFrame:
    mask = (frame["model"] == model) & (frame["step"] == step) & frame["actual"].notna()
    return frame[mask].sort_values("origin", kind="stable")


def _inside(rows: pd.DataFrame) -> np.ndarray:
    return rows["actual"].between(rows["p10"], rows["p90"]).to_numpy("float64")
