"""One verdict on a network over many tickers: losses pooled, tests that count days, not rows.

Prices of different tickers cannot be added up; log returns can. So the point forecast is judged by
the squared error of the log return, where a single ticker's is judged by that of its price.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation.metrics import mean_pinball_losses, squared_errors
from forecast.evaluation.scores import (
    PRICE_REFERENCE,
    SPREAD_REFERENCES,
    as_rows,
    samples_by_step,
)
from forecast.evaluation.significance import skills_beside
from forecast.evaluation.verdict import judged

COUNT = "forecasts"
"""What `losses_by_day` calls the number of forecasts."""


@dataclass(frozen=True)
class PooledScores:
    """What came of all tickers together.

    Attributes:
        scores: A row a model; `docs/metrics.md` defines the columns.
        forecasts: How many each model made.
        days: On how many days.
        price: `beats`, `ties` or `loses` against last close, by squared error of the log return.
        uncertainty: The same against the better of ewma and garch, by pinball loss.
        text: Both in plain words.
    """

    scores: pd.DataFrame
    forecasts: int
    days: int
    price: str
    uncertainty: str
    text: str

    def as_document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "forecasts": self.forecasts,
            "days": self.days,
            "scores": as_rows(self.scores),
            "verdict": {"price": self.price, "uncertainty": self.uncertainty, "text": self.text},
        }


def losses_by_day(frame: pd.DataFrame, *, step: int) -> pd.DataFrame:
    """What a frame's tickers add to the losses of each day.

    Args:
        frame: Forecast frame of one ticker or several, with `last_close` in it.
        step: Which step.

    Returns:
        Index `origin`, increasing; a column for each (model, sum): `squared` error and `pinball`
        loss of the log return, outcomes `inside` the 80 % interval, directions `right`,
        directions `named`, and `forecasts`.
    """
    samples = dict(samples_by_step(frame))[step]
    days, starts = np.unique(next(iter(samples.values())).origins, return_index=True)
    sums = {}
    for name, sample in samples.items():
        one = sample.outcomes
        came, said = one.actual_return, one.predicted_return
        inside = (one.quantiles[:, 1] <= one.actual) & (one.actual <= one.quantiles[:, 5])
        for kind, values in (
            ("squared", squared_errors(came, said)),
            ("pinball", mean_pinball_losses(came, one.quantile_returns)),
            ("inside", inside),
            ("right", np.sign(said) == np.sign(came)),
            ("named", said != 0),
            (COUNT, np.ones(len(came))),
        ):
            sums[name, kind] = np.add.reduceat(values.astype("float64"), starts)
    return pd.DataFrame(sums, index=pd.DatetimeIndex(days, name="origin"))


def pool(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The sum over tickers of what `losses_by_day` gave; a day may lack some of them.

    Raises:
        ValueError: if there is nothing.
    """
    total: pd.DataFrame | None = None
    for part in parts:
        total = part if total is None else total.add(part, fill_value=0.0)
    if total is None:
        raise ValueError("there must be something to pool.")
    return total.sort_index()


def means_by_day(days: pd.DataFrame, *, model: str) -> tuple[list[str], int, dict[Any, np.ndarray]]:
    """The models, how many forecasts each made, and each sum a day in units of a forecast's mean.

    Args:
        days: As `pool` gave it.
        model: One of the models.

    Returns:
        Of (model, sum) an array whose mean over the days is the mean over the forecasts, (days,).

    Raises:
        ValueError: if the model is not among those pooled.
    """
    names = list(dict.fromkeys(days.columns.get_level_values(0)))
    if model not in names:
        raise ValueError(f"the model must be one of {', '.join(names)}. Received {model!r}.")
    # All models forecast the same origins.
    forecasts = int(days[model, COUNT].sum())
    scaled = days.to_numpy() * (len(days) / forecasts)
    return names, forecasts, dict(zip(list(days.columns), scaled.T, strict=True))


def pooled_scores(days: pd.DataFrame, *, model: str, step: int, tickers: int) -> PooledScores:
    """Scores, tests and verdict over all tickers, each forecast with the same weight.

    The tests and intervals count days: tickers move together, so the losses of a day are added up
    over its tickers first (docs/decisions/0030).

    Args:
        days: As `pool` gave it.
        model: The network.
        step: Sessions ahead.
        tickers: How many, for the sentence.

    Raises:
        ValueError: if the model is not among those pooled.
    """
    names, forecasts, means = means_by_day(days, model=model)
    present = [name for name in SPREAD_REFERENCES if name in names]
    spread = min(present, key=lambda name: float(means[name, "pinball"].mean()), default=None)
    squared, pinball = (
        pd.DataFrame({name: means[name, kind] for name in names}) for kind in ("squared", "pinball")
    )
    beside_price = skills_beside(squared, PRICE_REFERENCE, "mse_return", step=step)
    beside_spread = skills_beside(pinball, spread, "pinball", step=step)
    rows = [
        {
            "model": name,
            "mse_return": float(means[name, "squared"].mean()),
            "direction_accuracy": float(means[name, "right"].mean())
            if means[name, "named"].any()
            else np.nan,
            "pinball": float(means[name, "pinball"].mean()),
            "coverage_80": float(means[name, "inside"].mean()),
            **beside_price[name],
            **beside_spread[name],
            "pinball_reference": spread,
        }
        for name in names
    ]
    own = judged(
        rows[names.index(model)],
        "mse_return",
        step=step,
        whose=f"{model}’s returns",
        prices="prices",
    )
    text = (
        f"{tickers:,} tickers together, {forecasts:,} forecasts on {len(days):,} days. {own.text}"
    )
    return PooledScores(pd.DataFrame(rows), forecasts, len(days), own.price, own.uncertainty, text)
