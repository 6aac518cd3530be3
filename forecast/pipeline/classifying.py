"""Class forecasts of the test part, of networks and baselines, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.baselines.classes import CLASS_BASELINES, training_shares
from forecast.evaluation.class_calibration import ClassCalibration, fit_class_calibration
from forecast.evaluation.class_forecasts import (
    ClassPrediction,
    class_frame,
    classes_of,
    write_class_forecasts,
)
from forecast.evaluation.class_pooled import class_losses_by_day
from forecast.evaluation.class_scores import (
    CLASS_REFERENCE,
    class_samples,
    class_score_table,
    class_scores_by_year,
    confusion_of,
)
from forecast.evaluation.class_verdict import class_verdict
from forecast.evaluation.classification import CLASS_METRICS
from forecast.evaluation.forecasts import forecast_frame, outcomes, write_forecasts
from forecast.evaluation.metrics import METRICS
from forecast.evaluation.reliability import reliability, reliability_text
from forecast.evaluation.scores import as_rows
from forecast.features.targets import LEVELS, ClassTarget, Prediction
from forecast.pipeline.preparing import Prepared
from forecast.pipeline.scoring import Judged, baseline_forecasts

# What `train --json` promises of every row, and a class has no answer to.
_OF_PRICES = (
    *(name for name in METRICS if name != "direction_accuracy"),
    *("skill_mse", "dm_p_mse", "skill_pinball", "dm_p_pinball"),
)


@dataclass(frozen=True)
class ClassScored:
    """What came of one ticker.

    Attributes:
        forecasts: Forecast frame of the test part; prices only where a model has them.
        probabilities: Class forecasts of the test part: the network, then every baseline.
        judged: What these are worth.
        calibration: How its probabilities are rescaled.
    """

    forecasts: pd.DataFrame
    probabilities: pd.DataFrame
    judged: Judged
    calibration: ClassCalibration

    def write(self, folder: Path) -> None:
        """Write `forecasts.csv` and `probabilities.csv`.

        Raises:
            ArtifactError: if the folder cannot be written.
        """
        write_forecasts(folder / "forecasts.csv", self.forecasts)
        write_class_forecasts(folder / "probabilities.csv", self.probabilities)

    def report(
        self,
        folder: Path,
        *,
        document: Mapping[str, Any],
        bars: pd.DataFrame,
        history: Mapping[str, Any],
        pictures: bool,
    ) -> list[Path]:
        """Write pictures and page; arguments and result as `report.run_page.write_report`."""
        from forecast.report.class_page import write_class_report

        return write_class_report(
            folder,
            document=document,
            probabilities=self.probabilities,
            bars=bars,
            history=history,
            pictures=pictures,
        )

    def losses(self, step: int) -> pd.DataFrame:
        """What the ticker adds to each day's losses, as `class_losses_by_day` gives it."""
        return class_losses_by_day(self.probabilities, step=step)


def score_classes(
    one: Prepared, answers: np.ndarray, *, network: str, class_weight: str = "none"
) -> ClassScored:
    """Score what the network answered, beside every baseline.

    Args:
        one: The ticker; of its windows only the origins are read.
        answers: Probabilities for the windows of the validation part and the test part, as `infer`
            gives them, shape (n, horizon, classes).
        network: Its name.
        class_weight: Which class it names: of `none` the likeliest; of `balanced` the one that is
            likelier than usual by the largest factor.
    """
    own, calibration = class_forecasts_of(one, answers, network=network, class_weight=class_weight)
    probabilities = pd.concat([own, class_baseline_forecasts(one)], ignore_index=True)
    judged = judge_classes(probabilities, one, network)
    return ClassScored(
        _prices(one, list(dict.fromkeys(probabilities["model"]))),
        probabilities,
        replace(judged, detail={**_classes(one), **judged.detail}),
        calibration,
    )


def judge_classes(probabilities: pd.DataFrame, one: Prepared, network: str) -> Judged:
    """What class forecasts are worth, with the confusion matrix, the reliability and by year.

    Args:
        probabilities: Class forecasts of the network and every baseline.
        one: The ticker.
        network: Its name.
    """
    table, step = class_score_table(probabilities), one.inputs.horizon
    detail = {
        "classes": classes_of(probabilities),
        **_held(probabilities, network, step),
        "by_year": as_rows(class_scores_by_year(probabilities, model=network, step=step)),
    }
    rows = [{**dict.fromkeys(_OF_PRICES), **row} for row in as_rows(table)]
    return Judged(rows, class_verdict(table, model=network), detail)


def judge_fold(probabilities: pd.DataFrame, one: Prepared, network: str) -> dict[str, Any]:
    """What a fold's document has besides its scores; arguments as `judge_classes`.

    `usual` is how often the commonest class of the training part came.
    """
    step = one.inputs.horizon
    usual = dict(class_samples(probabilities))[step][CLASS_REFERENCE].outcomes
    return {
        "usual": CLASS_METRICS["accuracy"](usual),
        **_classes(one),
        **_held(probabilities, network, step),
    }


