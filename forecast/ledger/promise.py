"""What the backtest had promised, beside what the issued forecasts did: where overfitting shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast.ledger.scores import SPREAD_REFERENCE, outcomes_of

_TOLD = ("pinball", "coverage_80", "skill_mse")
PROMISED = (*_TOLD, "skill_pinball")


def promised_scores(
    record: pd.DataFrame, runs: Mapping[str, Mapping[str, Any] | None]
) -> pd.DataFrame:
    """What the issuing runs scored on their test parts, as a mean over the forecasts with outcome.

    A run counts as often as a forecast of it has an outcome. `skill_pinball` is taken against
    `ewma`, as the live one is, and not against the better of `ewma` and `garch`.

    Args:
        record: Of one ticker, as from `Ledger.track_record`.
        runs: For each run its document as `train --json` prints it, or None where it was removed
            or is damaged.

    Returns:
        A row a step of the rows with an outcome: `step`, those of `PROMISED` (NaN where no issuing
        run tells), `unknown` (forecasts whose run tells nothing of this step).
    """
    settled = record[outcomes_of(record).notna()]
    rows = []
    for step, own in settled.groupby("step"):
        counts = own["run"].value_counts()
        told = {run: _promise(runs.get(str(run)), int(str(step))) for run in counts.index}
        known = {run: promise for run, promise in told.items() if promise is not None}
        weights = np.array([counts[run] for run in known], dtype="float64")
        means = {
            name: float(np.average([promise[name] for promise in known.values()], weights=weights))
            if known
            else np.nan
            for name in PROMISED
        }
        unknown = sum(int(count) for run, count in counts.items() if run not in known)
        rows.append({"step": step, **means, "unknown": unknown})
    return pd.DataFrame(rows, columns=["step", *PROMISED, "unknown"])


def _promise(document: Mapping[str, Any] | None, step: int) -> dict[str, float] | None:
    """One run's figures at a step; None where its document does not hold them all."""
    if document is None:
        return None
    rows = {row["model"]: row for row in document.get("scores", []) if row["step"] == step}
    own, reference = rows.get(document.get("network")), rows.get(SPREAD_REFERENCE)
    if own is None or reference is None or any(own.get(name) is None for name in _TOLD):
        return None
    told = {name: float(own[name]) for name in _TOLD}
    return told | {"skill_pinball": 1 - told["pinball"] / reference["pinball"]}
