"""Bars made up for the tests: a random walk with every digit of a float in use."""

import numpy as np
import pandas as pd

from forecast.market.bars import QUOTE_COLUMNS


def made_up(sessions: pd.DatetimeIndex | int = 30, *, seed: int = 1) -> pd.DataFrame:
    """Quotes over the given sessions, or that many business days from 2024-01-02 on."""
    if isinstance(sessions, int):
        sessions = pd.bdate_range("2024-01-02", periods=sessions)
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * chance.standard_normal(len(sessions))))
    open_ = close * np.exp(0.005 * chance.standard_normal(len(sessions)))
    quotes = pd.DataFrame(index=pd.DatetimeIndex(sessions, name="session"))
    quotes["open"] = open_
    quotes["high"] = np.maximum(open_, close) * 1.003
    quotes["low"] = np.minimum(open_, close) * 0.997
    quotes["close"] = close
    quotes["adj_close"] = close
    quotes["volume"] = chance.integers(1_000_000, 9_000_000, len(sessions)).astype("float64")
    quotes[["dividends", "splits"]] = 0.0
    return quotes[QUOTE_COLUMNS]