def class_forecasts_of(
    one: Prepared, answers: np.ndarray, *, network: str, class_weight: str = "none"
) -> tuple[pd.DataFrame, ClassCalibration]:
    """A network's calibrated class forecasts of the test part, and the calibration.

    Several networks are compared by `class_score_table` of their frames, one below the other, with
    `class_baseline_forecasts` last.

    Args: as `score_classes`.
    """
    validation = one.part("validation")
    count = len(validation)
    came = _came(one, validation.origin)
    shares = training_shares(one.bars, inputs=one.inputs, fitted_until=one.fitted_until)
    calibration = fit_class_calibration(answers[:count], came, shares)
    probabilities = calibration.apply(answers[count:])
    called = called_of(one, probabilities, class_weight=class_weight)
    return _frame(one, network, probabilities, called), calibration


def called_of(one: Prepared, probabilities: np.ndarray, *, class_weight: str) -> np.ndarray:
    """The class that is named, as a number, shape (n, horizon).

    Args:
        one: The ticker.
        probabilities: Shape (n, horizon, classes).
        class_weight: As `score_classes`.
    """
    if class_weight == "balanced":
        shares = training_shares(one.bars, inputs=one.inputs, fitted_until=one.fitted_until)
        probabilities = probabilities / shares
    return probabilities.argmax(axis=-1)


def class_baseline_forecasts(one: Prepared) -> pd.DataFrame:
    """Class forecasts of the test part by every baseline, each fitted on the training part."""
    origins, target = one.part("test").origin, _target(one)
    baselines = CLASS_BASELINES[str(target.as_document()["kind"])]
    return pd.concat(
        [
            _frame(
                one,
                name,
                *baseline(one.bars, origins, inputs=one.inputs, fitted_until=one.fitted_until),
            )
            for name, baseline in baselines.items()
        ],
        ignore_index=True,
    )


def _frame(
    one: Prepared, model: str, probabilities: np.ndarray, called: np.ndarray
) -> pd.DataFrame:
    test = one.part("test")
    sessions, _ = outcomes(one.bars, test.origin, horizon=test.horizon)
    return class_frame(
        ClassPrediction(probabilities, called),
        classes=_target(one).classes,
        ticker=one.ticker,
        model=model,
        origins=test.origin,
        sessions=sessions,
        actual=_came(one, test.origin),
    )


def _came(one: Prepared, origins: pd.DatetimeIndex) -> np.ndarray:
    """The classes that came, as numbers, shape (n, horizon)."""
    _, close = outcomes(one.bars, origins, horizon=one.inputs.horizon)
    start = one.bars["close"].loc[origins].to_numpy()
    unit = one.inputs.unit.of(one.bars, origins)
    # As `log_returns_ahead` has it: a difference of logs, so that no edge falls otherwise.
    returns = np.log(close) - np.log(start)[:, None]
    return _target(one).encode(returns, unit=unit, close=start)


def _target(one: Prepared) -> ClassTarget:
    assert isinstance(one.inputs.target, ClassTarget)
    return one.inputs.target


def _prices(one: Prepared, models: list[str]) -> pd.DataFrame:
    """Forecast frame of these models; empty where a model says nothing of prices."""
    priced = baseline_forecasts(one, among=models)
    test = one.part("test")
    sessions, actual = outcomes(one.bars, test.origin, horizon=test.horizon)
    nothing = np.full((len(test), test.horizon, 1 + len(LEVELS)), np.nan)
    frames = []
    for model in models:
        own = priced[priced["model"] == model]
        frames.append(
            own
            if len(own)
            else forecast_frame(
                Prediction(nothing[..., 0], nothing[..., 1:]),
                ticker=one.ticker,
                model=model,
                close=one.bars["close"].loc[test.origin].to_numpy(),
                origins=test.origin,
                sessions=sessions,
                actual=actual,
            )
        )
    return pd.concat(frames, ignore_index=True)


def _held(frame: pd.DataFrame, network: str, step: int) -> dict[str, Any]:
    """Confusion matrix and reliability of a network's class forecasts at one step, as JSON."""
    classes = classes_of(frame)
    held = reliability(frame, model=network, step=step)
    matrix = confusion_of(frame, model=network, step=step)
    return {
        "confusion": {
            "rows": [
                {"came": name, **dict(zip(classes, row, strict=True))}
                for name, row in zip(classes, matrix.tolist(), strict=True)
            ]
        },
        "reliability": {"text": reliability_text(held), "rows": as_rows(held)},
    }


def _classes(one: Prepared) -> dict[str, Any]:
    """The target's classes and where they begin, as JSON."""
    edges = {name: value for name, value in _target(one).as_document().items() if name != "kind"}
    return {"classes": list(_target(one).classes), **edges}
