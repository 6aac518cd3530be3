"""Bars from the committed sample: five US tickers, 2000 to 2013, public domain."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd

from forecast.errors import UnknownTicker
from forecast.market.bars import PRICE_COLUMNS, History, check_ticker
from forecast.market.sources.csv_files import read_quotes

TICKERS = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
_EXCHANGES = {"AAPL": "NMS", "FB": "NMS", "GOOG": "NMS", "IBM": "NYQ", "MSFT": "NMS"}


def fetch(ticker: str, start: date | None = None, end: date | None = None) -> History:
    """The sample's history of one ticker; see `data/sample/README.md` for where it comes from.

    Args:
        ticker: One of `TICKERS`.
        start: First session wanted, or None for all.
        end: Last session wanted (inclusive), or None for all.

    Raises:
        UnknownTicker: if the sample has no such ticker.
    """
    ticker = check_ticker(ticker)
    if ticker not in TICKERS:
        raise UnknownTicker(
            f"{ticker}: the sample holds {', '.join(TICKERS)} only.",
            hint=f"forecast fetch {ticker} --source yahoo",
        )
    folder = sample_folder()
    quotes = adjust_splits(
        read_quotes(folder / f"{ticker}.csv.gz", ticker=ticker), _splits(folder, ticker)
    )
    first, last = (None if day is None else pd.Timestamp(day) for day in (start, end))
    return History(
        ticker,
        quotes.loc[first:last],
        source="sample",
        exchange=_EXCHANGES[ticker],
        currency="USD",
        timezone="America/New_York",
    )


def sample_folder() -> Path:
    """Where the sample lies: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "sample_data"
    return installed if installed.is_dir() else package.parent / "data" / "sample"


def adjust_splits(quotes: pd.DataFrame, splits: pd.Series) -> pd.DataFrame:
    """Quotes as traded on the day, turned into split-adjusted ones.

    Args:
        quotes: Prices and volume as traded; `adj_close` already adjusted.
        splits: Ratio (2.0 for 2:1), index = first session that trades at the new price.
    """
    adjusted = quotes.copy()
    for session, ratio in splits.items():
        before = adjusted.index < session
        adjusted.loc[before, PRICE_COLUMNS] /= ratio
        adjusted.loc[before, "volume"] *= ratio
        adjusted.loc[session, "splits"] = ratio
    return adjusted


def _splits(folder: Path, ticker: str) -> pd.Series:
    table = pd.read_csv(folder / "splits.csv", parse_dates=["Date"])
    own = table[table["Ticker"] == ticker]
    return pd.Series(own["Ratio"].to_numpy("float64"), index=pd.DatetimeIndex(own["Date"]))
