"""The networks of a comparison, each trained with every seed; a finished training is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import pandas as pd

from forecast.config import Settings
from forecast.errors import ForecastError
from forecast.files import write_json
from forecast.networks.architectures import NETWORKS
from forecast.networks.epochs import Epoch
from forecast.networks.training import Fitted, prepare_backend
from forecast.pipeline.contests import Contest
from forecast.pipeline.kept import kept_forecasts, seeds_of
from forecast.pipeline.preparing import Prepared, prepare
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch


@dataclass(frozen=True)
class Facts:
    """What one training took.

    Attributes:
        parameters: Weights of the network.
        epochs: Until it stopped.
        kept_epoch: Whose weights were kept, from 1.
        seconds: Of the training, without `startup`.
        startup: Seconds by which the first epoch, with building and compiling before it, took
            longer than the middling one; None with a single epoch, whose `seconds` hold both. Only
            the first of a network's seeds compiles.
    """

    parameters: int
    epochs: int
    kept_epoch: int
    seconds: float
    startup: float | None


@dataclass(frozen=True)
class Training:
    """One network trained with one seed.

    Attributes:
        seed: Which.
        facts: What it took.
        forecasts: The contest's frame of the test part.
    """

    seed: int
    facts: Facts
    forecasts: pd.DataFrame


@dataclass(frozen=True)
class Entrant:
    """One network of a comparison.

    Attributes:
        network: Its name.
        trainings: One a seed; empty if one of them failed.
        error: Why it failed.
    """

    network: str
    trainings: list[Training]
    error: ForecastError | None = None


def train_entrants(
    one: Prepared,
    networks: Sequence[str],
    folder: Path,
    *,
    contest: Contest,
    settings: Settings,
    watch: Watch,
) -> list[Entrant]:
    """Every network with every seed; those that are kept in the folder are not trained again.

    The seeds of a network follow each other, so that it is compiled once. A network that fails is
    given up with its error, and the others go on.

    Args:
        one: The ticker.
        networks: Keys of `NETWORKS`.
        folder: Holds two files for every network and seed: its forecasts, and what they took.
        contest: What they forecast.
        settings: Of all of them, with the first seed and how many.
        watch: Told how it goes.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed, after saying what is kept.
    """
    seeds, entrants, done = seeds_of(settings), [], 0
    try:
        for number, network in enumerate(networks, start=1):
            trainings: list[Training] = []
            try:
                mine = _read_by(network, one, settings)
                for turn, seed in enumerate(seeds, start=1):
                    own = settings.model_copy(update={"network": network, "seed": seed})
                    words = f"network {number} of {len(networks)}: training {network}, seed {seed}"
                    of = f" ({turn} of {len(seeds)})" if len(seeds) > 1 else ""
                    trainings.append(_trained(mine, own, folder, contest, watch, stage=words + of))
                    done += 1
            except ForecastError as error:
                watch.notice(f"{network} failed: {error}")
                entrants.append(Entrant(network, [], error))
            else:
                entrants.append(Entrant(network, trainings))
    except KeyboardInterrupt:
        watch.notice(
            f"interrupted after {done} of {len(networks) * len(seeds)} trainings, which are kept: "
            "the same command goes on from there."
        )
        raise
    return entrants


def _read_by(network: str, one: Prepared, settings: Settings) -> Prepared:
    """The ticker with what this network reads: some also read the calendar of what is ahead."""
    if NETWORKS[network].decodes == NETWORKS[settings.network].decodes:
        return one
    return prepare(one.fetched, settings.model_copy(update={"network": network}))


def _trained(
    one: Prepared, settings: Settings, folder: Path, contest: Contest, watch: Watch, *, stage: str
) -> Training:
    """The kept training, or a new one, which is then kept."""
    path = folder / f"{settings.network}-seed-{settings.seed}.csv"
    facts = _facts(path.with_suffix(".json"))
    frame = kept_forecasts(path, one, read=contest.read)
    if facts is None or frame is None:
        watch.stage(stage)
        facts, fitted = _train(one, settings, watch)
        frame = contest.forecast(one, fitted, settings)
        write_json(path.with_suffix(".json"), asdict(facts))
        contest.write(path, frame)
    return Training(settings.seed, facts, frame)


def _facts(path: Path) -> Facts | None:
    try:
        return Facts(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _train(one: Prepared, settings: Settings, watch: Watch) -> tuple[Facts, Fitted]:
    # Starting TensorFlow is no network's fault: else the first one would pay for all.
    # The same threads for all, whichever network comes first.
    prepare_backend(settings.seed)
    begun, ends = time.perf_counter(), list[float]()

    def on_epoch(epoch: Epoch) -> None:
        ends.append(time.perf_counter() - begun)
        watch.epoch(epoch)

    fitted = fit_network([one], settings, watch=replace(watch, epoch=on_epoch))
    whole = time.perf_counter() - begun
    lasted = [later - earlier for earlier, later in pairwise(ends)]
    startup = max(ends[0] - median(lasted), 0.0) if lasted else None
    facts = Facts(
        parameters=int(fitted.model.count_params()),
        epochs=len(fitted.loss),
        kept_epoch=fitted.kept_epoch,
        seconds=whole - (startup or 0.0),
        startup=startup,
    )
    return facts, fitted
