"""What a network that forecasts classes must beat.

A baseline is a function `(bars, origins, *, inputs, fitted_until)` that gives probabilities, shape
(n, horizon, classes), and the class it names, shape (n, horizon). As all baselines it fits on bars
up to `fitted_until`, and no later bar than the origin changes a forecast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast.baselines.ewma import ewma
from forecast.baselines.garch import garch
from forecast.baselines.training import positions, returns_ahead, training_length
from forecast.features.inputs import Inputs
from forecast.features.probability import probability_above
from forecast.features.targets import ClassTarget, Prediction, class_shares

Answer = tuple[np.ndarray, np.ndarray]
"""Probabilities, and the class named."""


def majority(
    bars: pd.DataFrame, origins: pd.DatetimeIndex, *, inputs: Inputs, fitted_until: pd.Timestamp
) -> Answer:
    """How often each class came in the training part, and the class that came most often.

    Args:
        bars: Bars.
        origins: Sessions to forecast from, shape (n,).
        inputs: With a target of classes.
        fitted_until: Last session of the training part.

    Returns:
        The same for every origin.

    Raises:
        NotEnoughBars: if the training part has fewer than horizon + 2 sessions.
    """
    shares = training_shares(bars, inputs=inputs, fitted_until=fitted_until)
    n = len(positions(bars, origins))
    return np.tile(shares, (n, 1, 1)), np.tile(shares.argmax(axis=1), (n, 1))


def training_shares(
    bars: pd.DataFrame, *, inputs: Inputs, fitted_until: pd.Timestamp
) -> np.ndarray:
    """How often each class came in the training part, as if each had come once more.

    Returns:
        Shape (horizon, classes), > 0.
    """
    came = _training_classes(bars, inputs, fitted_until)
    return class_shares(came, len(_target(inputs).classes))


def momentum(
    bars: pd.DataFrame, origins: pd.DatetimeIndex, *, inputs: Inputs, fitted_until: pd.Timestamp
) -> Answer:
    """The last `step` sessions' direction goes on, as often as it did in the training part.

    Args, Returns and Raises: as `majority`.
    """
    horizon = inputs.horizon
    came = _training_classes(bars, inputs, fitted_until)
    logs = np.log(bars["close"].to_numpy("float64"))
    steps = range(1, horizon + 1)
    moved = np.stack([np.r_[np.zeros(step), logs[step:] - logs[:-step]] for step in steps], axis=1)
    before = (moved > 0).astype(int)
    now = before[positions(bars, origins)]
    probabilities = np.empty((*now.shape, 2))
    for step in range(horizon):
        for side in range(2):
            known = came[:, step][before[: len(came), step] == side]
            up = (float((known == 1).sum()) + 1.0) / (float((known >= 0).sum()) + 2.0)
            probabilities[now[:, step] == side, step] = (1.0 - up, up)
    return probabilities, now


def _implied(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    inputs: Inputs,
    fitted_until: pd.Timestamp,
    spread: Callable[..., Prediction],
) -> Answer:
    """What the quantiles of a baseline of prices say about the classes.

    Args, Returns and Raises: as `majority`; `spread` is the baseline.
    """
    quantiles = spread(bars, origins, horizon=inputs.horizon, fitted_until=fitted_until).quantiles
    unit = inputs.unit.of(bars, origins)
    edges = _target(inputs).edges(unit, horizon=inputs.horizon)
    n, horizon, count = edges.shape
    above = np.stack(
        [
            probability_above(quantiles.reshape(n * horizon, -1), edges[..., place].ravel())
            for place in range(count)
        ],
        axis=-1,
    ).reshape(n, horizon, count)
    probabilities = -np.diff(above, axis=-1, prepend=1.0, append=0.0)
    return probabilities, probabilities.argmax(axis=-1)


def _target(inputs: Inputs) -> ClassTarget:
    if not isinstance(inputs.target, ClassTarget):
        raise ValueError(f"the target must be one of classes. Received {inputs.target}.")
    return inputs.target


def _training_classes(bars: pd.DataFrame, inputs: Inputs, fitted_until: pd.Timestamp) -> np.ndarray:
    """Class of each session of the training part as origin, shape (length, horizon); NaN else.

    The first sessions, at which the volatility unit is not known yet, have none either.
    """
    horizon = inputs.horizon
    length = training_length(bars, fitted_until=fitted_until, horizon=horizon)
    unit = inputs.unit.at(bars).to_numpy()[:length]
    close = bars["close"].to_numpy("float64")[:length]
    came = _target(inputs).encode(returns_ahead(bars, length, horizon), unit=unit, close=close)
    return np.where(np.isnan(unit)[:, None], np.nan, came)


CLASS_BASELINES: dict[str, dict[str, Callable[..., Any]]] = {
    "direction": {
        "majority": majority,
        "momentum": momentum,
        "ewma": partial(_implied, spread=ewma),
        "garch": partial(_implied, spread=garch),
    },
    "move": {
        "majority": majority,
        "ewma": partial(_implied, spread=ewma),
        "garch": partial(_implied, spread=garch),
    },
}
"""The baselines of each target of classes."""
