"""Ridge regression on the newest features: the linear model a network must beat."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.baselines.ewma import coming_volatility
from forecast.baselines.training import (
    empirical_quantiles,
    positions,
    returns_ahead,
    training_length,
)
from forecast.errors import NotEnoughBars
from forecast.features.targets import Prediction

PENALTIES = tuple(10.0**power for power in range(7))
"""Tried by leave-one-out on the training part; the largest leaves almost only the mean. Of one
outcome a row: where they overlap, times the step."""

_FEWEST = 3  # rows, of which one is left out


def ridge(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None = None,
) -> Prediction:
    """Mean from a ridge regression on the features at the origin, spread as `ewma`.

    Each step has its own regression on features scaled to the training part's mean and deviation;
    the penalty is chosen there by leave-one-out among outcomes that do not overlap. Quantiles: the
    point forecast plus the volatility times the empirical quantiles of the training part's
    residuals over their volatility.

    Source: A. Hoerl, R. Kennard (1970), Ridge regression, Technometrics 12.

    Args:
        bars: Bars.
        origins: Sessions to forecast from, shape (n,).
        horizon: Sessions ahead, >= 1.
        fitted_until: Last session of the training part.
        features: Index ⊂ the bars' and ⊃ the origins, shape (rows, k), no NaN.

    Raises:
        NotEnoughBars: if the training part has too few sessions with features.
        ValueError: if there are no features, or none at an origin.
    """
    if features is None:
        raise ValueError("ridge needs the features; received None.")
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    rows, wanted = positions(bars, features.index), features.index.get_indexer(origins)
    if (wanted < 0).any():
        raise ValueError(f"every origin must have features. First other: {origins[wanted < 0][0]}.")
    train = rows < length - horizon
    if train.sum() < 2:
        raise NotEnoughBars(
            f"the training part must hold at least 2 sessions with features and {horizon} known "
            f"sessions after them. Received {int(train.sum())}.",
            hint="a longer history or a shorter horizon",
        )
    ahead = returns_ahead(bars, length, horizon)[rows[train]]
    inputs = features.to_numpy("float64")
    centre, scale = inputs[train].mean(axis=0), inputs[train].std(axis=0)
    inputs = (inputs - centre) / np.where(scale > 0, scale, 1.0)
    point = _predict(inputs, train, ahead)
    volatility = coming_volatility(bars, length)
    standard = empirical_quantiles((ahead - point[train]) / volatility[rows[train], None])
    at_origin = volatility[positions(bars, origins)]
    chosen = point[wanted]
    return Prediction(chosen, chosen[:, :, None] + at_origin[:, None, None] * standard)


def _predict(inputs: np.ndarray, train: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Predicted log returns of every feature row, shape (rows, horizon)."""
    from sklearn.linear_model import RidgeCV

    point = np.empty((len(inputs), ahead.shape[1]))
    for step in range(ahead.shape[1]):
        penalty = _penalty(inputs[train], ahead[:, step], step + 1)
        model = RidgeCV(alphas=[penalty]).fit(inputs[train], ahead[:, step])
        # A product of the whole matrix may round differently with its number of rows.
        point[:, step] = model.intercept_ + (inputs * model.coef_).sum(axis=1)
    return point


def _penalty(inputs: np.ndarray, outcomes: np.ndarray, step: int) -> float:
    """The penalty under which outcomes left out are forecast best.

    Left out alone, an outcome is still known from its neighbours, which share all sessions but one
    with it: the least penalty would win by what it remembers. So only every `step`-th row is used
    at a time, from each of the first `step` rows on; all rows together weigh `step` times as much
    against the penalty.
    """
    from sklearn.linear_model import RidgeCV

    errors = [
        RidgeCV(alphas=PENALTIES, store_cv_results=True)
        .fit(inputs[first::step], outcomes[first::step])
        .cv_results_.mean(axis=0)
        for first in range(step)
        if len(outcomes[first::step]) >= _FEWEST
    ]
    best = int(np.mean(errors, axis=0).argmin()) if errors else -1
    return step * PENALTIES[best]
