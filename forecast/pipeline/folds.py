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
from forecast.pipeline.contests import Contest
from forecast.pipeline.preparing import Prepared, features_of
from forecast.pipeline.readers import Reader
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch

# A seed names its file; the backtest comes after the forecasts.
_READERS = {Reader.NETWORK, Reader.TRAINING, Reader.FOLDS}


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
        forecasts: The mean of the network's seeds, then every baseline.
        by_seed: Seed → of the network trained with it.
    """

    forecasts: pd.DataFrame
    by_seed: dict[int, pd.DataFrame]


def key_of(bars: pd.DataFrame, settings: Settings) -> str:
    """Names everything that the folds' forecasts depend on: settings, bars, code, libraries."""
    return kept.key_of(bars, kept.deciding(settings, _READERS, but={"seed"}))


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
    folds: Sequence[Fold], folder: Path, *, contest: Contest, settings: Settings, watch: Watch
) -> Pooled:
    """Forecasts of every fold and seed; those that are kept in the folder are not made again.

    Args:
        folds: As from `make_folds`.
        folder: Holds a file for every fold's baselines and for every fold and seed.
        contest: What is forecast.
        settings: Of the network.
        watch: Told how it goes.

    Raises:
        TrainingError: if a training diverged.
        ArtifactError: if the folder cannot be written.
    """

    def baselines(one: Prepared, where: str) -> pd.DataFrame:
        watch.stage(f"{where}: baselines")
        return contest.baselines(one)

    def network(one: Prepared, where: str, seed: int) -> pd.DataFrame:
        watch.stage(f"{where}: training {settings.network}, seed {seed}")
        own = settings.model_copy(update={"seed": seed})
        return contest.forecast(one, fit_network([one], own, watch=watch), own)

    seeds = kept.seeds_of(settings)
    means: list[pd.DataFrame] = []
    beside: list[pd.DataFrame] = []
    by_seed: dict[int, list[pd.DataFrame]] = {seed: [] for seed in seeds}
    for fold in folds:
        one, where = fold.one, f"fold {fold.number} of {len(folds)}"
        keep = partial(kept.kept, one=one, read=contest.read, write=contest.write)
        name = f"fold-{fold.number:02d}"
        beside.append(keep(folder / f"{name}-baselines.csv", make=partial(baselines, one, where)))
        for seed in seeds:
            path = folder / f"{name}-seed-{seed}.csv"
            by_seed[seed].append(keep(path, make=partial(network, one, where, seed)))
        means.append(contest.mean([frames[-1] for frames in by_seed.values()], one, settings))
    return Pooled(
        pd.concat([*means, *beside], ignore_index=True),
        {seed: pd.concat(frames, ignore_index=True) for seed, frames in by_seed.items()},
    )


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
