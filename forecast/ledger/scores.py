"""How the issued forecasts turned out: the live scores, pure functions of the track record.

The outcome of a forecast is the newest that is known: its correction, or else its settlement.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.evaluation.coverage import WINDOW, rolling_coverage
from forecast.evaluation.forecasts import FORECAST_COLUMNS, QUANTILE_COLUMNS
from forecast.evaluation.metrics import METRICS, mean_pinball_losses
from forecast.evaluation.samples import Sample
from forecast.evaluation.scores import PRICE_REFERENCE, samples_by_step
from forecast.evaluation.significance import diebold_mariano, skill
from forecast.ledger.frame import REFERENCE_COLUMNS

ALL = "all"
"""Stands for the ticker in scores over all tickers; a ticker is upper case."""
ISSUED, SPREAD_REFERENCE = "issued", "ewma"
_PRICES = ("mse_price", "mae_price")
_PLAIN = (
    *_PRICES,
    "mse_return",
    "mae_return",
    "direction_accuracy",
    "pinball",
    "coverage_50",
    "coverage_80",
    "coverage_90",
)


def outcomes_of(record: pd.DataFrame) -> pd.Series:
    """The newest known outcome of each row of a track record [log return], NaN where none is."""
    return record["corrected"].where(record["corrected"].notna(), record["actual"])


def last_step(record: pd.DataFrame) -> int:
    """The last step of the newest issue; issues before it may have had a longer horizon.

    Args:
        record: Of one ticker, as from `Ledger.track_record`, with a row at least.
    """
    return int(record.loc[record["origin"] == record["origin"].max(), "step"].max())


def live_forecasts(record: pd.DataFrame, *, relative: bool = False) -> pd.DataFrame:
    """A track record as a Forecast frame, with `last_close` and `ewma` beside what was issued.

    Args:
        record: As from `Ledger.track_record`.
        relative: Prices in units of the close at the origin, instead of quote currency in the
            money of the day it was issued.

    Returns:
        Forecast frame, models `issued`, `last_close`, `ewma`; `actual` is the close at the origin
        times e to the outcome: dividends paid since count as price.
    """
    close = np.ones(len(record)) if relative else record["last_close"].to_numpy("float64")
    same = record[["ticker", "origin", "step", "session"]].reset_index(drop=True)
    flat = np.zeros((len(record), len(QUANTILE_COLUMNS)))
    returns = {
        ISSUED: (record["point"].to_numpy(), record[QUANTILE_COLUMNS].to_numpy()),
        PRICE_REFERENCE: (flat[:, 0], flat),
        SPREAD_REFERENCE: (
            record["reference_point"].to_numpy(),
            record[REFERENCE_COLUMNS].to_numpy(),
        ),
    }
    parts = []
    for model, (point, quantiles) in returns.items():
        part = same.assign(model=model, predicted=close * np.exp(point))
        part[QUANTILE_COLUMNS] = close[:, None] * np.exp(quantiles)
        part["actual"] = close * np.exp(outcomes_of(record).to_numpy())
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[FORECAST_COLUMNS]


def live_scores(record: pd.DataFrame) -> pd.DataFrame:
    """Scores of the issued forecasts, a ticker and over all of them, at every step.

    Args:
        record: As from `Ledger.track_record`; rows without an outcome are left out.

    Returns:
        Columns `ticker` (`all` for all together), `step`, `forecasts` (rows with an outcome),
        `first` and `last` (their sessions), `mse_price`, `mae_price` [quote currency, squared; NaN
        over all, since currencies differ], `mse_return`, `mae_return`, `direction_accuracy`,
        `pinball`, `coverage_50`, `coverage_80`, `coverage_90`, `skill_mse` and `dm_p_mse` against
        `last_close` (over all: of errors relative to the close), `pinball_ewma`, `skill_pinball`
        and `dm_p_pinball` against `ewma`. As `docs/metrics.md` defines them; NaN where there is
        no answer.
    """
    rows = []
    settled = record[outcomes_of(record).notna()]
    tickers = sorted(settled["ticker"].unique())
    for ticker in [*tickers, ALL] if tickers else []:
        own = settled if ticker == ALL else settled[settled["ticker"] == ticker]
        frame = live_forecasts(own, relative=ticker == ALL)
        spans = own.groupby("step")["session"].agg(["min", "max"])
        for step, samples in samples_by_step(frame):
            rows.append(
                {
                    "ticker": ticker,
                    "step": step,
                    "forecasts": len(samples[ISSUED].origins),
                    "first": spans.loc[step, "min"],
                    "last": spans.loc[step, "max"],
                    **_scores(samples, step),
                    **(dict.fromkeys(_PRICES, np.nan) if ticker == ALL else {}),
                }
            )
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def _scores(samples: Mapping[str, Sample], step: int) -> dict[str, float]:
    issued, naive, spread = (samples[name] for name in (ISSUED, PRICE_REFERENCE, SPREAD_REFERENCE))
    return {
        **{name: METRICS[name](issued.outcomes) for name in _PLAIN},
        "skill_mse": skill(issued.squared, naive.squared),
        "dm_p_mse": diebold_mariano(issued.squared, naive.squared, step=step),
        "pinball_ewma": METRICS["pinball"](spread.outcomes),
        "skill_pinball": skill(issued.pinball, spread.pinball),
        "dm_p_pinball": diebold_mariano(issued.pinball, spread.pinball, step=step),
    }


SCORE_COLUMNS = [
    "ticker",
    "step",
    "forecasts",
    "first",
    "last",
    *_PLAIN,
    "skill_mse",
    "dm_p_mse",
    "pinball_ewma",
    "skill_pinball",
    "dm_p_pinball",
]


def rolling_scores(record: pd.DataFrame, *, step: int = 1, window: int = WINDOW) -> pd.DataFrame:
    """Coverage and skill of one ticker's forecasts as they came in: what an alarm looks at.

    Args:
        record: Of one ticker, as from `Ledger.track_record`.
        step: Sessions ahead.
        window: How many outcomes a figure is taken over.

    Returns:
        Index `session`, a row an outcome in order: `coverage_80` [0-1] and `skill_pinball` against
        `ewma` over the last `window` outcomes (the first `window - 1` are NaN), and
        `skill_so_far` over all up to there.

    Raises:
        ValueError: if the record holds several tickers.
    """
    if record["ticker"].nunique() > 1:
        raise ValueError("a rolling score is of one ticker.")
    own = record[(record["step"] == step) & outcomes_of(record).notna()].sort_values("session")
    came = outcomes_of(own).to_numpy("float64")
    index = pd.DatetimeIndex(own["session"], name="session")
    issued = live_forecasts(own, relative=True)
    ours = pd.Series(mean_pinball_losses(came, own[QUANTILE_COLUMNS].to_numpy()), index)
    theirs = pd.Series(mean_pinball_losses(came, own[REFERENCE_COLUMNS].to_numpy()), index)
    return pd.DataFrame(
        {
            "coverage_80": rolling_coverage(issued, model=ISSUED, step=step, window=window),
            "skill_pinball": 1 - ours.rolling(window).mean() / theirs.rolling(window).mean(),
            "skill_so_far": 1 - ours.cumsum() / theirs.cumsum(),
        },
        index=index,
    )
