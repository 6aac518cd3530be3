"""`ledger`: the live track record: what was issued, how it turned out, what had been promised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.evaluation.coverage import WINDOW
from forecast.evaluation.scores import as_rows
from forecast.files import inside, write_atomically
from forecast.ledger import examine, write_record
from forecast.ledger.database import ledger_path
from forecast.ledger.promise import PROMISED, promised_scores
from forecast.ledger.scores import ALL, last_step, live_scores, outcomes_of, rolling_scores
from forecast.market.bars import check_ticker
from forecast.market.store import Store
from forecast.pipeline.watch import Watch
from forecast.registry import Shelf

_NEWEST = 10
_PICTURE = "ledger.png"


@dataclass(frozen=True)
class LiveRecord:
    """What the ledger says.

    Attributes:
        document: As `ledger --json` prints it.
        record: The track record behind it, a row an issued step.
    """

    document: dict[str, Any]
    record: pd.DataFrame

    @property
    def sound(self) -> bool:
        """Whether the record is as it was written."""
        return not self.document["problems"]


def verify(home: Path) -> dict[str, Any]:
    """Whether the record is as it was written, as `ledger --verify --json` prints it.

    Raises:
        ArtifactError: if it cannot be opened.
    """
    examined = examine(home)
    return {
        "ledger": ledger_path(home).relative_to(home).as_posix(),
        "entries": examined.head.entries,
        "head": examined.head.hash,
        "problems": examined.problems,
    }


def ledger(
    ticker: str | None,
    *,
    home: Path,
    settings: Settings,
    export: Path | None = None,
    watch: Watch | None = None,
) -> LiveRecord:
    """The live track record of one ticker, with its picture, or of all.

    A damaged ledger is read as far as it can be; what is wrong is in the document. Where the
    picture cannot be written there is a notice, and none.

    Args:
        ticker: Such as `AAPL`; None means all.
        home: Where `data/`, `models/` and `reports/` are.
        settings: Where the store is.
        export: Write the record there, `.csv` or `.parquet`.
        watch: Told how it goes.

    Raises:
        ArtifactError: if the ledger cannot be opened, or the export not be written.
        UnknownTicker: if the ticker is none.
        ValueError: if `export` has another ending.
    """
    watch = watch or Watch()
    watch.stage("reading the ledger")
    examined = examine(home)
    record = examined.record
    if ticker is not None:
        record = record[record["ticker"] == check_ticker(ticker)]
    watch.stage("scoring")
    scores = live_scores(record)
    shelf = Shelf(home)
    entries = [
        _entry(name, own, scores[scores["ticker"] == name], shelf)
        for name, own in record.groupby("ticker")
    ]
    if ticker is not None and entries:
        watch.stage("drawing")
        (entry,) = entries
        entry |= _one(record, entry["scores"], home, settings, watch)
    if export is not None:
        write_record(export, record)
    pooled = scores[scores["ticker"] == ALL].drop(columns="ticker")
    document = {
        "ledger": ledger_path(home).relative_to(home).as_posix(),
        "entries": examined.head.entries,
        "head": examined.head.hash,
        "problems": examined.problems,
        "tickers": entries,
        "all": as_rows(_dated(pooled)) if len(entries) > 1 else [],
        "export": None if export is None else str(export),
    }
    return LiveRecord(document, record)


def _entry(ticker: Any, own: pd.DataFrame, scores: pd.DataFrame, shelf: Shelf) -> dict[str, Any]:
    """One ticker: counts, and its scores beside what was promised."""
    runs = {run: shelf.document(str(ticker), run) for run in own["run"].unique()}
    promised = promised_scores(own, runs).set_index("step")
    rows = as_rows(_dated(scores.drop(columns="ticker")))
    for row in rows:
        promise = as_rows(promised.loc[[row["step"]]])[0]
        row["promised"] = promise
        row["gap"] = {name: _difference(row[name], promise[name]) for name in PROMISED}
    statuses = own["status"].value_counts()
    return {
        "ticker": str(ticker),
        "issued": int(own["origin"].nunique()),
        "first": f"{own['origin'].min():%Y-%m-%d}",
        "last": f"{own['origin'].max():%Y-%m-%d}",
        "networks": sorted(own["network"].unique()),
        "runs": len(runs),
        "step": last_step(own),
        **{name: int(statuses.get(name, 0)) for name in ("settled", "pending", "void")},
        "corrected": int(own["corrected"].notna().sum()),
        "scores": rows,
    }


def _one(
    record: pd.DataFrame,
    scores: list[dict[str, Any]],
    home: Path,
    settings: Settings,
    watch: Watch,
) -> dict[str, Any]:
    """What is told of a ticker that was asked for by name: newest forecasts, and the picture."""
    from forecast.report.track_record import track_record

    ticker, step = str(record["ticker"].iloc[0]), last_step(record)
    promises = {row["step"]: row["promised"]["skill_pinball"] for row in scores}
    picture = track_record(
        record.assign(outcome=outcomes_of(record)),
        rolling_scores(record, step=step, window=WINDOW),
        ticker=ticker,
        step=step,
        window=WINDOW,
        promised=promises.get(step),
        currency=_currency(record, home, settings),
    )
    path = inside(home / "reports", ticker, _PICTURE)
    plot: str | None = path.relative_to(home).as_posix()
    try:
        write_atomically(path, picture.png())
    except ArtifactError as error:
        # The record is read all the same by who may not write.
        watch.notice(f"there is no picture: {error.message}")
        plot = None
    return {"newest": _newest(record[record["step"] == step]), "plot": plot}


def _newest(own: pd.DataFrame) -> list[dict[str, Any]]:
    """The last forecasts of one step, in the money of the day they were issued."""
    last = own.sort_values("origin").tail(_NEWEST)
    close, came = last["last_close"], outcomes_of(last)
    inside_80 = came.between(last["p10"], last["p90"]).astype(object).where(came.notna(), None)
    prices = {name: close * np.exp(last[name]) for name in ("point", "p10", "p90")}
    table = pd.DataFrame(
        {
            "origin": last["origin"].dt.strftime("%Y-%m-%d"),
            "session": last["session"].dt.strftime("%Y-%m-%d"),
            "last_close": close,
            "predicted": prices["point"],
            "p10": prices["p10"],
            "p90": prices["p90"],
            "actual": close * np.exp(came),
            "inside_80": inside_80,
            "status": last["status"],
            "corrected": last["corrected"].notna().astype(object),
            "reason": last["reason"].where(last["reason"] != "", None),
        }
    )
    return as_rows(table)


def _currency(record: pd.DataFrame, home: Path, settings: Settings) -> str | None:
    ticker, snapshot = record[["ticker", "snapshot"]].iloc[-1]
    try:
        return Store.open(settings.data(home)).manifest(ticker, snapshot).currency
    except ArtifactError:
        return None


def _dated(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.assign(
        **{name: pd.to_datetime(scores[name]).dt.strftime("%Y-%m-%d") for name in ("first", "last")}
    )


def _difference(live: Any, promised: Any) -> float | None:
    return None if live is None or promised is None else live - promised
