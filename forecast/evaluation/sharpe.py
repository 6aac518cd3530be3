"""The Sharpe ratio, and how much of it may be luck."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

from forecast.evaluation.significance import SEED, TAIL_REPETITIONS, mean_block

_FEWEST = 30
# Below this a standard deviation is rounding.
_STILL = 1e-15


def sharpe(returns: np.ndarray) -> float:
    """Mean over standard deviation (n - 1) of simple returns, a session; NaN if they never vary.

    Source: W. Sharpe (1994), The Sharpe ratio, Journal of Portfolio Management 21; the riskless
    rate counts as 0.
    """
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return float(returns.mean()) / deviation if deviation > _STILL else float("nan")


def deflated_sharpe(
    ratio: float, *, trials: int, variance: float, sessions: int, skew: float, kurtosis: float
) -> float:
    """Probability that the true Sharpe ratio is above what the best of so many trials would show.

    Source: D. Bailey, M. López de Prado (2014), The deflated Sharpe ratio: correcting for
    selection bias, backtest overfitting and non-normality, Journal of Portfolio Management 40.

    Args:
        ratio: Sharpe ratio a session.
        trials: Rules tried, >= 1; the best of one is not selected.
        variance: Of the Sharpe ratios of the trials, a session.
        sessions: Length of the returns, >= 2.
        skew: Of the returns.
        kurtosis: Of the returns; 3 for a normal distribution.

    Returns:
        In [0, 1]; NaN where the moments admit no standard error.
    """
    normal, luck = NormalDist(), 0.0
    if trials > 1:
        luck = math.sqrt(variance) * (
            (1 - np.euler_gamma) * normal.inv_cdf(1 - 1 / trials)
            + np.euler_gamma * normal.inv_cdf(1 - 1 / (trials * math.e))
        )
    error = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    if not error > 0:
        return float("nan")
    return normal.cdf((ratio - luck) * math.sqrt((sessions - 1) / error))


def sharpe_intervals(
    net: pd.DataFrame, *, reference: str, a_year: float, seed: int = SEED
) -> pd.DataFrame:
    """95 % bootstrap intervals of each yearly Sharpe ratio, and of its distance from the reference.

    Stationary block bootstrap of whole sessions with blocks of `mean_block`, percentile method. The
    distances' intervals hold all at once in 95 % (Bonferroni): whoever looks at several rules finds
    the luckiest.

    Args:
        net: Simple returns, a row a session, a column a rule.
        reference: One of the columns.
        a_year: Sessions a year.
        seed: Of the resampling.

    Returns:
        Index = the rules; columns `sharpe_low`, `sharpe_high`, `sharpe_excess_low`,
        `sharpe_excess_high`; NaN below 30 sessions or where a rule never varies.
    """
    columns = ["sharpe_low", "sharpe_high", "sharpe_excess_low", "sharpe_excess_high"]
    bounds = pd.DataFrame(np.nan, index=net.columns, columns=columns)
    if len(net) < _FEWEST:
        return bounds
    from arch.bootstrap import StationaryBootstrap

    def ratios(sample: np.ndarray) -> np.ndarray:
        deviation = sample.std(axis=0, ddof=1)
        known = np.where(deviation > _STILL, deviation, np.nan)
        found: np.ndarray = sample.mean(axis=0) / known * math.sqrt(a_year)
        return found

    block = mean_block(len(net), step=1)
    draws = pd.DataFrame(
        StationaryBootstrap(block, net.to_numpy(), seed=seed).apply(ratios, TAIL_REPETITIONS),
        columns=net.columns,
    ).dropna(axis="columns")
    for name in draws:
        bounds.loc[name, columns[:2]] = np.quantile(draws[name], [0.025, 0.975])
    if reference in draws:
        excess = draws.drop(columns=reference).sub(draws[reference], axis="index")
        for name in excess:
            tail = 0.025 / excess.shape[1]
            bounds.loc[name, columns[2:]] = np.quantile(excess[name], [tail, 1 - tail])
    return bounds
