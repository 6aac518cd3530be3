"""This program: `forecast.networks.training.fit` on its own windows, with its own defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.task import LOOKBACK, UNITS, Task
from benchmarks.rivals.watch import Watch
from forecast.config import Settings as Defaults
from forecast.networks import training

# What `fit` imports when it is called counts as its start, as for the other rivals.
training.prepare_backend(0)

import keras  # noqa: E402


@dataclass(frozen=True)
class Settings:
    """The program's defaults, unless another is asked for."""

    dropout: float = Defaults().dropout
    learning_rate: float = Defaults().learning_rate
    epochs: int = Defaults().epochs
    patience: int = Defaults().patience


class Spy:
    """Looks into `fit` after every update, without a part of `fit` that only a benchmark needs.

    It notes what `fit` builds its network from, and builds the same for its own looks.
    """

    def __init__(self, task: Task, watch: Watch) -> None:
        self._task, self._watch = task, watch
        self._shape: dict[str, Any] = {}
        self._linear: Any = None
        self._looker: Any = None

    def during(self, work: Callable[[], Any]) -> Any:
        """Do `work`, watched."""
        build, fit_linear, fit = training.build, training.fit_linear, keras.Model.fit

        def noted_build(network: str, **shape: Any) -> Any:
            if not self._shape:
                self._shape = {"network": network, **shape}
            return build(network, **shape)

        def noted_linear(*parts: Any) -> Any:
            self._linear = fit_linear(*parts)
            return self._linear

        def watched_fit(model: Any, *given: Any, callbacks: Any = (), **more: Any) -> Any:
            callback = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: self._update(model, build)
            )
            return fit(model, *given, callbacks=[*callbacks, callback], **more)

        training.build, training.fit_linear = noted_build, noted_linear
        keras.Model.fit = watched_fit
        try:
            return work()
        finally:
            training.build, training.fit_linear = build, fit_linear
            keras.Model.fit = fit

    def _update(self, learner: Any, build: Callable[..., Any]) -> None:
        scored = self._shape["scored"]
        over = self._watch.update(
            lambda starts: self._predict(learner, build, starts),
            steps=training.BATCH_SLICES * (LOOKBACK - 1 + scored),
            targets=training.BATCH_SLICES * scored,
        )
        learner.stop_training = learner.stop_training or over

    def _predict(self, learner: Any, build: Callable[..., Any], starts: np.ndarray) -> np.ndarray:
        if self._looker is None:
            linear = None if self._linear is None else self._linear.tolist()
            self._looker = build(**{**self._shape, "scored": None, "linear": linear})
        for layer in learner.layers:
            self._looker.get_layer(layer.name).set_weights(layer.get_weights())
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
