"""The coming sessions of many tickers: newest windows in, calibrated returns or odds out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import ForecastError, as_known
from forecast.evaluation.class_calibration import ClassCalibration, class_calibration_from
from forecast.evaluation.intervals import Calibration, from_document
from forecast.features.inputs import Inputs
from forecast.features.targets import CLASSES
from forecast.features.windows import Windows, concatenate
from forecast.market.fetching import Fetched
from forecast.market.sessions import next_sessions
from forecast.networks.forward import Network
from forecast.networks.forward.layers import UnknownPart
from forecast.networks.training import infer
from forecast.pipeline.scoring import adjust
from forecast.pipeline.unseen import fit_unseen, pooled
from forecast.registry import SavedRun


@dataclass(frozen=True)
class Coming:
    """The coming sessions of one ticker, in log returns from its newest close.

    Attributes:
        sessions: Shape (horizon,).
        point: Shape (horizon,).
        quantiles: At `LEVELS`, calibrated, shape (horizon, 7).
    """

    sessions: pd.DatetimeIndex
    point: np.ndarray
    quantiles: np.ndarray


@dataclass(frozen=True)
class ComingClasses:
    """What is likely in the coming sessions of one ticker.

    Attributes:
        sessions: Shape (horizon,).
        classes: Their names.
        probabilities: Calibrated, shape (horizon, classes).
        usual: Share of each class in the training part, shape (horizon, classes).
    """

    sessions: pd.DatetimeIndex
    classes: tuple[str, ...]
    probabilities: np.ndarray
    usual: np.ndarray


Answer = Coming | ComingClasses


@dataclass(frozen=True)
class Request:
    """One ticker to forecast, as another process can be sent it.

    Attributes:
        fetched: Its bars.
        network: The network's file, verified.
        run: Its name.
        kind: Such as `lstm`.
        head: What the network answers with.
        target: What it was asked for.
        entry: `inputs` and `calibration` of the ticker, or of one of the run's if it is not
            among them.
        in_training: The network was trained on this ticker.
        coming: The next `horizon` sessions: a worker need not build a calendar.
    """

    fetched: Fetched
    network: Path
    run: str
    kind: str
    head: str
    target: str
    entry: Mapping[str, Any]
    in_training: bool
    coming: pd.DatetimeIndex

    @classmethod
    def of(cls, saved: SavedRun, fetched: Fetched) -> Request:
        """What asks for a ticker's forecast with a saved run."""
        ticker, manifest = fetched.ticker, saved.manifest
        known = ticker in saved.inputs
        entry = saved.inputs[ticker] if known else pooled(saved)
        return cls(
            fetched,
            saved.network,
            manifest["run"],
            manifest["network"],
            saved.head,
            str(entry["inputs"]["target"]["kind"]),
            entry,
            known,
            next_sessions(
                fetched.manifest.exchange,
                pd.Timestamp(fetched.last),
                int(entry["inputs"]["horizon"]),
            ),
        )


def forecast(
    requests: Sequence[Request], load: Callable[[Path], Network]
) -> list[Answer | ForecastError | None]:
    """The coming sessions of many tickers: all that share a network in one batch.

    What goes wrong with one ticker, foreseen or not, is given in its place; None where `load` does
    not know the network.
    """
    answers: list[Answer | ForecastError | None] = [None] * len(requests)
    asked: dict[tuple[Path, str], dict[int, _Question | _ClassQuestion]] = {}
    for number, request in enumerate(requests):
        try:
            question = (_ClassQuestion if request.target in CLASSES else _Question).of(request)
            asked.setdefault((request.network, request.head), {})[number] = question
        except Exception as failure:
            answers[number] = as_known(failure, ticker=request.fetched.ticker)
    for (path, head), questions in asked.items():
        tickers = {number: requests[number].fetched.ticker for number in questions}
        found: dict[int, Answer | ForecastError] = {}
        try:
            network = load(path)
        except UnknownPart:
            continue
        except Exception as failure:
            found = {number: as_known(failure, ticker=tickers[number]) for number in questions}
        else:
            found = _answered(network, head, questions, tickers)
        for number, answer in found.items():
            answers[number] = answer
    return answers


