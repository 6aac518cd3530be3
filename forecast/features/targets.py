"""What a network is asked for, and the way back from its answer to log returns.

A forecast of a return or a price becomes a `Prediction` in log returns; prices follow from the
close at the origin. A target of classes asks which of a few things will happen, and is answered
with probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:  # the command line reads TARGETS, and must start at once
    import pandas as pd

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Probabilities of the seven quantiles that a forecast of prices gives."""
NORMAL = tuple(NormalDist().inv_cdf(level) for level in LEVELS)
"""Quantiles of a standard normal at these levels."""
CLASSES: dict[str, tuple[str, ...]] = {
    "direction": ("not_up", "up"),
    "move": ("down", "flat", "up"),
}
"""The targets that are classes, from the lowest return to the highest."""
# Of closes that hardly ever move.
_LEAST_THRESHOLD = 1e-3


@dataclass(frozen=True)
class Prediction:
    """Forecasts of many origins, in log returns from the origin's close.

    Attributes:
        point: shape (n, horizon).
        quantiles: shape (n, horizon, 7), at `LEVELS`, non-decreasing along the last axis.
    """

    point: np.ndarray
    quantiles: np.ndarray


def log_returns_ahead(close: pd.Series, *, horizon: int) -> np.ndarray:
    """Log return from each session's close to the closes of the next `horizon` sessions.

    Args:
        close: Adjusted close [quote currency], > 0, shape (n,).
        horizon: Sessions ahead, >= 1.

    Returns:
        Shape (n, horizon), float64; NaN where the later close is not known yet.

    Raises:
        ValueError: if `horizon` < 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be >= 1. Received {horizon}.")
    logs = np.log(close.to_numpy("float64"))
    ahead = np.full((len(logs), horizon), np.nan)
    for step in range(1, horizon + 1):
        ahead[: max(len(logs) - step, 0), step - 1] = logs[step:] - logs[:-step]
    return ahead


@dataclass(frozen=True)
class ReturnTarget:
    """Log return in units of the volatility known at the origin, times the root of the step.

    With the unit divided out, quiet and wild years ask the network for numbers of one size, and
    an untrained network already gives the spread that the recent volatility implies.
    """

    centred: ClassVar[bool] = True

    def encode(self, returns: np.ndarray, *, unit: np.ndarray, close: np.ndarray) -> np.ndarray:
        """Encoded targets from log returns, shape (n, horizon); `unit` and `close` are (n,)."""
        return returns / _reach(unit, returns.shape[1])

    def decode(self, outputs: np.ndarray, *, unit: np.ndarray, close: np.ndarray) -> np.ndarray:
        """Log returns from network outputs, shape (n, horizon, outputs)."""
        return outputs * _reach(unit, outputs.shape[1])[:, :, None]

    def as_document(self) -> dict[str, float | str]:
        """As JSON."""
        return {"kind": "return"}


@dataclass(frozen=True)
class PriceTarget:
    """The textbook's target: the close itself, scaled to [0, 1] over the training part.

    Attributes:
        low: lowest training close [quote currency].
        high: highest training close.
    """

    low: float
    high: float
    centred: ClassVar[bool] = False

    def encode(self, returns: np.ndarray, *, unit: np.ndarray, close: np.ndarray) -> np.ndarray:
        """Encoded targets from log returns, shape (n, horizon)."""
        return (close[:, None] * np.exp(returns) - self.low) / (self.high - self.low)

    def decode(self, outputs: np.ndarray, *, unit: np.ndarray, close: np.ndarray) -> np.ndarray:
        """Log returns from network outputs, shape (n, horizon, outputs).

        A forecast price below a hundredth of the close counts as that: prices are positive.
        """
        prices = outputs * (self.high - self.low) + self.low
        return np.log(np.maximum(prices / close[:, None, None], 0.01))

    def as_document(self) -> dict[str, float | str]:
        """As JSON."""
        return {"kind": "price", "low": self.low, "high": self.high}


@dataclass(frozen=True)
class DirectionTarget:
    """Whether the close is above that of the origin: 1 = up, 0 = not up; unchanged is not up."""

    centred: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = CLASSES["direction"]

    def edges(self, unit: np.ndarray, *, horizon: int) -> np.ndarray:
        """Log returns that part the classes, shape (n, horizon, 1); `unit` is (n,)."""
        return np.zeros((len(unit), horizon, 1))

    def encode(self, returns: np.ndarray, *, unit: np.ndarray, close: np.ndarray) -> np.ndarray:
        """Class numbers from log returns, shape (n, horizon); NaN where it is not known."""
        return np.where(np.isnan(returns), np.nan, (returns > 0).astype("float64"))

    def as_document(self) -> dict[str, float | str]:
        """As JSON."""
        return {"kind": "direction"}


@dataclass(frozen=True)
class MoveTarget:
    """Down, flat or up: flat is a log return of at most `threshold` times the expected size.

    That size is the volatility known at the origin times the root of the step, so that a quiet
    year has as many moves as a wild one.

    Attributes:
        threshold: In units of the expected size, > 0.
    """

    threshold: float
    centred: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = CLASSES["move"]

    def edges(self, unit: np.ndarray, *, horizon: int) -> np.ndarray:
        """Log returns that part the classes, shape (n, horizon, 2); `unit` is (n,)."""
        edge = self.threshold * _reach(unit, horizon)
        return np.stack([-edge, edge], axis=-1)

    def encode(self, returns: np.ndarray, *, unit: np.ndarray, close: np.ndarray) -> np.ndarray:
        """Class numbers from log returns, shape (n, horizon); NaN where it is not known."""
        edge = self.threshold * _reach(unit, returns.shape[1])
        numbers = (returns >= -edge).astype("float64") + (returns > edge)
        return np.where(np.isnan(returns), np.nan, numbers)

    def as_document(self) -> dict[str, float | str]:
        """As JSON."""
        return {"kind": "move", "threshold": self.threshold}


NumberTarget = ReturnTarget | PriceTarget
ClassTarget = DirectionTarget | MoveTarget
Target = NumberTarget | ClassTarget
TARGETS = ("return", "price", *CLASSES)


def fit_target(name: str, close: np.ndarray, *, returns: np.ndarray, unit: np.ndarray) -> Target:
    """The target called `name`, fitted on the training part.

    Args:
        name: One of `TARGETS`.
        close: Closes, shape (n,).
        returns: Log returns ahead of each, shape (n, horizon); NaN where the later close is not in
            the training part.
        unit: Volatility known at each, shape (n,).

    Raises:
        ValueError: if there is no such target.
    """
    if name == "return":
        return ReturnTarget()
    if name == "price":
        low, high = float(close.min()), float(close.max())
        return PriceTarget(low, high if high > low else low + 1.0)
    if name == "direction":
        return DirectionTarget()
    if name == "move":
        sizes = np.abs(returns) / _reach(unit, returns.shape[1])
        # A third of the training part is flat; what is left goes up or down about as often.
        threshold = float(np.nanquantile(sizes, 1 / len(MoveTarget.classes)))
        return MoveTarget(max(threshold, _LEAST_THRESHOLD))
    raise ValueError(f"target must be one of {', '.join(TARGETS)}. Received {name!r}.")


def load_target(document: dict[str, float | str]) -> Target:
    """The target from what `as_document` gave."""
    kind = document["kind"]
    if kind == "price":
        return PriceTarget(float(document["low"]), float(document["high"]))
    if kind == "move":
        return MoveTarget(float(document["threshold"]))
    return DirectionTarget() if kind == "direction" else ReturnTarget()


def class_shares(y: np.ndarray, n: int) -> np.ndarray:
    """How often each class came at each step, as if each had come once more than it did.

    Args:
        y: Class numbers, shape (origins, horizon); NaN is none.
        n: How many classes.

    Returns:
        Shape (horizon, n), > 0, each row adds up to 1.
    """
    counts = np.stack([(y == number).sum(axis=0) for number in range(n)], axis=1) + 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _reach(unit: np.ndarray, horizon: int) -> np.ndarray:
    return unit[:, None] * np.sqrt(np.arange(1, horizon + 1))
