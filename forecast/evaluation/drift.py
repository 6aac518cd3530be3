"""Has the world moved away from what a network was trained on: its inputs, its bands, its skill.

Each alarm is asked every night for years, so each threshold is set by how often it would be crossed
where nothing has changed; `docs/drift.md` has the measured rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.evaluation.coverage import NOMINAL, independent_outcomes
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.metrics import mean_pinball_losses
from forecast.evaluation.significance import diebold_mariano, skill

WINDOW = 60
"""Newest sessions whose inputs, and newest outcomes whose band, are looked at."""
SKILL_WINDOW = 120
"""Newest outcomes whose loss is looked at: a difference of losses is noisier than a share."""
MARGIN = 1.5
"""An input has moved when it is this many times further off than ever while training."""
COVERAGE_LEVEL = 0.001
SKILL_LEVEL = 0.005
_FEWEST_WINDOWS = 8
COLUMNS = ["what", "value", "threshold", "alarm", "sentence"]


@dataclass(frozen=True)
class Drift:
    """What was looked at, and whether to train anew.

    Attributes:
        table: Columns `what` (`input rsi_14`, `coverage_80`, `skill_pinball`), `value`, `threshold`
            (the value beyond which it is an alarm), `alarm` (bool) and `sentence`, which says it in
            words; sorted, the alarms first. NaN where too little is known to tell.
    """

    table: pd.DataFrame

    @property
    def retrain(self) -> bool:
        """Whether anything calls for a training."""
        return bool(self.table["alarm"].any())

    @property
    def alarms(self) -> list[str]:
        """The sentences of the alarms, none if all is well."""
        return self.table.loc[self.table["alarm"], "sentence"].tolist()


def drift(features: pd.DataFrame, record: pd.DataFrame, *, trained_until: pd.Timestamp) -> Drift:
    """Everything that can be looked at of one ticker.

    Args:
        features: As `input_drift` takes them.
        record: As `record_drift` takes it; may be empty.
        trained_until: Last session of the champion's training part.
    """
    rows = pd.concat([input_drift(features, trained_until=trained_until), record_drift(record)])
    return Drift(rows.sort_values("alarm", ascending=False, kind="stable", ignore_index=True))


def input_drift(features: pd.DataFrame, *, trained_until: pd.Timestamp) -> pd.DataFrame:
    """How far the newest `WINDOW` sessions of each feature are from the training part.

    The distance is Wasserstein's, in standard deviations of the training part: the mean distance
    between the window's sorted values and the training part's quantiles. Features follow
    themselves closely (a 20-session volatility hardly moves in a month), so a window is far from
    the whole even where nothing has changed: its distance is compared with those that windows of
    the training part had, one every half window.

    Args:
        features: Features as the network sees them before scaling, a column each, index = session,
            no NaN.
        trained_until: Last session of the training part.

    Returns:
        A row a feature, columns as `Drift.table`; the threshold is `MARGIN` times the largest
        distance in the training part. No row where there are fewer than `WINDOW` sessions after
        `trained_until`, or too few before; none of a feature that stood still while training.
    """
    known = features.index <= trained_until
    before, after = features.loc[known], features.loc[~known]
    starts = np.arange(0, len(before) - WINDOW + 1, WINDOW // 2)
    if len(after) < WINDOW or len(starts) < _FEWEST_WINDOWS:
        return _table([])
    rows = []
    for name in features:
        usual, now = before[name].to_numpy("float64"), after[name].to_numpy("float64")[-WINDOW:]
        spread = float(usual.std())
        if spread <= 1e-12 * max(1.0, float(np.abs(usual).max())):
            continue
        windows = np.vstack([usual[starts[:, None] + np.arange(WINDOW)], now])
        *others, value = (_distances(windows, usual) / spread).tolist()
        largest = max(others)
        threshold = MARGIN * largest
        rows.append(
            (
                f"input {name}",
                value,
                threshold,
                value > threshold,
                f"{name} has moved: its last {WINDOW} sessions are {value:.2f} standard deviations "
                f"from the training part, where no {WINDOW} sessions were further off than "
                f"{largest:.2f}.",
            )
        )
    return _table(rows)


def record_drift(record: pd.DataFrame) -> pd.DataFrame:
    """Whether the live forecasts of one ticker hold what they promised, one session ahead.

    Coverage: the share of the last `WINDOW` outcomes inside the 80 % band against the binomial
    distribution, its size shrunk by how far runs of misses widen the share's variance (Newey-West).
    Skill: the mean pinball loss of the last `SKILL_WINDOW` outcomes against the reference's, by the
    one-sided test of Diebold and Mariano.

    Args:
        record: A row a forecast issued; columns `origin`, `step`, `actual`, `p05` … `p95` and
            `reference_p05` … `reference_p95`, all log returns; `actual` NaN while not known.

    Returns:
        Rows `coverage_80` [0-1] and `skill_pinball` [share of the reference's loss], columns as
        `Drift.table`; value and threshold NaN while there are too few outcomes. Of the coverage the
        threshold is the nearer end of what chance allows.
    """
    rows = record[(record["step"] == 1) & record["actual"].notna()]
    rows = rows.sort_values("origin", kind="stable")
    return _table([_coverage(rows), _skill(rows)])


def _coverage(rows: pd.DataFrame) -> tuple[str, float, float, bool, str]:
    what = "coverage_80"
    if len(rows) < WINDOW:
        return what, math.nan, math.nan, False, _too_few(what, len(rows), WINDOW)
    last = rows.tail(WINDOW)
    inside = last["actual"].between(last["p10"], last["p90"]).to_numpy("float64")
    share = float(inside.mean())
    lowest, highest = _chance(independent_outcomes(inside, step=1))
    few = share < NOMINAL
    sentence = (
        f"The 80 % band held {100 * share:.0f} % of the last {WINDOW} outcomes; chance alone "
        f"allows {100 * lowest:.0f} to {100 * highest:.0f} %."
    )
    return what, share, lowest if few else highest, not lowest <= share <= highest, sentence


def _chance(n: float) -> tuple[float, float]:
    """The smallest and the largest share that chance allows of n outcomes."""
    from scipy.stats import binom

    size = max(round(n), 1)
    lowest, highest = binom.ppf([COVERAGE_LEVEL, 1 - COVERAGE_LEVEL], size, NOMINAL) / size
    return float(lowest), float(highest)


def _skill(rows: pd.DataFrame) -> tuple[str, float, float, bool, str]:
    what = "skill_pinball"
    if len(rows) < SKILL_WINDOW:
        return what, math.nan, math.nan, False, _too_few(what, len(rows), SKILL_WINDOW)
    last = rows.tail(SKILL_WINDOW)
    actual = last["actual"].to_numpy("float64")
    ours = mean_pinball_losses(actual, last[QUANTILE_COLUMNS].to_numpy("float64"))
    theirs = mean_pinball_losses(
        actual, last[[f"reference_{name}" for name in QUANTILE_COLUMNS]].to_numpy("float64")
    )
    value = skill(ours, theirs)
    p = diebold_mariano(ours, theirs, step=1) / 2
    worse = value < 0 and p < SKILL_LEVEL
    sentence = (
        f"Over the last {SKILL_WINDOW} outcomes the pinball loss was {abs(100 * value):.1f} % "
        f"{'above' if value < 0 else 'below'} the reference's (one-sided p = {p:.4f})."
    )
    return what, value, 0.0, bool(worse), sentence


def _distances(windows: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distance of each window, shape (k, m), from all values; shape (k,)."""
    middles = (np.arange(windows.shape[1]) + 0.5) / windows.shape[1]
    quantiles = np.quantile(whole, middles)
    distances: np.ndarray = np.abs(np.sort(windows, axis=1) - quantiles).mean(axis=1)
    return distances


def _too_few(what: str, count: int, needed: int) -> str:
    return f"{what}: {count} of {needed} outcomes are known; too few to tell."


def _table(rows: Iterable[tuple[str, float, float, bool, str]]) -> pd.DataFrame:
    kinds = dict(zip(COLUMNS, ["str", "float64", "float64", "bool", "str"], strict=True))
    return pd.DataFrame(list(rows), columns=COLUMNS).astype(kinds)
