"""What `compare` and `evaluate` forecast, average, keep and judge models by: a contest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.evaluation.class_forecasts import (
    classes_of,
    probability_columns,
    read_class_forecasts,
    write_class_forecasts,
)
from forecast.evaluation.class_scores import (
    CLASS_REFERENCE,
    class_samples,
    class_score_table,
    class_scores_by,
)
from forecast.evaluation.classification import CLASS_METRICS
from forecast.evaluation.forecasts import QUANTILE_COLUMNS, read_forecasts, write_forecasts
from forecast.evaluation.positions import Positions, class_positions, price_positions
from forecast.evaluation.ranking import OF_CLASSES, OF_PRICES, Ruler
from forecast.evaluation.samples import losses_of
from forecast.evaluation.scores import (
    PRICE_REFERENCE,
    SPREAD_REFERENCES,
    losses_by_origin,
    scores_by,
)
from forecast.features.targets import CLASSES
from forecast.networks.training import Fitted, infer
from forecast.pipeline.classifying import (
    called_of,
    class_baseline_forecasts,
    class_forecasts_of,
    judge_classes,
    judge_fold,
)
from forecast.pipeline.preparing import Prepared
from forecast.pipeline.scoring import (
    Judged,
    baseline_forecasts,
    calibrated,
    frame_of,
    judge,
    price_scores,
    scored_windows,
)


@dataclass(frozen=True)
class Contest:
    """One kind of forecast: how it is made, averaged, kept and judged.

    A frame holds a row an origin, step and model; its columns are the contest's own affair.

    Attributes:
        ruler: The two losses, and how to speak of them.
        forecast: (ticker, network, settings) → frame of the test part.
        baselines: ticker → frame of the test part.
        mean: (frames of the same origins by several seeds, ticker, settings) → one frame.
        scores: (frame of all models, ticker) → score table.
        losses: (frame, step, a loss of the ruler) → a row an origin, a column a model.
        references: Losses of all models by the ruler's first loss → the baseline that its skill is
            measured from; and the one of the second.
        judge: (frame of all models, ticker, network) → scores, verdict, and what the page shows.
        by: (frame of all models, group of each row) → scores of every model in each group.
        shown: Columns of these that a fold and a seed show.
        fold: (frame of a fold, its ticker, network) → what its document has besides.
        positions: The rules of the backtest.
        read: File → frame; raises ArtifactError.
        write: (file, frame).
        file: Name of the file with all models' forecasts.
    """

    ruler: Ruler
    forecast: Callable[[Prepared, Fitted, Settings], pd.DataFrame]
    baselines: Callable[[Prepared], pd.DataFrame]
    mean: Callable[[Sequence[pd.DataFrame], Prepared, Settings], pd.DataFrame]
    scores: Callable[[pd.DataFrame, Prepared], pd.DataFrame]
    losses: Callable[[pd.DataFrame, int, str], pd.DataFrame]
    references: Callable[[pd.DataFrame], tuple[str, str]]
    judge: Callable[[pd.DataFrame, Prepared, str], Judged]
    by: Callable[[pd.DataFrame, pd.Series], pd.DataFrame]
    shown: tuple[str, ...]
    fold: Callable[[pd.DataFrame, Prepared, str], dict[str, Any]]
    positions: Positions
    read: Callable[[Path], pd.DataFrame]
    write: Callable[[Path, pd.DataFrame], None]
    file: str


def _prices_of(one: Prepared, fitted: Fitted, settings: Settings) -> pd.DataFrame:
    return frame_of(one, settings.network, calibrated(one, fitted)[0])


def _mean_prices(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Forecasts of the same origins averaged: mean log return of the point and each quantile."""
    prices = ["predicted", *QUANTILE_COLUMNS]
    logs = np.mean([np.log(frame[prices].to_numpy()) for frame in frames], axis=0)
    mean = frames[0].copy()
    # One seed's forecasts stay as they are, to the bit.
    mean[prices] = np.exp(logs) if len(frames) > 1 else frames[0][prices]
    return mean


def _price_losses(frame: pd.DataFrame, step: int, loss: str) -> pd.DataFrame:
    return losses_by_origin(frame, step=step, loss="squared" if loss == "mse" else loss)


def _price_references(losses: pd.DataFrame) -> tuple[str, str]:
    return str(losses[list(SPREAD_REFERENCES)].mean().idxmin()), PRICE_REFERENCE


PRICES = Contest(
    ruler=OF_PRICES,
    forecast=_prices_of,
    baselines=baseline_forecasts,
    mean=lambda frames, *_: _mean_prices(frames),
    scores=price_scores,
    losses=_price_losses,
    references=_price_references,
    judge=judge,
    by=scores_by,
    shown=(
        *("mse_price", "mae_price", "direction_accuracy", "pinball", "coverage_80"),
        *("skill_mse", "skill_pinball"),
    ),
    fold=lambda *_: {},
    positions=price_positions,
    read=read_forecasts,
    write=write_forecasts,
    file="forecasts.csv",
)


def _classes_of(one: Prepared, fitted: Fitted, settings: Settings) -> pd.DataFrame:
    answers = infer(fitted.model, scored_windows(one), head=fitted.head)
    return class_forecasts_of(
        one, answers, network=settings.network, class_weight=settings.class_weight
    )[0]


def _mean_classes(
    frames: Sequence[pd.DataFrame], one: Prepared, settings: Settings
) -> pd.DataFrame:
    """Forecasts of the same origins averaged: the mean of each class's probability."""
    columns = probability_columns(classes_of(frames[0]))
    mean = frames[0].copy()
    mean[columns] = np.mean([frame[columns].to_numpy() for frame in frames], axis=0)
    shape = (-1, one.inputs.horizon, len(columns))
    probabilities = mean[columns].to_numpy().reshape(shape)
    called = called_of(one, probabilities, class_weight=settings.class_weight)
    mean["called"] = np.array(classes_of(mean), dtype=object)[called.ravel()]
    return mean.astype(frames[0].dtypes.to_dict())


def _class_losses(frame: pd.DataFrame, step: int, loss: str) -> pd.DataFrame:
    return losses_of(dict(class_samples(frame))[step], loss)


OF_TARGET_CLASSES = Contest(
    ruler=OF_CLASSES,
    forecast=_classes_of,
    baselines=class_baseline_forecasts,
    mean=_mean_classes,
    scores=lambda frame, _: class_score_table(frame),
    losses=_class_losses,
    references=lambda _: (CLASS_REFERENCE, CLASS_REFERENCE),
    judge=judge_classes,
    by=class_scores_by,
    shown=(*CLASS_METRICS, "skill_error", "dm_p_error", "skill_log_loss", "dm_p_log_loss"),
    fold=judge_fold,
    positions=class_positions,
    read=read_class_forecasts,
    write=write_class_forecasts,
    file="probabilities.csv",
)


def contest_of(target: str) -> Contest:
    """What a comparison of networks with this target is judged by."""
    return OF_TARGET_CLASSES if target in CLASSES else PRICES
