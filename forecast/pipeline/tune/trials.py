"""One trial: trained and scored in every fold of the walk-forward validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from forecast.config import Settings
from forecast.evaluation.class_forecasts import classes_of, probability_columns
from forecast.evaluation.classification import log_losses
from forecast.evaluation.forecasts import outcomes
from forecast.evaluation.metrics import mean_pinball_losses
from forecast.evaluation.walk_forward import walk_forward
from forecast.features.inputs import warm_up_of
from forecast.features.splits import Split
from forecast.features.targets import CLASSES, ClassTarget
from forecast.market.fetching import Fetched
from forecast.networks.training import Fitted, infer, prepare_backend
from forecast.pipeline.classifying import class_forecasts_of
from forecast.pipeline.folds import prepare_fold
from forecast.pipeline.preparing import Prepared, features_of
from forecast.pipeline.scoring import calibrated, scored_windows
from forecast.pipeline.train import fit_network
from forecast.pipeline.tune.part import moved_earlier
from forecast.pipeline.watch import Watch


@dataclass(frozen=True)
class Folds:
    """The folds in which every trial of a study is scored: the same sessions for all.

    Attributes:
        fetched: The bars before the test part.
        splits: For settings that need `most` bars up to the first origin.
        most: See `splits`.
    """

    fetched: Fetched
    splits: Sequence[Split]
    most: int

    @classmethod
    def of(cls, fetched: Fetched, *, most: int, settings: Settings) -> Folds:
        """The folds of a study.

        Args:
            fetched: The bars before the test part.
            most: Most bars up to the first origin that a setting of the space needs.
            settings: For the horizon and the number of folds.

        Raises:
            NotEnoughBars: saying how many sessions are needed.
        """
        sessions = len(fetched.bars)
        splits = walk_forward(
            sessions - most - settings.horizon + 1,
            folds=settings.tune.folds,
            horizon=settings.horizon,
            scheme="expanding",
            sessions=sessions,
            ticker=fetched.ticker,
            history="the history before the test part",
        )
        return cls(fetched, splits, most)

    def __len__(self) -> int:
        return len(self.splits)

    def prepared(self, number: int, settings: Settings) -> Prepared:
        """A fold, from 0 on, with all inputs fitted on its training part."""
        names = features_of(settings)
        by = self.most - warm_up_of(names) - settings.lookback
        split = moved_earlier(self.splits, by)[number]
        return prepare_fold(self.fetched, split, names, settings)


def score(
    count: int, loss: Callable[[int], float], *, so_far: Callable[[list[float]], bool]
) -> list[float]:
    """The network's loss on the held-out sessions of each fold.

    Args:
        count: How many folds there are.
        loss: Of a fold, from 0 on, as `fold_loss`.
        so_far: Told the losses after each fold but the last; True ends the trial there.

    Returns:
        One loss a fold, fewer where the trial was ended.
    """
    losses: list[float] = []
    for number in range(count):
        losses.append(loss(number))
        if number + 1 < count and so_far(losses):
            break
    return losses


def fold_loss(folds: Folds, number: int, settings: Settings, *, watch: Watch) -> float:
    """A network trained in one fold, and its loss on the held-out sessions.

    Args:
        folds: Of the study.
        number: Which fold, from 0 on.
        settings: Of the trial.
        watch: Told of every epoch.

    Raises:
        ForecastError: if the fold cannot be prepared or the training diverged.
    """
    one = folds.prepared(number, settings)
    # The same threads for all, whichever network comes first.
    prepare_backend(settings.seed)
    return held_out_loss(one, fit_network([one], settings, watch=watch))


def loss_of(settings: Settings) -> str:
    """What is minimised: `log_loss` where the target is a class, else `pinball`."""
    return "log_loss" if settings.target in CLASSES else "pinball"


def held_out_loss(one: Prepared, fitted: Fitted) -> float:
    """Mean loss at the last step, over a fold's held-out origins.

    The forecasts are those that a user would get, calibrated: quantiles of the log return as
    outcomes come, or the probability of each class.
    """
    if isinstance(one.inputs.target, ClassTarget):
        return _log_loss(one, fitted)
    prediction, _ = calibrated(one, fitted)
    origins = one.part("test").origin
    _, actual = outcomes(one.bars, origins, horizon=one.inputs.horizon)
    close = one.bars["close"].loc[origins].to_numpy()
    came = np.log(actual[:, -1] / close)
    return float(mean_pinball_losses(came, prediction.quantiles[:, -1]).mean())


def _log_loss(one: Prepared, fitted: Fitted) -> float:
    answers = infer(fitted.model, scored_windows(one), head=fitted.head)
    frame, _ = class_forecasts_of(one, answers, network="trial")
    last, classes = frame[frame["step"] == one.inputs.horizon], classes_of(frame)
    came = last["actual"].map(classes.index).to_numpy()
    return float(log_losses(last[probability_columns(classes)].to_numpy(), came).mean())
