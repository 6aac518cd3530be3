"""Bars and Quotes: the two frames that stand for daily prices, and their contracts.

Quotes are what a source says: split-adjusted prices and volume, the adjusted close and the
day's dividend and split. Bars are derived from them: every price adjusted for dividends too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.errors import BarsError, UnknownTicker

BAR_COLUMNS = ["open", "high", "low", "close", "volume"]
PRICE_COLUMNS = ["open", "high", "low", "close"]
QUOTE_COLUMNS = [*PRICE_COLUMNS, "adj_close", "volume", "dividends", "splits"]

_TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,19}")


@dataclass(frozen=True)
class History:
    """What a source brought for one ticker.

    Attributes:
        ticker: Checked ticker, e.g. `AAPL`.
        quotes: Index `session` (tz-naive dates, increasing), columns `QUOTE_COLUMNS`, float64.
            Prices [quote currency] and volume [shares] adjusted for the splits inside the
            history, not for dividends; `adj_close` for both; `dividends` [quote currency per
            share] on the ex-date, else 0; `splits` the ratio (2.0 for 2:1) on its date, else 0.
        source: Which source brought it: `yahoo`, `sample`, `csv`.
        exchange: Exchange code as the source gives it (Yahoo: `NMS`, `NYQ`, `LSE` …), or None.
        currency: Quote currency, or None.
        timezone: The exchange's time zone name, or None.
    """

    ticker: str
    quotes: pd.DataFrame
    source: str
    exchange: str | None = None
    currency: str | None = None
    timezone: str | None = None


def check_ticker(ticker: str) -> str:
    """The ticker in upper case, if it is one that may reach a path or an address.

    Raises:
        UnknownTicker: if it is empty, too long, or has other characters than a ticker has.
    """
    upper = ticker.strip().upper()
    if not _TICKER.fullmatch(upper) or ".." in upper:
        several = re.split(r"[\s,;]+", upper.strip(" ,;"))
        listed = len(several) > 1 and all(_TICKER.fullmatch(one) for one in several)
        raise UnknownTicker(
            f"a ticker must be 1 to 20 of A-Z 0-9 . - = ^, without '..'. Received {ticker!r}.",
            hint=f"several tickers are separated by spaces: {' '.join(several)}"
            if listed
            else "forecast fetch AAPL",
        )
    return upper


def derive_bars(quotes: pd.DataFrame) -> pd.DataFrame:
    """Bars from quotes: prices times `adj_close / close`, volume as it is.

    Args:
        quotes: As in `History.quotes`.

    Returns:
        Bars; `close` equals `adj_close` bit for bit, and `low <= close <= high` holds in spite
        of rounding.
    """
    # Columns as arrays: a ticker of many is derived in a tenth of the time that frames take.
    raw = {name: quotes[name].to_numpy("float64") for name in (*PRICE_COLUMNS, "adj_close")}
    close = raw["adj_close"]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = close / raw["close"]
        opened, high, low = (raw[name] * factor for name in ("open", "high", "low"))
    # open * factor and low * factor round alike; the close is taken as given and may differ
    # from close * factor in the last bit.
    low, high = np.minimum(low, close), np.maximum(high, close)
    columns = [opened, high, low, close, quotes["volume"].to_numpy("float64")]
    return pd.DataFrame(np.column_stack(columns), index=quotes.index, columns=BAR_COLUMNS)


def check_bars(bars: pd.DataFrame, *, ticker: str) -> pd.DataFrame:
    """The same bars, if they keep the contract.

    Args:
        bars: Index `session` (tz-naive dates, unique, increasing); columns `open high low close`
            [quote currency, > 0, adjusted for splits and dividends], `volume` [shares, >= 0];
            float64, no NaN, `low <= open, close <= high`.
        ticker: Named in the message.

    Raises:
        BarsError: naming the first rule broken, how often and where first.
    """

    def broken(rule: str, where: np.ndarray, column: str | None = None) -> None:
        mask = np.asarray(where, dtype=bool)
        if mask.any():
            first = int(mask.argmax())
            value = f" ({bars[column].iloc[first]})" if column else ""
            session = f"{bars.index[first]:%Y-%m-%d}"
            raise BarsError(
                f"{ticker}: {rule}. Received {int(mask.sum())} that do not, "
                f"first at session {session}{value}.",
                hint=f"correct the data, or forecast fetch {ticker} --refresh",
            )

    missing = [name for name in BAR_COLUMNS if name not in bars.columns]
    if missing:
        raise BarsError(
            f"{ticker}: bars must have the columns {', '.join(BAR_COLUMNS)}. "
            f"Missing: {', '.join(missing)}.",
            hint="add the missing columns to the file",
        )
    if not isinstance(bars.index, pd.DatetimeIndex) or bars.index.tz is not None:
        raise BarsError(f"{ticker}: the index must be dates without a time zone.")
    if bars.empty:
        raise BarsError(f"{ticker}: there must be at least one bar. Received none.")
    sessions = bars.index
    broken("each session must be a date without a time of day", sessions != sessions.normalize())
    broken("each session must appear once", sessions.duplicated())
    broken("sessions must be in increasing order", np.r_[False, sessions[1:] < sessions[:-1]])
    values = {name: bars[name].to_numpy() for name in BAR_COLUMNS}
    for name in BAR_COLUMNS:
        broken(f"'{name}' must be a finite number", ~np.isfinite(values[name]), name)
    for name in PRICE_COLUMNS:
        broken(f"'{name}' must be positive", values[name] <= 0, name)
    broken("'volume' must not be negative", values["volume"] < 0, "volume")
    broken("'high' must not be below 'low'", values["high"] < values["low"], "high")
    for name in ("open", "close"):
        broken(f"'{name}' must not be below 'low'", values[name] < values["low"], name)
        broken(f"'{name}' must not be above 'high'", values[name] > values["high"], name)
    return bars
