"""Each metric as one plain function; `METRICS` is the score table's list of them.

`docs/metrics.md` gives every formula once more, for whoever recomputes them from forecasts.csv.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from forecast.features.targets import LEVELS

_Z = NormalDist().inv_cdf
TAIL = (_Z(0.975) - _Z(0.95)) / (_Z(0.95) - _Z(0.90))
"""How far beyond the 95 % quantile a normal tail has its 97.5 % one, in steps from 90 to 95 %."""


@dataclass(frozen=True)
class Outcomes:
    """Forecasts of one model at one step beside what came, n origins, no NaN.

    Attributes:
        close: Close at the origin [quote currency], shape (n,).
        actual: Close that came [quote currency], shape (n,).
        predicted: Point forecast [quote currency], shape (n,).
        quantiles: Quantile forecasts at `LEVELS` [quote currency], shape (n, 7).
    """

    close: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    quantiles: np.ndarray

    @cached_property
    def actual_return(self) -> np.ndarray:
        """Log return that came, shape (n,)."""
        returns: np.ndarray = np.log(self.actual / self.close)
        return returns

    @cached_property
    def predicted_return(self) -> np.ndarray:
        """Log return forecast, shape (n,)."""
        returns: np.ndarray = np.log(self.predicted / self.close)
        return returns

    @cached_property
    def quantile_returns(self) -> np.ndarray:
        """Log-return quantiles forecast, shape (n, 7)."""
        returns: np.ndarray = np.log(self.quantiles / self.close[:, None])
        return returns


def squared_errors(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Squared error of each forecast, in the square of the unit."""
    errors: np.ndarray = (y_true - y_pred) ** 2
    return errors


def mse(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean squared error."""
    return float(squared_errors(y_true, y_pred).mean())


def mae(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.abs(y_true - y_pred).mean())


def rmse(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(y_true, y_pred)))


def mape(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean absolute percentage error [%], `y_true` not 0."""
    return float(100 * np.abs((y_true - y_pred) / y_true).mean())


def r2(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Share of the variance explained, against the sample's own mean; NaN for a constant."""
    spread = float(((y_true - y_true.mean()) ** 2).sum())
    return 1 - float(squared_errors(y_true, y_pred).sum()) / spread if spread > 0 else float("nan")


def direction_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Share of forecasts with the sign that came, in [0, 1].

    A return of exactly 0 is a sign of its own, so it counts as missed by a forecast of up or down.
    NaN for a model that never names a direction (all `y_pred` 0).
    """
    if not y_pred.any():
        return float("nan")
    return float((np.sign(y_true) == np.sign(y_pred)).mean())


def pinball_losses(y_true: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Pinball loss of each forecast at each level.

    Source: R. Koenker, G. Bassett (1978), Regression quantiles, Econometrica 46.

    Args:
        y_true: Shape (n,).
        quantiles: Shape (n, 7), at `LEVELS`.

    Returns:
        Shape (n, 7), in the unit of `y_true`.
    """
    errors = y_true[:, None] - quantiles
    levels = np.array(LEVELS)
    losses: np.ndarray = np.maximum(levels * errors, (levels - 1) * errors)
    return losses


def mean_pinball_losses(y_true: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Pinball loss of each forecast, mean over the seven levels, shape (n,)."""
    losses: np.ndarray = pinball_losses(y_true, quantiles).mean(axis=1)
    return losses


def pinball(y_true: np.ndarray, quantiles: np.ndarray) -> float:
    """Mean pinball loss over forecasts and the seven levels."""
    return float(mean_pinball_losses(y_true, quantiles).mean())


def crps(y_true: np.ndarray, quantiles: np.ndarray) -> float:
    """Continuous ranked probability score, from the seven quantiles.

    Twice the integral of the pinball loss over the levels by the trapezoid rule, with loss 0 at
    levels 0 and 1. (Twice the plain mean would weigh the crowded tail levels too much.)

    Source: T. Gneiting, R. Ranjan (2011), Comparing density forecasts using threshold- and
    quantile-weighted scoring rules, Journal of Business & Economic Statistics 29.
    """
    edges = np.array([0.0, *LEVELS, 1.0])
    weights = (edges[2:] - edges[:-2]) / 2
    return float(2 * (pinball_losses(y_true, quantiles).mean(axis=0) * weights).sum())


def interval_score(
    y_true: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, coverage: float
) -> float:
    """Winkler score: mean width plus `2 / (1 - coverage)` times the distance of what lies outside.

    Source: R. Winkler (1972), A decision-theoretic approach to interval estimation, JASA 67.
    """
    penalty = 2 / (1 - coverage)
    missed = np.maximum(lower - y_true, 0) + np.maximum(y_true - upper, 0)
    return float((upper - lower + penalty * missed).mean())


def coverage(y_true: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Share of outcomes inside the interval, its ends included, in [0, 1]."""
    return float(((lower <= y_true) & (y_true <= upper)).mean())


def _inside(sample: Outcomes, lower: float, upper: float) -> float:
    first, last = LEVELS.index(lower), LEVELS.index(upper)
    return coverage(sample.actual, sample.quantiles[:, first], sample.quantiles[:, last])


def _inside_95(sample: Outcomes) -> float:
    """Coverage of p025 to p975, both continued from p05, p10 and p90, p95 as a normal tail."""
    p05, p10, *_, p90, p95 = sample.quantiles.T
    return coverage(sample.actual, p05 * (p05 / p10) ** TAIL, p95 * (p95 / p90) ** TAIL)


METRICS: dict[str, Callable[[Outcomes], float]] = {
    "mse_price": lambda s: mse(s.actual, s.predicted),
    "mae_price": lambda s: mae(s.actual, s.predicted),
    "rmse_price": lambda s: rmse(s.actual, s.predicted),
    "mape": lambda s: mape(s.actual, s.predicted),
    "mse_return": lambda s: mse(s.actual_return, s.predicted_return),
    "mae_return": lambda s: mae(s.actual_return, s.predicted_return),
    "r2_return": lambda s: r2(s.actual_return, s.predicted_return),
    "direction_accuracy": lambda s: direction_accuracy(s.actual - s.close, s.predicted - s.close),
    "pinball": lambda s: pinball(s.actual_return, s.quantile_returns),
    "crps": lambda s: crps(s.actual_return, s.quantile_returns),
    "winkler_80": lambda s: interval_score(
        s.actual_return, s.quantile_returns[:, 1], s.quantile_returns[:, 5], coverage=0.8
    ),
    "coverage_50": lambda s: _inside(s, 0.25, 0.75),
    "coverage_80": lambda s: _inside(s, 0.1, 0.9),
    "coverage_90": lambda s: _inside(s, 0.05, 0.95),
    "coverage_95": _inside_95,
}
