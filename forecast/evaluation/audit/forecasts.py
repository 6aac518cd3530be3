"""Forecasts, of networks and baselines, and their calibration, when what comes after changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation.audit.histories import (
    CHANGED,
    CUT_OFF,
    Check,
    difference_at,
    first_difference,
    future_check,
    other_histories,
    places,
)
from forecast.evaluation.forecasts import outcomes
from forecast.evaluation.intervals import calibrate, start
from forecast.features.inputs import Inputs, warm_up_of
from forecast.features.splits import Split
from forecast.features.targets import NORMAL, Prediction
from forecast.features.windows import Windows

_SEED = 7
_CUTS = 2


def calibration_checks(
    bars: pd.DataFrame, inputs: Inputs, split: Split, *, ticker: str, cuts: int
) -> list[Check]:
    """Calibrated intervals when outcomes and forecasts after an origin change, or are missing.

    What is calibrated are normal quantiles in units of the volatility: what an untrained network
    forecasts.
    """
    windows = scored_windows(inputs.windows(bars, ticker=ticker), split)
    sessions, close = outcomes(bars, windows.origin, horizon=inputs.horizon)
    actual = np.log(close / bars["close"].loc[windows.origin].to_numpy()[:, None])
    reach = inputs.unit.at(bars).loc[windows.origin].to_numpy()[:, None, None]
    steps = np.sqrt(np.arange(1, inputs.horizon + 1))[:, None]
    prediction = Prediction(np.zeros(actual.shape), reach * steps * np.array(NORMAL))

    def calibrated(forecast: Prediction, came: np.ndarray, count: int) -> np.ndarray:
        return calibrate(
            Prediction(forecast.point[:count], forecast.quantiles[:count]),
            came[:count],
            origins=windows.origin[:count],
            sessions=sessions[:count],
            state=start(inputs.horizon),
        )[0].quantiles

    whole = calibrated(prediction, actual, len(windows))
    rng, difference = np.random.default_rng(_SEED), None
    for known in places(inputs.horizon, len(windows), cuts):
        later = sessions > windows.origin[known - 1].to_datetime64()
        came = np.where(later, rng.normal(0.0, 1.0, actual.shape), actual)
        quantiles = prediction.quantiles.copy()
        quantiles[known:] *= rng.uniform(0.1, 10.0, (len(windows) - known, 1, 1))
        changed = calibrated(Prediction(prediction.point, quantiles), came, len(windows))
        cut_off = calibrated(prediction, np.where(later, np.nan, actual), known)
        for how, found in ((CHANGED, changed), (CUT_OFF, cut_off)):
            row = first_difference(whole[:known], found[:known])
            if row is not None and difference is None:
                origin, last = windows.origin[row], windows.origin[known - 1]
                difference = (
                    f"differs at {origin:%Y-%m-%d} when outcomes after {last:%Y-%m-%d} are {how}"
                )
    return [future_check("calibration", difference, cuts)]


def network_checks(
    forecast: Callable[[Windows], np.ndarray],
    bars: pd.DataFrame,
    inputs: Inputs,
    split: Split,
    *,
    ticker: str,
    name: str,
    cuts: int = _CUTS,
) -> list[Check]:
    """A network's forecasts at earlier origins when what comes after changes or is missing.

    Both sides are forecast in batches of the same make-up, since a product of matrices may round
    differently with the number of its rows.

    Args:
        forecast: What the network answers to windows, as `infer` gives it.
        bars: All bars of the ticker.
        inputs: What the network was trained with.
        split: Of these bars.
        ticker: Named in errors.
        name: Of the network.
        cuts: At how many origins.
    """
    whole = inputs.windows(bars, ticker=ticker)
    scored = scored_windows(whole, split)
    outputs = forecast(scored)
    first, horizon = split.validation.start, inputs.horizon
    before = warm_up_of(inputs.feature_names) + inputs.lookback + first
    difference = None
    least = before + horizon + 1
    for known, how, history in other_histories(bars, places(least, len(bars) - horizon, cuts)):
        count = known - before + 1  # origins, the last one at the newest known bar
        other = inputs.windows(history, ticker=ticker)
        if how == CHANGED:
            pairs = [(outputs[:count], forecast(scored_windows(other, split))[:count])]
        else:
            settled = np.arange(first, first + count - horizon)
            newest = inputs.newest(history, ticker=ticker)
            pairs = [
                (forecast(whole.take(settled)), forecast(other.take(settled))),
                (forecast(scored.take(np.array([count - 1]))), forecast(newest)),
            ]
        for expected, found in pairs:
            row = first_difference(expected, found)
            if row is not None and difference is None:
                difference = difference_at(bars, before - 1 + row, known, how)
    return [future_check(f"network {name}", difference, cuts)]


def baseline_checks(
    baselines: Mapping[str, Callable[..., Any]],
    bars: pd.DataFrame,
    features: Callable[[pd.DataFrame], pd.DataFrame],
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    fitted_until: pd.Timestamp,
    cuts: int = _CUTS,
) -> list[Check]:
    """Every baseline's forecasts, its fit included, when later bars change or are missing.

    Args:
        baselines: As `BASELINES`; or of classes, giving probabilities and the class named.
        bars: All bars of the ticker.
        features: Gives the features of a history.
        origins: Sessions to forecast from.
        horizon: Sessions ahead.
        fitted_until: Last session of the training part; one cut lies just after it.
        cuts: At how many further places.
    """
    trained = int(bars.index.searchsorted(fitted_until, side="right"))
    spread = [trained, *places(trained, len(bars), cuts)]
    whole = features(bars)
    others = [
        (known, how, history, features(history))
        for known, how, history in other_histories(bars, spread)
    ]
    checks = []
    for name, baseline in baselines.items():
        difference = None
        for known, how, history, own in others:
            asked = origins[origins <= bars.index[known - 1]].union([fitted_until])
            expected, found = (
                _numbers(
                    baseline(of, asked, horizon=horizon, fitted_until=fitted_until, features=rows)
                )
                for of, rows in ((bars, whole), (history, own))
            )
            row = first_difference(expected, found)
            if row is not None and difference is None:
                first = int(bars.index.searchsorted(asked[row]))
                difference = difference_at(bars, first, known, how)
        checks.append(future_check(f"baseline {name}", difference, len(spread)))
    return checks


def scored_windows(windows: Windows, split: Split) -> Windows:
    """The windows from the first validation origin to the last test origin, without a gap."""
    return windows.take(range(split.validation.start, split.test.stop))


def _numbers(answer: Prediction | tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Point and quantiles, or the class named and probabilities; shape (n, horizon, numbers)."""
    if isinstance(answer, Prediction):
        return np.concatenate([answer.point[..., None], answer.quantiles], axis=-1)
    probabilities, called = answer
    return np.concatenate([called[..., None], probabilities], axis=-1)
