"""This program: `forecast.networks.training.fit` on its own windows, with its own defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.task import UNITS, Task
from benchmarks.rivals.watch import Watch
from forecast.config import Settings as Defaults
from forecast.networks import training

# What `fit` imports when it is called counts as its start, as for the other rivals.
training.prepare_backend(0)


@dataclass(frozen=True)
class Settings:
    """The program's defaults, unless another is asked for."""

    batch: int | None = Defaults().batch
    dropout: float = Defaults().dropout
    learning_rate: float | None = Defaults().learning_rate
    epochs: int = Defaults().epochs
    patience: int = Defaults().patience


class Spy:
    """Looks into `fit` after every update, without a part of `fit` that only a benchmark needs.

    It notes what `fit` builds its network from, and builds the same for its own looks.
    """

    def __init__(self, task: Task, watch: Watch) -> None:
        self._task, self._watch = task, watch
        self._shape: dict[str, Any] = {}
        self._linear: np.ndarray | None = None
        self._looker: Any = None

    def during(self, work: Callable[[], Any]) -> Any:
        """Do `work`, watched."""
        with (
            mock.patch.object(training, "learner_of", self._watched(training.learner_of)),
            mock.patch.object(training, "fit_linear", self._noted(training.fit_linear)),
        ):
            return work()

    def _noted(self, fit_linear: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def noted(*parts: Any, **given: Any) -> np.ndarray:
            self._linear = fit_linear(*parts, **given)
            return self._linear

        return noted

    def _watched(self, learner_of: Callable[..., Any]) -> Callable[..., Any]:
        def watched(network: str, **given: Any) -> Any:
            self._shape = {
                "network": network,
                **{
                    name: given[name]
                    for name in ("n_features", "horizon", "units", "dropout", "l2")
                },
            }
            learner = learner_of(network, **given)
            train_on_batch = learner.train_on_batch

            def watched_update(x: np.ndarray, y: np.ndarray) -> Any:
                loss = train_on_batch(x, y)
                steps, targets = x.shape[0] * x.shape[1], y.size
                over = self._watch.update(
                    lambda starts: self._predict(learner, starts), steps=steps, targets=targets
                )
                learner.stop_training = learner.stop_training or over
                return loss

            learner.train_on_batch = watched_update
            return learner

        return watched

    def _predict(self, learner: Any, starts: np.ndarray) -> np.ndarray:
        if self._looker is None:
            linear = None if self._linear is None else self._linear.tolist()
            self._looker = training.build(**self._shape, linear=linear)
        pairs = zip(self._looker.trainable_variables, learner.trainable_variables, strict=True)
        for own, trained in pairs:
            own.assign(trained)
        return training.infer(self._looker, chosen(self._task, starts))[:, 0, 1:]


def train(task: Task, watch: Watch, *, settings: Settings, seed: int) -> Forecaster:
    """`fit` to its own end, early stopping on the validation part included."""
    spy = Spy(task, watch)
    fitted = spy.during(
        lambda: training.fit(
            task.windows("train"),
            task.windows("validation"),
            network="lstm",
            units=UNITS,
            l2=0.0,
            seed=seed,
            **asdict(settings),
        )
    )

    def ready(starts: np.ndarray) -> Callable[[], np.ndarray]:
        windows = chosen(task, starts)
        return lambda: training.infer(fitted.model, windows)[:, 0, 1:]

    return Forecaster(lambda starts: ready(starts)(), ready)


def chosen(task: Task, starts: np.ndarray) -> Any:
    """The windows that begin at these rows."""
    held = task.windows("held")
    return held.take(np.searchsorted(held.starts, starts))
