"""Issues of a made-up price, and the bars that settle them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.ledger import Issue, IssuedStep
from forecast.ledger.entries import link

Z = (-1.64, -1.28, -0.67, 0.0, 0.67, 1.28, 1.64)
NOON = datetime(2012, 1, 2, 23, tzinfo=UTC)


def bars_of(count: int, *, seed: int = 3, first: str = "2012-01-02") -> pd.DataFrame:
    sessions = pd.bdate_range(first, periods=count, name="session")
    close = 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, count)))
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close), sessions)
    return frame.assign(volume=1e6)


def issue_at(
    bars: pd.DataFrame,
    row: int,
    *,
    ticker: str = "AAPL",
    horizon: int = 1,
    run: str = "run-1",
    spread: float = 0.02,
    point: float = 0.001,
) -> Issue:
    """What would be issued after the close of a row; sessions after the last bar are weekdays."""
    origin = bars.index[row]
    coming = pd.bdate_range(origin + pd.Timedelta(days=1), periods=horizon)
    steps = tuple(
        IssuedStep(
            step=step,
            session=session.date(),
            point=point * step,
            quantiles=tuple(point * step + z * spread * step**0.5 for z in Z),
            reference_point=0.0,
            reference_quantiles=tuple(1.1 * z * spread * step**0.5 for z in Z),
        )
        for step, session in enumerate(coming, start=1)
    )
    return Issue(
        ticker=ticker,
        origin=origin.date(),
        issued_at=origin.to_pydatetime().replace(tzinfo=UTC) + timedelta(hours=23),
        run=run,
        network="lstm",
        snapshot=f"snapshot-{row}",
        last_close=float(bars["close"].iloc[row]),
        steps=steps,
    )


def fill(ledger, bars, rows, *, settle_each: bool = True, **options) -> None:
    """Night after night: issue from each row, settle with the bars known then."""
    ticker = options.get("ticker", "AAPL")
    for row in rows:
        one = issue_at(bars, row, **options)
        if settle_each:
            ledger.settle(ticker, bars.iloc[: row + 1], snapshot=one.snapshot, now=one.issued_at)
        assert ledger.issue(one, known_until=one.origin)


def chain(path: Path, body: str) -> int:
    """Add an entry at the end as the program itself would, whatever it says; gives its number."""
    with closing(sqlite3.connect(path)) as connection, connection:
        query = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1"
        number, digest = connection.execute(query).fetchone()
        row = (number + 1, body, link(digest, number + 1, body))
        connection.execute("INSERT INTO entries (number, body, hash) VALUES (?, ?, ?)", row)
        return int(number) + 1
