"""One ticker made ready: its bars, its fitted inputs, its parts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from forecast.config import Settings
from forecast.features.inputs import DEFAULT_FEATURES, Inputs, fit_inputs
from forecast.features.splits import Split
from forecast.features.windows import Windows
from forecast.market.fetching import Fetched


@dataclass(frozen=True)
class Prepared:
    """One ticker on its way through training.

    Attributes:
        fetched: Its bars and where they came from.
        inputs: Fitted on its training part.
        split: Its parts.
        windows: All whose outcome is known.
    """

    fetched: Fetched
    inputs: Inputs
    split: Split
    windows: Windows

    @property
    def ticker(self) -> str:
        """The ticker."""
        return self.fetched.ticker

    @property
    def bars(self) -> pd.DataFrame:
        """Its bars."""
        return self.fetched.bars

    @property
    def fitted_until(self) -> pd.Timestamp:
        """The last bar that anything may be fitted on: the outcome of the last training origin."""
        sessions = pd.DatetimeIndex(self.bars.index)
        last = int(sessions.get_indexer(self.part("train").origin[-1:])[0])
        return sessions[last + self.inputs.horizon]

    def part(self, name: str) -> Windows:
        """The windows of `train`, `validation` or `test`."""
        return self.windows.take(getattr(self.split, name))


def prepare(fetched: Fetched, settings: Settings) -> Prepared:
    """Split, fit the inputs on the training part, window.

    Raises:
        ConfigError: if a feature is unknown.
        NotEnoughBars: saying how many sessions are needed.
    """
    inputs, split = fit_inputs(
        fetched.bars,
        ticker=fetched.ticker,
        feature_names=settings.features or DEFAULT_FEATURES[settings.target],
        lookback=settings.lookback,
        horizon=settings.horizon,
        target=settings.target,
    )
    return Prepared(fetched, inputs, split, inputs.windows(fetched.bars, ticker=fetched.ticker))
