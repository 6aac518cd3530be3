"""One ticker made ready: its bars, its fitted inputs, its parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from forecast.config import Settings
from forecast.evaluation.audit import as_document, require_no_leak
from forecast.features.inputs import Inputs, fit_inputs
from forecast.features.sets import DEFAULT_FEATURES, check_features
from forecast.features.splits import Boundaries, Split
from forecast.features.windows import Windows
from forecast.market.fetching import Fetched
from forecast.networks.architectures import NETWORKS
from forecast.networks.training import default_batch
from forecast.pipeline.provenance import data_hash

PARTS = ("train", "validation", "test")


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
        return self.known_by("train")

    @property
    def data(self) -> dict[str, Any]:
        """What a run's manifest says of the bars."""
        return {
            "source": self.fetched.source,
            "snapshot": self.fetched.snapshot,
            "data_sha256": data_hash(self.bars),
            "first": f"{self.bars.index[0]:%Y-%m-%d}",
            "last": f"{self.bars.index[-1]:%Y-%m-%d}",
            "sessions": len(self.bars),
            "known": {name: f"{self.known_by(name):%Y-%m-%d}" for name in PARTS},
        }

    def known_by(self, name: str) -> pd.Timestamp:
        """The session by which the last outcome of `train`, `validation` or `test` is known."""
        sessions, part = pd.DatetimeIndex(self.bars.index), getattr(self.split, name)
        last = int(sessions.get_indexer(self.windows.origin[[part[-1]]])[0])
        return sessions[last + self.inputs.horizon]

    def part(self, name: str) -> Windows:
        """The windows of `train`, `validation` or `test`."""
        return self.windows.take(getattr(self.split, name))


@dataclass(frozen=True)
class Ready:
    """One ticker prepared and audited, without its bars.

    So little of each is kept while one network is trained over many.

    Attributes:
        fetched: Where its bars came from; its `content` is empty.
        inputs: As in `Prepared`.
        split: Same.
        windows: Same.
        audit: What the cheap part of the audit found, as JSON.
        data: As `Prepared.data`.
    """

    fetched: Fetched
    inputs: Inputs
    split: Split
    windows: Windows
    audit: dict[str, Any]
    data: dict[str, Any]

    @property
    def ticker(self) -> str:
        """The ticker."""
        return self.fetched.ticker

    def with_bars(self, content: bytes) -> Prepared:
        """The ticker with its bars again, from the snapshot's file."""
        fetched = replace(self.fetched, content=content)
        return Prepared(fetched, self.inputs, self.split, self.windows)

    def without_rows(self) -> Ready:
        """The same with windows of which only the origins are left: all that scoring needs."""
        # Copies: a view of no rows would keep all of them in memory.
        features, targets = self.windows.features[:0].copy(), self.windows.targets[:0].copy()
        return replace(self, windows=replace(self.windows, features=features, targets=targets))


def learning_rate_of(settings: Settings) -> float:
    """The learning rate asked for, or the network's own."""
    return settings.learning_rate or NETWORKS[settings.network].learning_rate


def batch_of(settings: Settings) -> int:
    """The batch asked for, or what suits the network."""
    return settings.batch or default_batch(settings.network, settings.outputs)


def features_of(settings: Settings) -> tuple[str, ...]:
    """The features chosen, or those of the target.

    Raises:
        ConfigError: if a feature is unknown.
    """
    return check_features(settings.features or DEFAULT_FEATURES[settings.target])


def prepare(fetched: Fetched, settings: Settings, boundaries: Boundaries | None = None) -> Prepared:
    """Split, fit the inputs on the training part, window.

    Args:
        fetched: The bars.
        settings: Of features, lookback, horizon, target and network.
        boundaries: Where the parts begin, for several tickers; None for shares of this history.

    Raises:
        ConfigError: if a feature is unknown.
        NotEnoughBars: saying how many sessions are needed.
    """
    inputs, split = fit_inputs(
        fetched.bars,
        ticker=fetched.ticker,
        feature_names=features_of(settings),
        lookback=settings.lookback,
        horizon=settings.horizon,
        target=settings.target,
        ahead=NETWORKS[settings.network].decodes,
        boundaries=boundaries,
    )
    return Prepared(fetched, inputs, split, inputs.windows(fetched.bars, ticker=fetched.ticker))


def make_ready(fetched: Fetched, settings: Settings, boundaries: Boundaries | None = None) -> Ready:
    """Prepare a ticker, with arguments as `prepare`, and look for leaks.

    Raises:
        LeakError: if anything sees the future, saying what.
        ForecastError: as `prepare`.
    """
    one = prepare(fetched, settings, boundaries)
    checks = require_no_leak(one.bars, one.inputs, one.split, ticker=one.ticker)
    return Ready(
        replace(fetched, content=b""),
        one.inputs,
        one.split,
        one.windows,
        as_document(checks),
        one.data,
    )
