"""Keras `fit` on windows as the textbooks have it: materialised, a loss on the last step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.task import LOOKBACK, UNITS, Task
from benchmarks.rivals.watch import Predict, Watch
from forecast.features.targets import LEVELS


@dataclass(frozen=True)
class Settings:
    """The best found."""

    batch: int = 64
    learning_rate: float = 4e-3
    inter_op_threads: int = 1
    """0 leaves TensorFlow's default, which is bimodal in speed."""


def pinball(y_true: Any, y_pred: Any) -> Any:
    """Mean pinball loss of the seven quantiles."""
    error = y_true - y_pred
    levels = keras.ops.convert_to_tensor(LEVELS, dtype=y_pred.dtype)
    return keras.ops.mean(keras.ops.maximum(levels * error, (levels - 1.0) * error), axis=-1)


class Over(Exception):  # noqa: N818
    """Training is to stop in the middle of an epoch."""


class Look(keras.callbacks.Callback):
    """Tells the watch after every update."""

    def __init__(self, watch: Watch, predict: Predict, batch: int) -> None:
        super().__init__()
        self._watch, self._predict, self._batch = watch, predict, batch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After every update."""
        steps = self._batch * LOOKBACK
        if self._watch.update(self._predict, steps=steps, targets=self._batch):
            # Keras's own `stop_training` waits for the end of the epoch.
            raise Over


def train(task: Task, watch: Watch, *, settings: Settings, seed: int) -> Forecaster:
    """`fit` until told to stop."""
    tf.config.threading.set_inter_op_parallelism_threads(settings.inter_op_threads)
    keras.utils.set_random_seed(seed)
    windows, outcomes = task.gather(task.train)
    bias = keras.initializers.Constant(task.quantiles.tolist())
    model = keras.Sequential(
        [
            keras.Input((LOOKBACK, windows.shape[2])),
            keras.layers.LSTM(UNITS[0], return_sequences=True),
            keras.layers.LSTM(UNITS[1]),
            keras.layers.Dense(len(LEVELS), bias_initializer=bias),
        ]
    )

    def predict(starts: np.ndarray) -> np.ndarray:
        return model.predict_on_batch(task.gather(starts)[0])

    model.compile(optimizer=keras.optimizers.Adam(settings.learning_rate), loss=pinball)
    with contextlib.suppress(Over):
        model.fit(
            windows,
            outcomes[:, None],
            batch_size=settings.batch,
            epochs=1000,
            callbacks=[Look(watch, predict, settings.batch)],
            verbose=0,
        )

    def ready(starts: np.ndarray) -> Callable[[], np.ndarray]:
        asked = task.gather(starts)[0]
        return lambda: model.predict(asked, batch_size=1024, verbose=0)

    return Forecaster(predict, ready)
