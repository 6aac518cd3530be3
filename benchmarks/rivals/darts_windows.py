"""darts' BlockRNNModel with LSTM (https://unit8co.github.io/darts/).

Mapped so: the series at row *t* is the target of row *t* - 1, the features are past covariates;
`input_chunk_length` 60, `output_chunk_length` 1, `QuantileRegression` at the seven levels, the
output a linear layer. The series' own past cannot be left out: it is a 17th input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from darts import TimeSeries
from darts.models import BlockRNNModel
from darts.utils.data.torch_datasets.utils import PLModuleInput
from darts.utils.likelihood_models.torch import QuantileRegression

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.lightning_watch import Look, prepare, trainer
from benchmarks.rivals.task import LOOKBACK, UNITS, Task
from benchmarks.rivals.watch import Predict, Watch
from forecast.features.targets import LEVELS


@dataclass(frozen=True)
class Settings:
    """The best found."""

    batch: int = 64
    learning_rate: float = 4e-3


def train(task: Task, watch: Watch, *, settings: Settings, seed: int) -> Forecaster:
    """`BlockRNNModel.fit` until told to stop."""
    prepare(seed)
    look = Look(watch, lambda module: predictor(module, task), settings.batch)
    model = BlockRNNModel(
        input_chunk_length=LOOKBACK,
        output_chunk_length=1,
        model="LSTM",
        hidden_dim=UNITS[0],
        n_rnn_layers=len(UNITS),
        likelihood=QuantileRegression(list(LEVELS)),
        batch_size=settings.batch,
        n_epochs=1000,
        optimizer_kwargs={"lr": settings.learning_rate},
        random_state=seed,
        pl_trainer_kwargs=trainer(look),
    )
    ends = [first + count + LOOKBACK for first, count in task.runs("train")]
    spans = [np.arange(*span) for span in zip(task.first_rows, ends, strict=True)]
    series, covariates = zip(*(both(task, span) for span in spans), strict=True)
    model.fit(list(series), past_covariates=list(covariates))

    def ready(starts: np.ndarray) -> Callable[[], np.ndarray]:
        spans = [np.arange(start, start + LOOKBACK) for start in starts]
        series, covariates = map(list, zip(*(both(task, span) for span in spans), strict=True))

        def ask() -> np.ndarray:
            forecasts = model.predict(
                1,
                series=series,
                past_covariates=covariates,
                predict_likelihood_parameters=True,
                batch_size=1024,
            )
            return np.stack([forecast.values()[0] for forecast in forecasts])

        return ask

    return Forecaster(predictor(model.model, task), ready)


def both(task: Task, rows: np.ndarray) -> tuple[TimeSeries, TimeSeries]:
    """A span of one ticker's rows as the library's series, and its features as covariates."""
    times = pd.RangeIndex(len(rows))
    return (
        TimeSeries(times, past_targets(task, rows)[:, None, None], components=["target"]),
        TimeSeries(times, task.features[rows][:, :, None], components=list(task.feature_names)),
    )


def past_targets(task: Task, rows: np.ndarray) -> np.ndarray:
    """The outcome that each row has come to, shape of `rows`; 0 before the first of a ticker."""
    return np.nan_to_num(task.targets[rows - 1, 0])


def predictor(module: Any, task: Task) -> Predict:
    """Forecasts from the module itself, without series."""

    def predict(starts: np.ndarray) -> np.ndarray:
        rows = starts[:, None] + np.arange(LOOKBACK)
        module.eval()
        with torch.inference_mode():
            batch = PLModuleInput(
                past_target=torch.from_numpy(past_targets(task, rows))[..., None],
                past_covariates=torch.from_numpy(task.features[rows]),
            )
            return module(batch).prediction.reshape(len(starts), -1).numpy()

    return predict
