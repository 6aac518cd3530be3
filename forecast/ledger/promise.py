"""What the backtest had promised, beside what the issued forecasts did: where overfitting shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        A row a step of the rows with an outcome: `step`, those of `PROMISED` (over the runs that
        have an answer, NaN where none has), `unknown` (forecasts whose run tells nothing of this
        step).
    """
    settled = record[outcomes_of(record).notna()]
    rows = []
    for step, own in settled.groupby("step"):
        promises = {run: _promise(runs.get(run), int(str(step))) for run in own["run"].unique()}
        told = [promises[run] for run in own["run"]]
        known = pd.DataFrame([one for one in told if one is not None], columns=[*PROMISED])
        means = known.astype("float64").mean().to_dict()
        rows.append({"step": step, **means, "unknown": len(told) - len(known)})
    return pd.DataFrame(rows, columns=["step", *PROMISED, "unknown"])


def _promise(document: Mapping[str, Any] | None, step: int) -> dict[str, float | None] | None:
    """One run's figures at a step; None where its document does not hold them."""
    if document is None:
        return None
    rows = {row["model"]: row for row in document.get("scores", []) if row["step"] == step}
    own, reference = rows.get(document.get("network")), rows.get(SPREAD_REFERENCE)
    if own is None or reference is None or own.get("pinball") is None:
        return None
    # Where the price stood still there is nothing to be better than.
    skill = 1 - own["pinball"] / reference["pinball"] if reference["pinball"] else None
    return {name: own.get(name) for name in _TOLD} | {"skill_pinball": skill}
