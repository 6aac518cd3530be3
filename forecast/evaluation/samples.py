"""One model's forecasts at one step, of prices or of classes: what they lose at each origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.evaluation.classification import ClassOutcomes, log_losses
from forecast.evaluation.metrics import Outcomes, mean_pinball_losses, squared_errors


@dataclass(frozen=True)
class Sample:
    """One model's forecasts at one step, in the order of origin, then ticker; all shape (n,)."""

    origins: np.ndarray
    tickers: np.ndarray
    outcomes: Outcomes

    @cached_property
    def squared(self) -> np.ndarray:
        """Squared error of the price at each origin [quote currency squared]."""
        losses = squared_errors(self.outcomes.actual, self.outcomes.predicted)
        return _by_origin(losses, self.origins)

    @cached_property
    def pinball(self) -> np.ndarray:
        """Mean pinball loss at each origin [log return]."""
        one = self.outcomes
        losses = mean_pinball_losses(one.actual_return, one.quantile_returns)
        return _by_origin(losses, self.origins)


@dataclass(frozen=True)
class ClassSample:
    """One model's class forecasts at one step, in the order of origin, then ticker."""

    origins: np.ndarray
    tickers: np.ndarray
    outcomes: ClassOutcomes

    @cached_property
    def log_loss(self) -> np.ndarray:
        """Log loss at each origin."""
        losses = log_losses(self.outcomes.probabilities, self.outcomes.came)
        return _by_origin(losses, self.origins)

    @cached_property
    def error(self) -> np.ndarray:
        """1 where the class named did not come, at each origin."""
        wrong = (self.outcomes.called != self.outcomes.came).astype("float64")
        return _by_origin(wrong, self.origins)


def losses_of(samples: Mapping[str, Sample | ClassSample], loss: str) -> pd.DataFrame:
    """Loss of every model at each origin (over the tickers: their sum, scaled to the mean).

    Args:
        samples: Of the same origins.
        loss: `squared` or `pinball` of prices, `log_loss` or `error` of classes.

    Returns:
        Index `origin`, increasing; a column a model.
    """
    index = pd.DatetimeIndex(np.unique(next(iter(samples.values())).origins), name="origin")
    return pd.DataFrame({name: getattr(one, loss) for name, one in samples.items()}, index=index)


def _by_origin(losses: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Losses added up over the tickers of an origin, scaled so that the mean stays the same.

    Tickers move together, so the origins, not the rows, are what a test may count.
    """
    _, starts = np.unique(origins, return_index=True)
    if len(starts) == len(losses):
        return losses
    sums: np.ndarray = np.add.reduceat(losses, starts)
    return sums * (len(starts) / len(losses))
