"""Intervals that hold: conformal calibration that follows the outcomes as they become known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.features.targets import LEVELS, Prediction

PACE = 0.025
"""How far one outcome moves the log of a width, before the division by the root of the step."""
_MIDDLE = len(LEVELS) // 2
_COVERAGES = np.array([1 - 2 * level for level in LEVELS[:_MIDDLE]])
# A forecast this narrow [log return] is of closes that stand still: nothing to learn a factor from.
_NARROWEST = 1e-9


@dataclass(frozen=True)
class Calibration:
    """How much wider or narrower the intervals must be, as learnt so far.

    Attributes:
        logs: Log of the factor on the distance from the median, shape (horizon, 3): the 90, 80
            and 50 % interval of each step.
        known_until: Last session whose close has been learnt from; None at the start.
    """

    logs: np.ndarray
    known_until: pd.Timestamp | None = None

    def as_document(self) -> dict[str, Any]:
        """The state as JSON; `from_document` gives it back bit for bit."""
        until = None if self.known_until is None else f"{self.known_until:%Y-%m-%d}"
        return {"logs": self.logs.tolist(), "known_until": until}


def start(horizon: int) -> Calibration:
    """A calibration that leaves every interval as it is."""
    return Calibration(np.zeros((horizon, _MIDDLE)))


def from_document(document: dict[str, Any]) -> Calibration:
    """The state that `Calibration.as_document` gave."""
    until = document["known_until"]
    logs = np.array(document["logs"], dtype="float64")
    return Calibration(logs, None if until is None else pd.Timestamp(until))


def calibrate(
    prediction: Prediction,
    actual: np.ndarray,
    *,
    origins: pd.DatetimeIndex,
    sessions: np.ndarray,
    state: Calibration,
) -> tuple[Prediction, Calibration]:
    """Intervals adjusted origin by origin, each from outcomes known at that origin only.

    The 90, 80 and 50 % intervals of each step have a factor each on their distances from the
    median. An outcome that becomes known moves the log of the factor by `PACE / sqrt(step)` times
    `coverage - 1` if the interval as it would be now holds it, else times `coverage`; half of each
    move is shared by the three. This is online gradient descent on the pinball loss of the log
    distance, so that in the long run each interval holds its nominal share whatever the market
    does: the difference is at most the range of the logs over `PACE` times the outcomes seen. Point
    and median stay as they are; quantiles never cross (they are sorted).

    Give the validation part and the test part in one call, or the second with the state of the
    first.

    Source: A. Angelopoulos, E. Candes, R. Tibshirani (2023), Conformal PID control for time series
    prediction, NeurIPS 36 (quantile tracking), after I. Gibbs, E. Candes (2021), Adaptive conformal
    inference under distribution shift, NeurIPS 34. Deviations: in units of the predicted width, on
    a log scale, with the shared half.

    Args:
        prediction: n forecasts in the order of time.
        actual: Log returns that came, shape (n, horizon); NaN = not known.
        origins: Increasing, shape (n,).
        sessions: At whose close each outcome is known (datetime64), shape (n, horizon).
        state: As learnt before; outcomes up to its `known_until` are not learnt from again.

    Returns:
        The calibrated prediction, and the state after every outcome known at the last origin.

    Raises:
        ValueError: if the shapes do not agree or the origins are not increasing.
    """
    n, horizon = prediction.point.shape
    shapes = [actual.shape, sessions.shape, origins.shape, state.logs.shape]
    wanted = [(n, horizon), (n, horizon), (n,), (horizon, _MIDDLE)]
    if shapes != wanted:
        raise ValueError(f"shapes must be {wanted} for this prediction. Received {shapes}.")
    if not (origins.is_monotonic_increasing and origins.is_unique):
        raise ValueError("origins must be increasing, each once.")
    if n == 0:
        return prediction, state
    needed = _needed(prediction.quantiles, actual)
    if state.known_until is not None:
        needed[sessions <= state.known_until.to_datetime64()] = np.nan
    known_at = np.searchsorted(origins.to_numpy(), sessions)
    logs, learnt = np.empty((n, horizon, _MIDDLE)), np.empty_like(state.logs)
    for step in range(horizon):
        logs[:, step], learnt[step] = _follow(
            needed[:, step],
            known_at[:, step],
            state.logs[step],
            pace=PACE / float(np.sqrt(step + 1)),
        )
    quantiles = _stretch(prediction.quantiles.astype("float64"), np.exp(logs))
    return Prediction(prediction.point, quantiles), Calibration(learnt, origins[-1])


def _needed(quantiles: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Log of the factor at which each interval would just have held the outcome.

    Returns:
        Shape (n, horizon, 3); NaN where the outcome is not known or nothing can be learnt.
    """
    median = quantiles[..., _MIDDLE, None]
    below = median - quantiles[..., :_MIDDLE]
    above = quantiles[..., :_MIDDLE:-1] - median
    error = actual[..., None] - median
    width = np.where(error < 0, below, above)
    factor = np.abs(error) / np.where(width > _NARROWEST, width, np.nan)
    needed: np.ndarray = np.log(np.maximum(factor, _NARROWEST))
    return needed


def _follow(
    needed: np.ndarray, known_at: np.ndarray, logs: np.ndarray, *, pace: float
) -> tuple[np.ndarray, np.ndarray]:
    """The logs of the factors at each origin of one step, and after the last.

    Args:
        needed: As `_needed`, one step, shape (n, 3).
        known_at: Row of the first origin that knows each outcome, non-decreasing, shape (n,).
        logs: Before the first origin, shape (3,).
        pace: Size of a move.
    """
    path = np.empty_like(needed)
    # Plain numbers: an array operation on three of them takes longer than the rest of the loop.
    rows, known, now = needed.tolist(), known_at.tolist(), logs.tolist()
    coverages = _COVERAGES.tolist()
    learnt = 0
    for row in range(len(rows)):
        while learnt < len(rows) and known[learnt] <= row:
            one = rows[learnt]
            if not any(math.isnan(value) for value in one):
                move = [
                    coverage - (value <= log)
                    for coverage, value, log in zip(coverages, one, now, strict=True)
                ]
                shared = sum(move) / _MIDDLE
                now = [log + pace * (own + shared) / 2 for log, own in zip(now, move, strict=True)]
            learnt += 1
        path[row] = now
    return path, np.array(now)


def _stretch(quantiles: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Quantiles with each pair's distances from the median times its factor."""
    both = np.concatenate([factors, np.ones_like(factors[..., :1]), factors[..., ::-1]], axis=-1)
    median = quantiles[..., _MIDDLE, None]
    return np.sort(median + (quantiles - median) * both, axis=-1)
