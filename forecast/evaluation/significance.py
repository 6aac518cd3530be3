"""Luck or skill: tests and bootstrap intervals for differences between forecasts."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pandas as pd

from forecast.evaluation.verdict import SIGNIFICANT

FEWEST_ORIGINS = 10
"""No test is made on fewer origins than this."""
REPETITIONS = 1_000
TAIL_REPETITIONS = 10_000
"""Where a sentence rests on the outermost draws: so many leave it the same under other seeds."""
SEED = 7


def mean_block(n: int, *, step: int) -> int:
    """Mean block of every stationary bootstrap: `max(2 * step, ceil(n ** (1/3)))` of n origins.

    Losses overlap over `step` origins, so that shorter blocks tear apart what belongs together;
    `docs/decisions/0225-tests-of-overlapping-losses.md` has what other lengths do.
    """
    return max(2 * step, math.ceil(n ** (1 / 3)))


def diebold_mariano(losses: np.ndarray, reference: np.ndarray, *, step: int) -> float:
    """Two-sided p-value of equal expected loss, Diebold-Mariano with Harvey's correction.

    At step 1 statsmodels' `diebold_mariano_test` as it stands: Bartlett's kernel,
    `ceil(n ** (1/3))` lags, Student t with n - 1 degrees of freedom. Beyond it the variance is that
    of both papers, the sum of the autocovariances up to `step - 1` lags (rectangular kernel);
    where that is not positive, Bartlett's with `max(step - 1, ceil(n ** (1/3)))` lags. It rests on
    n / step independent outcomes, so Student t has n / step - 1 degrees of freedom there, not the
    paper's n - 1 (`docs/decisions/0225-tests-of-overlapping-losses.md`).

    Source: F. Diebold, R. Mariano (1995), JBES 13; D. Harvey, S. Leybourne, P. Newbold (1997),
    International Journal of Forecasting 13.

    Args:
        losses: Loss at each origin in time's order, shape (n,).
        reference: Loss of the reference at the same origins, shape (n,).
        step: Sessions ahead; the losses of neighbouring origins overlap by `step - 1`.

    Returns:
        p in [0, 1]; 0 where the difference is the same at every origin and not zero; NaN where
        there is no test: the losses are identical, or n < 10, or n <= 2 step.
    """
    n, difference = len(losses), losses - reference
    if n < FEWEST_ORIGINS or n <= 2 * step:
        return float("nan")
    if np.ptp(difference) == 0:
        return 0.0 if difference[0] else float("nan")
    from statsmodels.tsa.stattools import acovf, diebold_mariano_test

    bartlett = diebold_mariano_test(
        np.zeros(n),
        losses,
        reference,
        criterion=lambda _, loss: loss,
        harvey_adj=True,
        horizon=step,
    )
    if step == 1:
        return float(bartlett.pvalue)
    from scipy.stats import t

    statistic = abs(bartlett.statistic)
    covariances = acovf(difference, nlag=step - 1, fft=False)
    variance = float(covariances[0] + 2 * covariances[1:].sum())
    if variance > 0:
        statistic = bartlett.harvey_adj_factor * abs(difference.mean()) / math.sqrt(variance / n)
    return float(2 * t.sf(statistic, n / step - 1))


def skill(losses: np.ndarray, reference: np.ndarray) -> float:
    """`1 - mean loss / mean loss of the reference`; NaN where the reference never errs."""
    base = float(reference.mean())
    return 1 - float(losses.mean()) / base if base > 0 else float("nan")


def skill_intervals(
    losses: np.ndarray, reference: np.ndarray, *, step: int, seed: int = SEED
) -> np.ndarray:
    """95 % bootstrap intervals of each skill, on the same resampled origins for all.

    Stationary block bootstrap with blocks of `mean_block`, percentile method. Source: D. Politis,
    J. Romano (1994), The stationary bootstrap, JASA 89.

    Args:
        losses: Shape (n, k), a column a skill, rows in time's order.
        reference: Reference losses, shape (n, k).
        step: Sessions ahead.
        seed: Of the resampling.

    Returns:
        Shape (k, 2): lower and upper end; NaN where there is no skill, or n < 10.
    """
    n, k = losses.shape
    bounds = np.full((k, 2), np.nan)
    defined = reference.mean(axis=0) > 0
    if n < FEWEST_ORIGINS or not defined.any():
        return bounds
    drawn = _drawn(n, mean_block(n, step=step), seed)
    # A resample may hold only origins at which the reference did not err.
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = 1 - (drawn @ losses[:, defined]) / (drawn @ reference[:, defined])
        bounds[defined] = np.quantile(skills, [0.025, 0.975], axis=0).T
    return bounds


def skills_beside(
    losses: pd.DataFrame, reference: str | None, kind: str, *, step: int
) -> dict[str, dict[str, float]]:
    """Skill, its 95 % interval and the test of every model beside one of them.

    Args:
        losses: A row an origin in time's order, a column a model.
        reference: The model that the others are compared with; without one all is NaN.
        kind: What the keys end in.
        step: Sessions ahead.

    Returns:
        Of each model `skill_…`, `dm_p_…`, `skill_…_low` and `skill_…_high`.
    """
    base = losses[reference].to_numpy() if reference else np.full(len(losses), np.nan)
    intervals = skill_intervals(
        losses.to_numpy(), np.tile(base[:, None], losses.shape[1]), step=step
    )
    return {
        str(name): {
            f"skill_{kind}": skill(own := losses[name].to_numpy(), base),
            f"dm_p_{kind}": diebold_mariano(own, base, step=step),
            f"skill_{kind}_low": float(low),
            f"skill_{kind}_high": float(high),
        }
        for name, (low, high) in zip(losses, intervals, strict=True)
    }


@lru_cache(maxsize=8)
def _drawn(n: int, block: int, seed: int) -> np.ndarray:
    """How often each of n origins is in each resample, shape (REPETITIONS, n).

    Kept, since tickers of one test part share it.
    """
    from arch.bootstrap import StationaryBootstrap

    bootstrap = StationaryBootstrap(block, np.arange(n), seed=seed)
    resamples = bootstrap.bootstrap(REPETITIONS)
    return np.array([np.bincount(data[0], minlength=n) for data, _ in resamples], dtype="uint16")


def model_confidence_set(losses: pd.DataFrame, *, step: int, seed: int = SEED) -> pd.Series:
    """How plausible it is that each model is the best one: its model-confidence-set p-value.

    The 90 % set holds the models with p >= 0.1. Models with identical losses share one value; one
    that loses more than another by the same at every origin has 0.

    Source: P. Hansen, A. Lunde, J. Nason (2011), The model confidence set, Econometrica 79
    (`arch.bootstrap.MCS`, range statistic, stationary bootstrap with blocks of `mean_block`).

    Args:
        losses: A row an origin in time's order, a column a model.
        step: Sessions ahead.
        seed: Of the resampling.

    Returns:
        p-value, index = the columns; 1.0 where all models are the same, NaN if n < 10.
    """
    if len(losses) < FEWEST_ORIGINS:
        return pd.Series(float("nan"), index=losses.columns, name="mcs_p")
    twin, beaten = _settled(losses)
    rest = losses.drop(columns=[*twin, *beaten])
    values = dict.fromkeys(beaten, 0.0) | _confidence_set(rest, step=step, seed=seed)
    return pd.Series({name: float(values[twin.get(name, name)]) for name in losses}, name="mcs_p")


def _confidence_set(losses: pd.DataFrame, *, step: int, seed: int) -> dict[Hashable, float]:
    if losses.shape[1] == 1:
        return dict.fromkeys(losses, 1.0)
    from arch.bootstrap import MCS

    test = MCS(
        losses,
        size=0.1,
        reps=REPETITIONS,
        block_size=mean_block(len(losses), step=step),
        bootstrap="stationary",
        seed=seed,
    )
    test.compute()
    values: dict[Hashable, float] = test.pvalues["Pvalue"].to_dict()
    return values


def _settled(losses: pd.DataFrame) -> tuple[dict[Hashable, Hashable], list[Hashable]]:
    """Models whose distance from a better one never varies: there is nothing to draw from.

    Returns:
        Model → the one whose losses are its own; and models that lose more than another by the same
        at every origin. Both but for rounding.
    """
    apart: list[Hashable] = []
    twin: dict[Hashable, Hashable] = {}
    beaten: list[Hashable] = []
    for name in losses.mean().sort_values(kind="stable").index:
        for better in apart:
            pair = losses[[name, better]].to_numpy()
            further = pair[:, 0] - pair[:, 1]
            rounding = 1e-12 * float(np.abs(pair).max())
            if np.ptp(further) <= rounding:
                if further.mean() > rounding:
                    beaten.append(name)
                else:
                    twin[name] = better
                break
        else:
            apart.append(name)
    return twin, beaten


def superior(
    losses: pd.DataFrame, reference: np.ndarray, *, step: int, seed: int = SEED
) -> tuple[float, list[str]]:
    """Is any of several models better than the reference, and which, however many were tried?

    Source: P. Hansen (2005), A test for superior predictive ability, Journal of Business &
    Economic Statistics 23 (`arch.bootstrap.SPA`, its consistent p-value, stationary bootstrap with
    blocks of `mean_block`). Each difference is divided by its standard deviation first, as in the
    paper, which `arch` leaves out: else a single erratic model hides all others.

    Args:
        losses: A row an origin in time's order, a column a model.
        reference: Loss of the reference at the same origins, shape (n,).
        step: Sessions ahead.
        seed: Of the resampling.

    Returns:
        p-value of no model being better, doubled, as all other tests here are two-sided; and the
        models that are better, none unless p < 0.05. NaN and none where there is no test: n < 10,
        or no difference varies.
    """
    gains = losses.rsub(reference, axis=0)
    gains = gains.loc[:, np.ptp(gains.to_numpy(), axis=0) > 0]
    if len(losses) < FEWEST_ORIGINS or gains.empty:
        return float("nan"), []
    from arch.bootstrap import SPA

    test = SPA(
        np.zeros(len(gains)),
        -gains / gains.std(),
        block_size=mean_block(len(losses), step=step),
        reps=TAIL_REPETITIONS,
        bootstrap="stationary",
        seed=seed,
    )
    test.compute()
    p = min(2 * float(test.pvalues["consistent"]), 1.0)
    # Its critical value may lie below the best model's gain where p is 0.05 to the last draw.
    better = test.better_models(SIGNIFICANT / 2) if p < SIGNIFICANT else []
    return p, [str(gains.columns[place]) for place in better]


def pesaran_timmermann(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """One-sided p-value of no skill in direction.

    Origins where either is exactly 0 are left out. For forecasts one step ahead only: the test
    takes the origins as independent.

    Source: M. Pesaran, A. Timmermann (1992), A simple nonparametric test of predictive
    performance, Journal of Business & Economic Statistics 10.

    Args:
        y_true: Returns that came, shape (n,).
        y_pred: Returns forecast, shape (n,).

    Returns:
        p in [0, 1]; NaN where there is no test: fewer than 10 origins are left, or one side
        always has the same sign.
    """
    known = (y_true != 0) & (y_pred != 0)
    up, called_up = y_true[known] > 0, y_pred[known] > 0
    n = len(up)
    if n < FEWEST_ORIGINS or up.all() or called_up.all() or not up.any() or not called_up.any():
        return float("nan")
    p_up, p_called = float(up.mean()), float(called_up.mean())
    hits = float((up == called_up).mean())
    chance = p_up * p_called + (1 - p_up) * (1 - p_called)
    variance_hits = chance * (1 - chance) / n
    variance_chance = (
        (2 * p_up - 1) ** 2 * p_called * (1 - p_called) / n
        + (2 * p_called - 1) ** 2 * p_up * (1 - p_up) / n
        + 4 * p_up * p_called * (1 - p_up) * (1 - p_called) / n**2
    )
    excess = variance_hits - variance_chance
    if excess <= 0:
        return float("nan")
    return 1 - NormalDist().cdf((hits - chance) / math.sqrt(excess))
