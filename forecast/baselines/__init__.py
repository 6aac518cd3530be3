"""What a network must beat: every baseline forecasts the very same origins.

A baseline is a function `(bars, origins, *, horizon, fitted_until, features=None) -> Prediction`.
It fits on bars up to `fitted_until` (the last session of the training part) and, for each
origin, filters bars up to that origin only: no later bar can change a forecast.
"""

from __future__ import annotations

from collections.abc import Callable

from forecast.baselines.ewma import ewma
from forecast.baselines.garch import garch
from forecast.baselines.har import har
from forecast.baselines.naive import drift, last_close
from forecast.baselines.ridge import ridge
from forecast.features.targets import Prediction

BASELINES: dict[str, Callable[..., Prediction]] = {
    "last_close": last_close,
    "drift": drift,
    "ewma": ewma,
    "garch": garch,
    "har": har,
    "ridge": ridge,
}

__all__ = ["BASELINES"]
