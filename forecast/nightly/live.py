"""How a ticker's forecasts on record turned out, beside what the backtest had promised."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forecast.evaluation.scores import as_rows
from forecast.ledger.promise import PROMISED, promised_scores
from forecast.ledger.scores import last_step, live_scores, outcomes_of
from forecast.registry import Shelf


def live_record(shelf: Shelf, ticker: str, record: pd.DataFrame) -> dict[str, Any] | None:
    """The live scores at the newest issue's last step as JSON.

    `step`, `forecasts`, those of `PROMISED`, `promised`.

    Args:
        shelf: Of the saved runs.
        ticker: Whose.
        record: Its track record, as from `Ledger.track_record`.

    Returns:
        None as long as no outcome of that step is known.
    """
    if record.empty:
        return None
    step = last_step(record)
    last = record[record["step"] == step]
    if outcomes_of(last).isna().all():
        return None
    runs = {run: shelf.document(ticker, run) for run in last["run"].unique()}
    live = live_scores(last)
    (row,) = as_rows(live[live["ticker"] == ticker][["forecasts", *PROMISED]])
    (promised,) = as_rows(promised_scores(last, runs)[[*PROMISED]])
    return {"step": step, **row, "promised": promised}
