"""The folds of a walk-forward evaluation: made one by one, each kept as soon as it is forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from forecast.config import Settings
from forecast.evaluation.walk_forward import walk_forward
from forecast.features.inputs import fit_on, origins_of, warm_up_of
from forecast.features.splits import Split
from forecast.market.fetching import Fetched
from forecast.networks.architectures import NETWORKS
from forecast.pipeline import kept
from forecast.pipeline.contests import mean_prices
from forecast.pipeline.preparing import Prepared, features_of
from forecast.pipeline.scoring import baseline_forecasts, calibrated, frame_of
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch

# Settings that only what comes after the folds' forecasts depends on; a seed names its file.
_AFTERWARDS = {"seed", "seeds", "trade", "cost"}


@dataclass(frozen=True)
class Fold:
    """One fold: a history that ends with the outcome of its last test origin.

    Attributes:
        number: From 1.
        one: Inputs and volatility unit fitted on its training part.
    """

    number: int
    one: Prepared


@dataclass(frozen=True)
class Pooled:
    """Forecasts of every fold's test part.

    Attributes:
        baselines: Of every baseline.
        by_seed: Seed → of the network trained with it.
    """

    baselines: pd.DataFrame
    by_seed: dict[int, pd.DataFrame]

    def ensemble(self) -> pd.DataFrame:
        """The seeds' forecasts averaged: mean log return of the point and of each quantile."""
        return mean_prices(list(self.by_seed.values()))


def key_of(bars: pd.DataFrame, settings: Settings) -> str:
    """Names everything that the folds' forecasts depend on: settings, bars, code, libraries."""
    return kept.key_of(bars, kept.deciding(settings, but=_AFTERWARDS))


def make_folds(fetched: Fetched, settings: Settings) -> list[Fold]:
    """The folds of a ticker's history, in time order.

    Raises:
        ConfigError: if a feature is unknown.
        NotEnoughBars: saying how many sessions are needed.
    """
    names, bars = features_of(settings), fetched.bars
    splits = walk_forward(
        origins_of(len(bars), names, lookback=settings.lookback, horizon=settings.horizon),
        folds=settings.folds,
        horizon=settings.horizon,
        scheme=settings.scheme,
        sessions=len(bars),
        ticker=fetched.ticker,
    )
    return [
        Fold(number, prepare_fold(fetched, split, names, settings))
        for number, split in enumerate(splits, start=1)
    ]


def forecast_folds(
    folds: Sequence[Fold], folder: Path, *, settings: Settings, watch: Watch
) -> Pooled:
    """Forecasts of every fold and seed; those that are kept in the folder are not made again.

    Args:
        folds: As from `make_folds`.
        folder: Holds a file for every fold's baselines and for every fold and seed.
        settings: Of the network.
        watch: Told how it goes.

    Raises:
        TrainingError: if a training diverged.
        ArtifactError: if the folder cannot be written.
    """
    seeds = kept.seeds_of(settings)
    baselines: list[pd.DataFrame] = []
    by_seed: dict[int, list[pd.DataFrame]] = {seed: [] for seed in seeds}
    for fold in folds:
        where, name = f"fold {fold.number} of {len(folds)}", f"fold-{fold.number:02d}"
        path = folder / f"{name}-baselines.csv"
        baselines.append(kept.kept(path, fold.one, partial(_baselines, fold.one, where, watch)))
        for seed in seeds:
            path = folder / f"{name}-seed-{seed}.csv"
            own = settings.model_copy(update={"seed": seed})
            by_seed[seed].append(
                kept.kept(path, fold.one, partial(_network, fold.one, own, where, watch))
            )
    return Pooled(
        pd.concat(baselines, ignore_index=True),
        {seed: pd.concat(frames, ignore_index=True) for seed, frames in by_seed.items()},
    )


def _baselines(one: Prepared, where: str, watch: Watch) -> pd.DataFrame:
    watch.stage(f"{where}: baselines")
    return baseline_forecasts(one)


def _network(one: Prepared, settings: Settings, where: str, watch: Watch) -> pd.DataFrame:
    watch.stage(f"{where}: training {settings.network}, seed {settings.seed}")
    fitted = fit_network([one], settings, watch=watch)
    prediction, _ = calibrated(one, fitted)
    return frame_of(one, settings.network, prediction)


def prepare_fold(
    fetched: Fetched, split: Split, names: tuple[str, ...], settings: Settings
) -> Prepared:
    """A fold's history, cut off on both sides, with its parts counted from its own first origin."""
    sessions, first = fetched.bars.index, split.train.start
    # The first origin needs the warm-up and a window before it, the last one an outcome after it.
    last = split.test.stop - 1 + warm_up_of(names) + settings.lookback - 1 + settings.horizon
    part = replace(fetched, start=sessions[first].date(), end=sessions[last].date())
    own = Split(*(_moved(each, first) for each in (split.train, split.validation, split.test)))
    inputs = fit_on(
        part.bars,
        own.train,
        ticker=part.ticker,
        feature_names=names,
        lookback=settings.lookback,
        horizon=settings.horizon,
        target=settings.target,
        ahead=NETWORKS[settings.network].decodes,
    )
    return Prepared(part, inputs, own, inputs.windows(part.bars, ticker=part.ticker))


def _moved(part: range, by: int) -> range:
    return range(part.start - by, part.stop - by)
