"""One verdict over many tickers' classes, from each day's losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation.class_scores import CLASS_LOSSES, CLASS_REFERENCE, class_samples
from forecast.evaluation.class_verdict import class_sentences
from forecast.evaluation.pooled import COUNT, PooledScores, means_by_day
from forecast.evaluation.significance import skills_beside
from forecast.evaluation.verdict import ahead_text, outcome


def class_losses_by_day(frame: pd.DataFrame, *, step: int) -> pd.DataFrame:
    """What a frame's tickers add to the losses of each day; `pooled.pool` adds them up.

    Args:
        frame: Class forecasts of one ticker or several, with `majority` in it.
        step: Which step.

    Returns:
        Index `origin`, increasing; a column for each (model, sum): the log loss, wrong calls
        (`error`), and `forecasts`.
    """
    samples = dict(class_samples(frame))[step]
    days, counts = np.unique(next(iter(samples.values())).origins, return_counts=True)
    sums: dict[tuple[str, str], Any] = {}
    for name, sample in samples.items():
        for loss in CLASS_LOSSES:
            # Back from means: what is added up over tickers is the sum of their losses.
            sums[name, loss] = getattr(sample, loss) * (counts.sum() / len(days))
        sums[name, COUNT] = counts.astype("float64")
    return pd.DataFrame(sums, index=pd.DatetimeIndex(days, name="origin"))


def pooled_class_scores(days: pd.DataFrame, *, model: str, step: int, tickers: int) -> PooledScores:
    """Scores, tests and verdict over all tickers, each forecast with the same weight.

    The tests and intervals count days (docs/decisions/0030).

    Args:
        days: As `pool` gave it.
        model: The network.
        step: Sessions ahead.
        tickers: How many, for the sentence.

    Raises:
        ValueError: if the model is not among those pooled.
    """
    names, forecasts, means = means_by_day(days, model=model)
    beside = [
        skills_beside(
            pd.DataFrame({name: means[name, loss] for name in names}),
            CLASS_REFERENCE,
            loss,
            step=step,
        )
        for loss in CLASS_LOSSES
    ]
    rows: dict[str, dict[str, Any]] = {
        name: {
            "model": name,
            "accuracy": 1.0 - float(means[name, "error"].mean()),
            "log_loss": float(means[name, "log_loss"].mean()),
            **{key: value for table in beside for key, value in table[name].items()},
        }
        for name in names
    }
    own, base = rows[model], rows[CLASS_REFERENCE]
    text = (
        f"{tickers:,} tickers together, {forecasts:,} forecasts on {len(days):,} days. "
        f"{class_sentences(own, base, model=model, ahead=ahead_text(step))}"
    )
    return PooledScores(
        pd.DataFrame(list(rows.values())),
        forecasts,
        len(days),
        outcome(own["skill_error"], own["dm_p_error"]),
        outcome(own["skill_log_loss"], own["dm_p_log_loss"]),
        text,
    )
