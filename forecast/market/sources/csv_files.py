"""Bars from files: `DIR/TICKER.csv` or `DIR/TICKER.csv.gz`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.errors import MalformedData, UnknownTicker
from forecast.files import inside
from forecast.market.bars import PRICE_COLUMNS, QUOTE_COLUMNS, History, check_ticker

_REQUIRED = ["date", *PRICE_COLUMNS, "volume"]


def fetch(
    ticker: str, start: date | None = None, end: date | None = None, *, folder: Path
) -> History:
    """The history in `folder/TICKER.csv[.gz]`.

    Columns in any order and case: Date, Open, High, Low, Close, Volume, and optionally
    Adj Close, Dividends, Stock Splits. Without Adj Close the prices count as adjusted.

    Args:
        ticker: Such as `AAPL`.
        start: First session wanted, or None for all.
        end: Last session wanted (inclusive), or None for all.
        folder: Where the files are.

    Raises:
        UnknownTicker: if there is no such file.
        MalformedData: if the file is not such a table; names the column, line and value.
    """
    ticker = check_ticker(ticker)
    path = find_file(folder, ticker)
    quotes = read_quotes(path, ticker=ticker)
    return History(ticker, quotes.loc[_stamp(start) : _stamp(end)], source="csv")


def find_file(folder: Path, ticker: str) -> Path:
    """The ticker's file in `folder`.

    Raises:
        UnknownTicker: if there is none.
    """
    for ending in (".csv", ".csv.gz"):
        path = inside(folder, f"{ticker}{ending}")
        if path.is_file():
            return path
    raise UnknownTicker(
        f"{ticker}: {folder} must hold {ticker}.csv or {ticker}.csv.gz. Found neither.",
        hint=f"ls {folder}",
    )


def read_quotes(path: Path, *, ticker: str) -> pd.DataFrame:
    """Quotes from one file; numbers and dates are checked, prices are left to `check_quotes`.

    Raises:
        MalformedData: if the file is empty, lacks a column, or holds text where a number belongs.
    """
    try:
        # Read as text first: pandas would otherwise turn a whole column to text in silence.
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise MalformedData(
            f"{ticker}: {path} must be a CSV table. Reading it failed: {error}.",
            hint=f"head {path}",
        ) from error
    table.columns = [name.strip().lower().replace(" ", "_") for name in table.columns]
    missing = [name for name in _REQUIRED if name not in table.columns]
    if missing:
        raise MalformedData(
            f"{ticker}: {path} must have the columns Date, Open, High, Low, Close, Volume. "
            f"Missing: {', '.join(name.capitalize() for name in missing)}.",
            hint="rename or add the missing columns in the file",
        )
    repeated = sorted(set(table.columns[table.columns.duplicated()]))
    if repeated:
        raise MalformedData(
            f"{ticker}: each column of {path} must appear once. Repeated: {', '.join(repeated)}.",
            hint="remove one of them",
        )
    table = table.rename(columns={"stock_splits": "splits"})
    sessions = pd.to_datetime(table["date"], format="ISO8601", errors="coerce")
    _refuse(ticker, path, table["date"], sessions.isna(), "a date as YYYY-MM-DD")
    if sessions.dt.tz is not None:
        sessions = sessions.dt.tz_localize(None)
    # Yahoo's own downloads mark a day without trade so; the quality pass drops and reports it.
    blank = table.drop(columns="date").isin(["", "null"]).all(axis=1)
    quotes = pd.DataFrame(index=pd.DatetimeIndex(sessions.dt.normalize(), name="session"))
    for name in QUOTE_COLUMNS:
        if name in table.columns:
            numbers = pd.to_numeric(table[name], errors="coerce")
            _refuse(ticker, path, table[name], ~np.isfinite(numbers) & ~blank, "a number")
            quotes[name] = numbers.to_numpy("float64")
        elif name == "adj_close":
            quotes[name] = quotes["close"]
        else:
            quotes[name] = 0.0
    return quotes


def _refuse(ticker: str, path: Path, column: pd.Series, bad: pd.Series, what: str) -> None:
    if bad.any():
        row = int(np.asarray(bad).argmax())
        raise MalformedData(
            f"{ticker}: '{column.name}' must be {what}. Received {int(bad.sum())} that are not, "
            f"first {column.iloc[row]!r} in line {row + 2} of {path}.",
            hint=f"correct line {row + 2} of the file",
        )


def _stamp(day: date | None) -> pd.Timestamp | None:
    return None if day is None else pd.Timestamp(day)