def _answered(
    network: Network,
    head: str,
    questions: Mapping[int, _Question | _ClassQuestion],
    tickers: Mapping[int, str],
) -> dict[int, Answer | ForecastError]:
    """Answers to questions of one network, in one batch; where that fails, to each alone."""
    try:
        windows = concatenate([one.windows for one in questions.values()])
        outputs = infer(network, windows, head=head)
        ends = np.cumsum([len(one.windows) for one in questions.values()])[:-1]
        split = np.split(outputs, ends)
        return {
            number: one.answer(own)
            for (number, one), own in zip(questions.items(), split, strict=True)
        }
    except Exception as failure:
        if len(questions) == 1:
            return {number: as_known(failure, ticker=tickers[number]) for number in questions}
        alone = [
            _answered(network, head, {number: one}, tickers) for number, one in questions.items()
        ]
        return {number: answer for each in alone for number, answer in each.items()}


@dataclass(frozen=True)
class _Question:
    """One ticker's newest windows, and what makes log returns of the network's answer.

    Attributes:
        bars: All bars.
        inputs: Fitted on its training part.
        state: Calibration as far as training saw.
        windows: From the last outcome that the calibration has learnt from to the newest bar.
        coming: The next `horizon` sessions.
    """

    bars: pd.DataFrame
    inputs: Inputs
    state: Calibration
    windows: Windows
    coming: pd.DatetimeIndex

    @classmethod
    def of(cls, request: Request) -> _Question:
        """The question for a request.

        Raises:
            ForecastError: if the bars are too few or damaged.
        """
        ticker, bars = request.fetched.ticker, request.fetched.bars
        inputs = Inputs.from_document(request.entry["inputs"])
        state = from_document(request.entry["calibration"])
        if request.in_training:
            count = int((bars.index > state.known_until).sum()) + inputs.horizon
        else:
            inputs, count = fit_unseen(bars, ticker=ticker, like=inputs)
        return cls(
            bars,
            inputs,
            state,
            inputs.newest(bars, ticker=ticker, count=count),
            request.coming,
        )

    def answer(self, outputs: np.ndarray) -> Coming:
        """The coming sessions from the outputs of the windows, shape (n, horizon, 8)."""
        prediction, _ = adjust(
            self.inputs, outputs, self.bars, self.windows, self.state, coming=self.coming
        )
        return Coming(self.coming, prediction.point[-1], prediction.quantiles[-1])


@dataclass(frozen=True)
class _ClassQuestion:
    """One ticker's newest window, and what makes probabilities of the network's answer.

    Attributes:
        classes: Their names.
        calibration: As training left it.
        windows: The newest one.
        coming: The next `horizon` sessions.
    """

    classes: tuple[str, ...]
    calibration: ClassCalibration
    windows: Windows
    coming: pd.DatetimeIndex

    @classmethod
    def of(cls, request: Request) -> _ClassQuestion:
        """The question for a request.

        Raises:
            ForecastError: if the bars are too few or damaged.
        """
        ticker, bars = request.fetched.ticker, request.fetched.bars
        inputs = Inputs.from_document(request.entry["inputs"])
        if not request.in_training:
            inputs, _ = fit_unseen(bars, ticker=ticker, like=inputs)
        return cls(
            CLASSES[request.target],
            class_calibration_from(request.entry["calibration"]),
            inputs.newest(bars, ticker=ticker),
            request.coming,
        )

    def answer(self, outputs: np.ndarray) -> ComingClasses:
        """The coming sessions from the probabilities of the window, shape (1, horizon, classes)."""
        return ComingClasses(
            self.coming,
            self.classes,
            self.calibration.apply(outputs)[-1],
            np.exp(self.calibration.priors),
        )
