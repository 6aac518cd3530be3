"""A ticker that a network over several tickers never saw: its inputs, and bands to start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import NotEnoughBars
from forecast.evaluation.class_calibration import class_calibration_from, pooled_calibration
from forecast.evaluation.intervals import Calibration, from_document
from forecast.features.inputs import STRANGER, Inputs, fit_inputs
from forecast.features.targets import CLASSES
from forecast.registry import TOGETHER, SavedRun
from forecast.registry.runs import MANIFEST

LEARNT_FROM = 250
"""Newest origins whose outcomes widen or narrow the bands: enough to forget where they began."""


def pooled(saved: SavedRun) -> dict[str, Any]:
    """What stands in for the ticker's own entry: inputs of one of the run's, their usual bands.

    The log of each factor, and each number of a calibration of classes, is the median over the
    run's tickers. All inputs of a run are alike in
    features, lookback, horizon and target; the rest is fitted by `fit_unseen`.
    """
    entries = list(saved.inputs.values())
    if entries[0]["inputs"]["target"]["kind"] in CLASSES:
        parts = [class_calibration_from(entry["calibration"]) for entry in entries]
        calibration = pooled_calibration(parts).as_document()
        return {"inputs": entries[0]["inputs"], "calibration": calibration}
    logs = [from_document(entry["calibration"]).logs for entry in entries]
    return {
        "inputs": entries[0]["inputs"],
        "calibration": Calibration(np.median(logs, axis=0)).as_document(),
    }


def fit_unseen(bars: pd.DataFrame, *, ticker: str, like: Inputs) -> tuple[Inputs, int]:
    """Inputs as training on this ticker would have fitted them, and how far back to calibrate.

    The scaler, the target and the unit see the first 70 % of the history alone: the network then
    meets this ticker as it met those it learnt from, and what comes after tells honestly how wide
    its bands must be.

    Args:
        bars: All bars.
        ticker: Named in errors.
        like: Inputs of a ticker of the run.

    Returns:
        The inputs, and the number of newest windows to forecast: those whose outcome is to be
        learnt from, and the `horizon` whose outcome is not known.

    Raises:
        NotEnoughBars: saying how many sessions are needed.
    """
    try:
        inputs, split = fit_inputs(
            bars,
            ticker=ticker,
            feature_names=like.feature_names,
            lookback=like.lookback,
            horizon=like.horizon,
            target=str(like.target.as_document()["kind"]),
            ahead=like.week is not None,
        )
    except NotEnoughBars as error:
        # Lookback and horizon are the run's: no setting makes them smaller.
        raise NotEnoughBars(error.message, hint="a longer history") from error
    if like.number is not None:
        inputs = replace(inputs, number=STRANGER)
    held_out = split.test.stop - split.validation.start
    return inputs, min(held_out, LEARNT_FROM) + like.horizon


def newest_together(home: Path) -> str | None:
    """Name of the newest run over several tickers, or None."""
    runs = [path.parent.name for path in (home / "models" / TOGETHER).glob(f"[!.]*/{MANIFEST}")]
    return max(runs, default=None)
