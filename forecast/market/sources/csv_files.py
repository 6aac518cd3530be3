"""Bars from files: `DIR/TICKER.csv` or `DIR/TICKER.csv.gz`."""

from __future__ import annotations

import gzip
import re
import zlib
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.errors import MalformedData, UnknownTicker
from forecast.files import expanded
from forecast.market.bars import PRICE_COLUMNS, QUOTE_COLUMNS, History, check_ticker

_REQUIRED = ["date", *PRICE_COLUMNS, "volume"]
# Spellings that downloads use, without their spaces, dots and underscores.
_SPELLINGS = {"adjclose": "adj_close", "adjustedclose": "adj_close", "stocksplits": "splits"}
_NO_NUMBER = ["", "null", "nan", "na", "n/a", "none", "-"]
# The first column's header in what yfinance.download(…).to_csv() writes: three lines.
_YFINANCE = ["Price", "Ticker", "Date"]
# pandas takes 2024 and 2024-01 for dates too, and knows what day "today" is.
_DAY = r"\d{4}(?:\d{4}|[-/.]\d{1,2}[-/.]\d{1,2})(?:[T ].*)?"
_ZONE = re.compile(r"(?<=:\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)\s*$")
_UNREADABLE = (
    pd.errors.ParserError,
    pd.errors.EmptyDataError,
    UnicodeDecodeError,
    OSError,
    # What gzip raises for a file that was cut, and for one whose bytes were changed.
    EOFError,
    zlib.error,
)


def fetch(
    ticker: str, start: date | None = None, end: date | None = None, *, folder: Path
) -> History:
    """The history in `folder/TICKER.csv[.gz]`.

    Columns in any order and case: Date, Open, High, Low, Close, Volume, and optionally
    Adj Close (also Adjusted Close, with or without spaces, dots and underscores), Dividends,
    Stock Splits. Without Adj Close the prices count as adjusted. A date with a time and its
    zone is the date there.

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


def folder_of(source: str) -> Path:
    """The folder that `csv:DIR` names; `~` is the user's own, as in a shell.

    Raises:
        ConfigError: if it begins with a `~` and names a user that is not known here.
    """
    return expanded(source.removeprefix("csv:"), what="source")


def find_file(folder: Path, ticker: str) -> Path:
    """The file of a checked ticker in `folder`, which may be a link to one elsewhere.

    Raises:
        UnknownTicker: if there is none.
    """
    for ending in (".csv", ".csv.gz"):
        path = folder / f"{ticker}{ending}"
        if path.is_file():
            return path
    raise UnknownTicker(
        f"{ticker}: {folder} must hold {ticker}.csv or {ticker}.csv.gz. Found neither.",
        hint=f"ls {folder}",
    )


def read_quotes(path: Path, *, ticker: str) -> pd.DataFrame:
    """Quotes from one file; dates and numbers are checked, what they say is for `quality.inspect`.

    Raises:
        MalformedData: if the file is empty, lacks a column, or holds text where a number belongs.
    """
    try:
        # Read as text first: pandas would otherwise turn a whole column to text in silence, rename
        # a column that appears twice, and take the first one for row names where rows are longer.
        table = pd.read_csv(path, dtype=str, keep_default_na=False, header=None)
    except _UNREADABLE as error:
        raise MalformedData(
            f"{ticker}: {path} must be a CSV table. Reading it failed: {str(error).strip()}.",
            hint=f"head {path}",
        ) from error
    table, header = _under_header(table)
    missing = [name for name in _REQUIRED if name not in table.columns]
    if missing:
        raise MalformedData(
            f"{ticker}: {path} must have the columns Date, Open, High, Low, Close, Volume. "
            f"Missing: {', '.join(name.capitalize() for name in missing)}. "
            f"The first line: {', '.join(header)[:100]!r}.",
            hint="separate the columns by commas, and rename or add what is missing",
        )
    read = {"date", *QUOTE_COLUMNS}
    repeated = sorted(read.intersection(table.columns[table.columns.duplicated()]))
    if repeated:
        raise MalformedData(
            f"{ticker}: each column of {path} must appear once. Repeated: {', '.join(repeated)}.",
            hint="remove one of them",
        )
    # The date is the exchange's own; a zone behind it, which differs in summer, moves none.
    days = table["date"].str.replace(_ZONE, "", regex=True)
    days = days.where(days.str.fullmatch(_DAY))
    sessions = pd.to_datetime(days, format="ISO8601", errors="coerce")
    _refuse(ticker, path, table["date"], sessions.isna(), "a date as YYYY-MM-DD")
    # A day without trade, as downloads write it; the quality pass drops and reports it.
    blank = table[PRICE_COLUMNS].apply(lambda prices: prices.str.lower().isin(_NO_NUMBER))
    blank = blank.all(axis=1)
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


def _under_header(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows under the header, named by it and numbered as before, and the header as written."""
    header = [name.strip() for name in table.iloc[0]]
    rows = table.iloc[1:]
    if list(table.iloc[:3, 0]) == _YFINANCE:
        header, rows = ["Date", *header[1:]], table.iloc[3:]
    # Spreadsheets end a table with rows of nothing but commas.
    rows = rows[(rows != "").any(axis=1)]
    return rows.set_axis([_name(one) for one in header], axis=1), header


def _name(column: str) -> str:
    """A column's name as this program spells it."""
    return _SPELLINGS.get(re.sub(r"[\s._]", "", column.lower()), column.lower())


def _refuse(ticker: str, path: Path, column: pd.Series, bad: pd.Series, what: str) -> None:
    if bad.any():
        row = int(np.asarray(bad).argmax())
        line = _filled_lines(path)[int(column.index[row])]
        raise MalformedData(
            f"{ticker}: '{column.name}' must be {what}. Received {int(bad.sum())} that are not, "
            f"first {column.iloc[row]!r} in line {line} of {path}.",
            hint=f"correct line {line} of the file",
        )


def _filled_lines(path: Path) -> list[int]:
    """The numbers of the lines that pandas made rows of: not the blank ones."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    return [number for number, line in enumerate(lines, start=1) if line.strip()]


def _stamp(day: date | None) -> pd.Timestamp | None:
    return None if day is None else pd.Timestamp(day)
