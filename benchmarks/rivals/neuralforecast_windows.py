"""neuralforecast's LSTM or GRU (https://nixtlaverse.nixtla.io/neuralforecast/).

Mapped so: a series' `y` at row *t* is the target of row *t* - 1, the features are `hist_exog` of
their own row; `input_size` 60, horizon 1, `MQLoss` at the seven levels; direct forecasts
(`recurrent=False`) with a decoder of one linear layer; `exclude_insample_y`, so that the network
is given the same 16 features and no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import GRU, LSTM

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.lightning_watch import Look, prepare, trainer
from benchmarks.rivals.task import LOOKBACK, UNITS, Task
from benchmarks.rivals.watch import Predict, Watch
from forecast.features.targets import LEVELS

CELLS = {"LSTM": LSTM, "GRU": GRU}


@dataclass(frozen=True)
class Settings:
    """The best found.

    Attributes:
        cell: LSTM or GRU.
        series: Read for each update; their windows are unfolded anew each time.
        batch: Windows of these drawn for the update.
        learning_rate: Halved four times over `updates`.
        updates: At most.
    """

    cell: str = "LSTM"
    series: int = 4
    batch: int = 64
    learning_rate: float = 4e-3
    updates: int = 2000


def train(task: Task, watch: Watch, *, settings: Settings, seed: int) -> Forecaster:
    """`NeuralForecast.fit` until told to stop."""
    prepare(seed)
    look = Look(watch, lambda module: predictor(module, task), settings.batch)
    model = CELLS[settings.cell](
        h=1,
        input_size=LOOKBACK,
        encoder_n_layers=len(UNITS),
        encoder_hidden_size=UNITS[0],
        decoder_layers=1,
        hist_exog_list=list(task.feature_names),
        exclude_insample_y=True,
        loss=MQLoss(quantiles=list(LEVELS)),
        scaler_type="identity",
        max_steps=settings.updates,
        learning_rate=settings.learning_rate,
        num_lr_decays=4,
        batch_size=settings.series,
        windows_batch_size=settings.batch,
        random_seed=seed,
        alias="rival",
        **trainer(look),
    )
    forecast = NeuralForecast(models=[model], freq=1)
    ends = [first + count + LOOKBACK for first, count in task.runs("train")]
    spans = list(zip(task.first_rows, ends, strict=True))
    forecast.fit(frame(task, [np.arange(*span) for span in spans]))

    def ready(starts: np.ndarray) -> Callable[[], np.ndarray]:
        table = frame(task, [np.arange(start, start + LOOKBACK) for start in starts])
        return lambda: forecast.predict(df=table).filter(like="rival").to_numpy()

    return Forecaster(predictor(forecast.models[0], task), ready)


def frame(task: Task, spans: list[np.ndarray]) -> pd.DataFrame:
    """The library's long table: a series of its own for each span of rows of one ticker."""
    rows = np.concatenate(spans)
    table = pd.DataFrame(task.features[rows], columns=list(task.feature_names))
    # The first row of a ticker has no outcome before it; as an input it is left out anyway.
    outcomes = np.nan_to_num(task.targets[rows - 1, 0])
    lengths = [len(span) for span in spans]
    table.insert(0, "unique_id", np.repeat(np.arange(len(spans)), lengths))
    table.insert(1, "ds", np.concatenate([np.arange(length) for length in lengths]))
    table.insert(2, "y", outcomes)
    return table


def predictor(model: Any, task: Task) -> Predict:
    """Forecasts from the module itself, without frames."""

    def predict(starts: np.ndarray) -> np.ndarray:
        windows = task.gather(starts)[0]
        model.eval()
        with torch.inference_mode():
            batch = {
                "insample_y": torch.zeros(*windows.shape[:2], 1),
                "hist_exog": torch.from_numpy(windows),
                "futr_exog": None,
                "stat_exog": None,
            }
            return model.loss.domain_map(model(batch)).reshape(len(windows), -1).numpy()

    return predict
