"""What only an audit of class forecasts looks at: its baselines, and the record of the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.baselines.classes import CLASS_BASELINES
from forecast.evaluation.audit.histories import Check, record_check
from forecast.evaluation.class_calibration import class_calibration_from
from forecast.evaluation.class_forecasts import probability_columns, read_class_forecasts
from forecast.features.inputs import Inputs
from forecast.features.targets import ClassTarget
from forecast.features.windows import Windows
from forecast.pipeline.classifying import class_forecasts_of
from forecast.pipeline.preparing import Prepared
from forecast.pipeline.scoring import scored_windows

# Probability. The record may have been made on another machine, which rounds otherwise.
_ROUNDING = 1e-5
# An optimum is flat: outputs that differ by a rounding give slopes that differ by its root.
_LOOSE = 1e-3


def class_baselines(inputs: Inputs) -> dict[str, Callable[..., Any]]:
    """The baselines of a target of classes, called as those of prices are; none for a price."""
    if not isinstance(inputs.target, ClassTarget):
        return {}
    kind = str(inputs.target.as_document()["kind"])
    return {
        f"{name} of {kind}": partial(_as_of_prices, baseline=baseline, inputs=inputs)
        for name, baseline in CLASS_BASELINES[kind].items()
    }


def class_record_checks(
    forecast: Callable[[Windows], np.ndarray],
    one: Prepared,
    *,
    name: str,
    calibration: dict[str, Any],
    path: Path,
) -> list[Check]:
    """The calibration fitted again on the validation part, and the recorded probabilities.

    Args:
        forecast: What the network answers to windows, as `infer` gives it.
        one: The ticker with the run's own inputs.
        name: Of the network.
        calibration: As the run saved it.
        path: Its `probabilities.csv`; where there is none it is not compared.
    """
    frame, again = class_forecasts_of(one, forecast(scored_windows(one)), network=name)
    saved = class_calibration_from(calibration)
    apart = max(
        float(np.abs(getattr(saved, part) - getattr(again, part)).max())
        for part in ("priors", "slopes", "shifts")
    )
    checks = [
        Check(
            "record",
            "calibration",
            apart <= _LOOSE,
            f"fitted again on the validation part alone, at most {apart:.1g} apart",
        )
    ]
    if path.exists():
        recorded = read_class_forecasts(path)
        columns = probability_columns(_classes(one))
        checks.append(
            record_check(
                name,
                recorded.loc[recorded["model"] == name, columns].to_numpy(),
                frame[columns].to_numpy(),
                unit="probability",
                rounding=_ROUNDING,
            )
        )
    return checks


def _classes(one: Prepared) -> tuple[str, ...]:
    assert isinstance(one.inputs.target, ClassTarget)
    return one.inputs.target.classes


def _as_of_prices(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    baseline: Callable[..., Any],
    inputs: Inputs,
    horizon: int,
    fitted_until: pd.Timestamp,
    features: pd.DataFrame | None,
) -> Any:
    return baseline(bars, origins, inputs=inputs, fitted_until=fitted_until)
