"""GARCH(1,1) with Student t shocks: the standard of volatility forecasting."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.baselines.ewma import ewma
from forecast.baselines.training import (
    STANDS_STILL,
    daily_returns,
    next_variance,
    positions,
    training_length,
)
from forecast.features.targets import LEVELS, Prediction

FEWEST_RETURNS = 100
"""Fewer returns than this cannot settle five parameters."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parameters:
    """A fitted GARCH(1,1)-t of log returns.

    Attributes:
        mean: Mean [log return per session].
        constant: Constant of the variance [log return squared].
        shock: Weight of the last squared shock (alpha).
        persistence: Weight of the last variance (beta).
        freedom: Degrees of freedom of the t distribution, > 2.
        start: Variance before the first return [log return squared].
    """

    mean: float
    constant: float
    shock: float
    persistence: float
    freedom: float
    start: float


def garch(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None = None,
) -> Prediction:
    """Constant mean and GARCH(1,1) variance with Student t shocks.

    Fitted once on the training part by maximum likelihood (`arch`), then filtered forward with
    fixed parameters. The variance of `step` sessions is the sum of the expected variances of
    each; its quantiles are those of the fitted t scaled to that variance (exact for step 1; for
    later steps the tails are a little too wide, because sums of t shocks are nearer to normal).

    Where no such model can be fitted (under `FEWEST_RETURNS` returns, closes that stand still, a
    likelihood that does not converge) the forecast is that of `ewma`, and a warning is logged.

    Source: T. Bollerslev (1987), A conditionally heteroskedastic time series model for
    speculative prices and rates of return, Review of Economics and Statistics 69.

    Args:
        bars: Bars.
        origins: Sessions to forecast from, shape (n,).
        horizon: Sessions ahead, >= 1.
        fitted_until: Last session of the training part.
        features: Not used.

    Raises:
        NotEnoughBars: if the training part has fewer than horizon + 2 sessions.
    """
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    returns = daily_returns(bars)
    fitted = fit_garch(returns[: length - 1])
    if fitted is None:
        _log.warning("garch could not be fitted on the training part; its rows repeat ewma.")
        return ewma(bars, origins, horizon=horizon, fitted_until=fitted_until)
    from scipy.special import stdtrit

    variance = next_variance(
        (returns - fitted.mean) ** 2,
        constant=fitted.constant,
        shock=fitted.shock,
        persistence=fitted.persistence,
        start=fitted.start,
    )[positions(bars, origins)]
    steps = np.arange(1, horizon + 1)
    volatility = np.sqrt(_summed_variance(variance, fitted, horizon))
    unit = stdtrit(fitted.freedom, np.array(LEVELS)) * np.sqrt(1 - 2 / fitted.freedom)
    point = np.tile(fitted.mean * steps, (len(origins), 1))
    return Prediction(point, point[:, :, None] + volatility[:, :, None] * unit)


def fit_garch(returns: np.ndarray) -> Parameters | None:
    """Maximum-likelihood parameters, or None where there are none to be had.

    Args:
        returns: Log returns of the training part, shape (n,).
    """
    scale = float(returns.std())
    if len(returns) < FEWEST_RETURNS or scale < STANDS_STILL:
        return None
    from arch.univariate import GARCH, ConstantMean, StudentsT

    # The optimiser needs returns of about unit size, whatever the asset's volatility.
    model = ConstantMean(returns / scale, rescale=False)
    model.volatility = GARCH(p=1, q=1)
    model.distribution = StudentsT()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = model.fit(disp="off", show_warning=False, backcast=1.0, cov_type="classic")
    mean, constant, shock, persistence, freedom = (float(value) for value in result.params)
    usable = np.isfinite(result.params).all() and constant > 0 and freedom > 2
    if result.convergence_flag != 0 or not usable:
        return None
    return Parameters(mean * scale, constant * scale**2, shock, persistence, freedom, scale**2)


def _summed_variance(variance: np.ndarray, fitted: Parameters, horizon: int) -> np.ndarray:
    """Variance of the return over 1 … horizon sessions, shape (n, horizon)."""
    expected = np.empty((len(variance), horizon))
    expected[:, 0] = variance
    for step in range(1, horizon):
        expected[:, step] = (
            fitted.constant + (fitted.shock + fitted.persistence) * expected[:, step - 1]
        )
    return expected.cumsum(axis=1)
