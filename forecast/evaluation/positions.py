"""What each rule of the backtest holds: positions decided from a forecast of the next session."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import pandas as pd

from forecast.evaluation.class_forecasts import classes_of, probability_columns

TARGET_VOLATILITY = 0.15
"""A year; what the volatility-scaled rules aim at."""
LARGEST_POSITION = 1.5
BUY_AND_HOLD = "buy_and_hold"

RULES: Mapping[str, str] = {
    "sign": "the sign of the forecast",
    "likelier": "the likelier direction",
    "long_scaled": "its spread alone",
}
"""The rules that a sentence speaks of, in words."""

Positions: TypeAlias = Callable[..., dict[str, np.ndarray]]
"""(one model's forecasts of step 1, adjusted close, a_year) → each rule's position."""

# The 10 and 90 % quantiles of a normal distribution lie this many deviations apart.
_WIDTH_80 = 2 * NormalDist().inv_cdf(0.9)
_NARROWEST = 1e-6


def price_positions(own: pd.DataFrame, close: pd.Series, *, a_year: float) -> dict[str, np.ndarray]:
    """Each rule's position at every origin, as a share of the capital, from -1.5 to 1.5.

    Args:
        own: One model's forecasts of step 1, rows of a forecast frame.
        close: Adjusted close, with every origin and the session before it.
        a_year: Sessions a year.

    Returns:
        `sign`: long where the point forecast is above the close, short where it is below.
        `sign_scaled`: the same, times target volatility over predicted volatility, capped.
        `long_scaled`: always long, scaled so. `momentum`: sign of the last session's return.
        `buy_and_hold`: 1. The predicted volatility is that of a normal distribution with the
        forecast's 80 % band.
    """
    at = close.loc[own["origin"]].to_numpy()
    sign = np.sign(own["predicted"].to_numpy() - at)
    width = np.log(own["p90"].to_numpy() / own["p10"].to_numpy()) / _WIDTH_80
    yearly = np.maximum(width, _NARROWEST) * math.sqrt(a_year)
    size = np.minimum(TARGET_VOLATILITY / yearly, LARGEST_POSITION)
    return {
        "sign": sign,
        "sign_scaled": sign * size,
        "long_scaled": size,
        **_without_a_forecast(own, close),
    }


def class_positions(own: pd.DataFrame, close: pd.Series, *, a_year: float) -> dict[str, np.ndarray]:
    """Each rule's position at every origin, as a share of the capital: -1, 0 or 1.

    Nothing is scaled: the odds of a class say nothing of how far the price moves.

    Args:
        own: One model's forecasts of step 1, rows of class forecasts.
        close: Adjusted close, with every origin and the session before it.
        a_year: Sessions a year; no rule here needs it.

    Returns:
        `likelier`: long where `up` is likelier than the first class (`not_up`, `down`), short where
        that is the likelier one. `momentum` and `buy_and_hold` as `price_positions`.
    """
    against, *_ = probability_columns(classes_of(own))
    likelier = np.sign(own["probability_up"].to_numpy() - own[against].to_numpy())
    return {"likelier": likelier, **_without_a_forecast(own, close)}


def _without_a_forecast(own: pd.DataFrame, close: pd.Series) -> dict[str, np.ndarray]:
    last = np.sign(close.diff()).loc[own["origin"]].fillna(0.0).to_numpy()
    return {"momentum": last, BUY_AND_HOLD: np.ones(len(own))}
