"""A vendor that rewrites its history at each split and dividend, as Yahoo does."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
from loopback import made_up

from forecast.market.bars import PRICE_COLUMNS, History
from forecast.market.sessions import expected_sessions

SESSIONS = expected_sessions("XNYS", pd.Timestamp("2024-01-02"), pd.Timestamp("2026-12-31"))


class Vendor:
    """Sells the history of one ticker as it is known after `known` sessions.

    `asked` holds the first session of every question, None for everything.
    """

    def __init__(self, known: int = 300, *, ticker: str = "AAPL") -> None:
        self.ticker = ticker
        self.traded = made_up(SESSIONS)
        self.known = known
        self.splits: dict[int, float] = {}
        self.dividends: dict[int, float] = {}
        self.change: Callable[[pd.DataFrame], pd.DataFrame] = lambda quotes: quotes
        self.asked: list[date | None] = []

    @property
    def now(self) -> pd.Timestamp:
        """Late in the evening of the newest session."""
        return SESSIONS[self.known - 1].tz_localize("UTC") + pd.Timedelta(hours=23)

    def quotes(self) -> pd.DataFrame:
        quotes = self.traded.iloc[: self.known].copy()
        for row, ratio in self.splits.items():
            after = np.arange(self.known) >= row
            quotes.loc[after, PRICE_COLUMNS] /= ratio
            quotes.loc[after, "volume"] *= ratio
            if row < self.known:
                quotes.loc[~after, PRICE_COLUMNS] /= ratio
                quotes.loc[~after, "volume"] *= ratio
                quotes.iloc[row, quotes.columns.get_loc("splits")] = ratio
        factor = np.ones(self.known)
        for row, paid in self.dividends.items():
            if row < self.known:
                factor[:row] *= 1 - paid / quotes["close"].iloc[row - 1]
                quotes.iloc[row, quotes.columns.get_loc("dividends")] = paid
        quotes["adj_close"] = quotes["close"] * factor
        return self.change(quotes)

    def bring(self, first: date | None) -> History | None:
        self.asked.append(first)
        quotes = self.quotes().loc[None if first is None else pd.Timestamp(first) :]
        return None if quotes.empty else History(self.ticker, quotes, "yahoo", "NMS", "USD")
