"""One ticker's scores and report, from the network's outputs: work that any process can do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.features.targets import CLASSES
from forecast.files import write_json
from forecast.market.store import Store
from forecast.pipeline.classifying import ClassScored, score_classes
from forecast.pipeline.documents import Calibrated, run_document
from forecast.pipeline.preparing import Prepared, Ready
from forecast.pipeline.scoring import Scored, score_outputs


@dataclass
class Clock:
    """How long each stage took, and all of them so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what is done within to the stage."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def document(self) -> dict[str, float]:
        """As JSON."""
        return {**self.seconds, "total": time.perf_counter() - self.begun}

    def copy(self) -> Clock:
        """One that goes on by itself."""
        return replace(self, seconds=dict(self.seconds))


@dataclass(frozen=True)
class Shared:
    """What is the same for every ticker of a run.

    Attributes:
        data: The data folder or address that the bars are in.
        run: The run's name.
        folder: Of the model, relative to the home folder.
        snapshots: Of each ticker that the network was trained on.
        settings: The resolved ones.
        history: The course of the training.
        pictures: Draw them; they take four times as long as all the rest.
        listed: File with the tickers and snapshots, where they are too many for a command line.
        tuned: Which of the settings `tune` found, as JSON; None where none.
    """

    data: str | Path
    run: str
    folder: Path
    snapshots: Mapping[str, str]
    settings: Settings
    history: Mapping[str, Any]
    pictures: bool
    listed: Path | None
    tuned: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Job:
    """One ticker to score and report on.

    Attributes:
        ready: The ticker; of its windows only the origins are read.
        answers: Of the network, as `infer` gives them for the validation part and the test part.
        stage: The folder to write to; it exists.
        clock: As it stands.
        shared: With the others.
    """

    ready: Ready
    answers: np.ndarray
    stage: Path
    clock: Clock
    shared: Shared


@dataclass(frozen=True)
class Reported:
    """What came of it.

    Attributes:
        document: The run as `train --json` prints it.
        calibration: As far as outcomes are known.
    """

    document: dict[str, Any]
    calibration: Calibrated


def report(job: Job) -> tuple[Reported, pd.DataFrame]:
    """Score one ticker and write its forecasts, `metrics.json`, pictures and page.

    Returns:
        What came of it, and what the ticker adds to each day's losses at the last step, as
        `losses_by_day` or `class_losses_by_day` gives it.

    Raises:
        ArtifactError: if the ticker's bars are no longer in the store, or a file cannot be written.
    """
    ready, shared, clock = job.ready, job.shared, job.clock.copy()
    settings = shared.settings
    with clock.stage("score"):
        one = ready.with_bars(Store.open(shared.data).payload(ready.fetched.manifest))
        result = score_answers(one, job.answers, settings=settings)
    document = run_document(
        one,
        result,
        run=shared.run,
        folder=shared.folder,
        snapshots=shared.snapshots,
        settings=settings,
        audit=ready.audit,
        listed=shared.listed,
    )
    document["tuned"] = shared.tuned
    with clock.stage("report"):
        document["seconds"] = clock.document()
        result.write(job.stage)
        written = result.report(
            job.stage,
            document=document,
            bars=one.bars,
            history=shared.history,
            pictures=shared.pictures,
        )
        place = Path(document["report"]).parent
        document["plots"] = [
            (place / path.name).as_posix() for path in written if path.suffix == ".png"
        ]
    document["seconds"] = clock.document()
    write_json(job.stage / "metrics.json", document)
    return Reported(document, result.calibration), result.losses(settings.horizon)


def score_answers(
    one: Prepared, answers: np.ndarray, *, settings: Settings
) -> Scored | ClassScored:
    """Score what a network answered, of prices or of classes: the one place where they part.

    Args:
        one: The ticker; of its windows only the origins are read.
        answers: As `infer` gives them for the validation part and the test part.
        settings: With the target and the head that the network was trained with.
    """
    if settings.target in CLASSES:
        return score_classes(
            one, answers, network=settings.network, class_weight=settings.class_weight
        )
    return score_outputs(one, answers, network=settings.network)
