"""Bars from Yahoo, through yfinance; see `docs/data.md` for what each fault leads to."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.errors import (
    MalformedData,
    RateLimited,
    SourceError,
    SourceUnavailable,
    UnknownTicker,
)
from forecast.market.bars import PRICE_COLUMNS, History, check_ticker
from forecast.market.sessions import next_open
from forecast.market.sources.throttle import Gate
from forecast.market.sources.yahoo_chart import Fault, NoBars

if TYPE_CHECKING:
    from forecast.market.sources.yahoo_session import Call, YahooSession

PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
CA_BUNDLES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables by which Yahoo is reached, as libcurl and curl_cffi read them."""
# Yahoo's oldest bars are of 1962; yfinance's own 'max' starts 99 years ago.
_FIRST = date(1927, 1, 1)


@dataclass(frozen=True)
class Patience:
    """How long one ticker may take; times in seconds.

    Attributes:
        connect: To reach Yahoo: name, proxy, TLS.
        answer: For one answer after that.
        total: For the ticker, with all tries and waits.
        tries: How often it is asked for at most; twice at most while the answer is malformed.
        pause: The first wait between tries; doubles, plus up to as much again by chance.
    """

    connect: float = 3.0
    answer: float = 8.0
    total: float = 25.0
    tries: int = 4
    pause: float = 1.0


_PATIENCE = Patience()
_GATE = Gate()


def fetch(
    ticker: str,
    start: date | None = None,
    end: date | None = None,
    *,
    cache: Path,
    stop: threading.Event | None = None,
    patience: Patience = _PATIENCE,
    gate: Gate = _GATE,
    session: YahooSession | None = None,
) -> History | None:
    """The history that Yahoo has of one ticker; may be called from many threads.

    Rows are as Yahoo sends them, bit for bit and in its order: `close` adjusted for splits,
    `adj_close` for dividends too, NaN where it left a number out. What is odd about them is for
    the quality pass to find; the newest row may be that of a session which is still open.

    Args:
        ticker: Yahoo's spelling, such as `AAPL`, `7203.T`, `BTC-USD`.
        start: First session wanted (the exchange's date), or None for all.
        end: Last session wanted (inclusive), or None for all.
        cache: Private folder for yfinance's time zones; one a process.
        stop: Set by who gives up all tickers: no further request is made.
        patience: Limits in time and tries.
        gate: Limits shared between threads.
        session: Another session than the process's own.

    Returns:
        At least one row; or None when `start` is given and Yahoo has no bar from there on to
        `end`: nothing new.

    Raises:
        UnknownTicker: if Yahoo has no such ticker, or not one bar of it.
        RateLimited: if Yahoo refuses for now.
        SourceUnavailable: if Yahoo cannot be reached or answers with a fault.
        MalformedData: if what it answers are not bars.
        KeyboardInterrupt: if `stop` is set.
    """
    from forecast.market.sources.yahoo_setup import prepared, shared_session

    ticker = check_ticker(ticker)
    last = end or datetime.now(UTC).date() + timedelta(days=1)
    if start is not None and start > last:
        return None
    with prepared(cache):
        session = session or shared_session()
        _admit(ticker, session, patience, gate)
        stop = stop or threading.Event()
        try:
            history = _fetch(ticker, start, last, session, patience, gate, stop)
        except Fault as fault:
            error = _as_error(ticker, fault)
            if isinstance(error, (SourceUnavailable, RateLimited)):
                gate.circuit.refused(error)
            else:
                gate.circuit.answered()
            raise error from fault
    gate.circuit.answered()
    return history


def _admit(ticker: str, session: YahooSession, patience: Patience, gate: Gate) -> None:
    """Let the ticker through, unless the circuit is open or Yahoo is out of reach.

    The first ticker of the process connects while the others wait: yfinance would try its cookie,
    its other cookie and the time zone one after another, each to its own time-out.
    """
    with gate.lock:
        reason = gate.circuit.reason()
        if reason is not None:
            raise type(reason)(
                f"{ticker}: not asked for, because just before: {reason.message}",
                hint=reason.hint,
            )
        if not gate.reached:
            try:
                session.reach(within=patience.connect)
            except Fault as fault:
                error = _as_error(ticker, fault)
                gate.circuit.refused(error, at_once=True)
                raise error from fault
            gate.reached = True


def _fetch(
    ticker: str,
    start: date | None,
    last: date,
    session: YahooSession,
    patience: Patience,
    gate: Gate,
    stop: threading.Event,
) -> History | None:
    """Ask until there is an answer, the tries are used up, or another try cannot help."""
    import tenacity

    from forecast.market.sources.yahoo_session import CALL, Call

    ends = time.monotonic() + patience.total
    pause = patience.pause
    backoff = tenacity.wait_exponential(multiplier=pause) + tenacity.wait_random(0, pause)

    def ask() -> History | None:
        call = Call(gate.bucket, patience.connect, patience.answer, ends, stop)
        token = CALL.set(call)
        try:
            return _ask(ticker, start, last, session, call)
        finally:
            CALL.reset(token)

    def wait(state: tenacity.RetryCallState) -> float:
        return max(_fault(state).retry_after or 0.0, backoff(state))

    def enough(state: tenacity.RetryCallState) -> bool:
        # What is malformed twice is so for good.
        tries = min(2, patience.tries) if _fault(state).kind is MalformedData else patience.tries
        return state.attempt_number >= tries or time.monotonic() + state.upcoming_sleep >= ends

    def _fault(state: tenacity.RetryCallState) -> Fault:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, Fault)
        return error

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, Fault) and error.again),
        wait=wait,
        stop=enough,
        sleep=tenacity.sleep_using_event(stop),
        reraise=True,
    )(ask)


def _ask(
    ticker: str, start: date | None, last: date, session: YahooSession, call: Call
) -> History | None:
    import peewee
    import yfinance as yf
    from yfinance.data import YfData

    # Answers for past ranges are kept for the life of the process, bad ones too.
    YfData.cache_get.cache_clear()
    try:
        if yf.utils.is_isin(ticker):
            raise Fault(UnknownTicker, "an ISIN instead of a ticker", again=False)
        table = yf.Ticker(ticker, session=session).history(
            start=start or _FIRST,
            end=last + timedelta(days=1),
            auto_adjust=False,
            actions=True,
        )
        quotes = _quotes(table, call.chart)
    except Fault:
        raise
    except NoBars as error:
        if start is None:
            raise Fault(UnknownTicker, f"not one daily bar of it ({error})", again=False) from error
        return None
    except peewee.PeeweeException as error:
        raise Fault(SourceUnavailable, f"yfinance's cache failed ({error})") from error
    except Exception as error:
        # yfinance indexes into whatever came; what trips it is a malformed answer.
        raise Fault(
            MalformedData, f"something yfinance cannot read ({type(error).__name__}: {error})"
        ) from error
    # Yahoo may add its newest bar although it is not in the range.
    wanted = (quotes.index >= pd.Timestamp(start or _FIRST)) & (quotes.index <= pd.Timestamp(last))
    quotes = quotes[wanted]
    if quotes.empty:
        if start is None:
            raise Fault(UnknownTicker, "not one daily bar of it", again=False)
        return None
    meta = call.chart["meta"]
    return History(
        ticker,
        quotes,
        source="yahoo",
        exchange=meta.get("exchangeName"),
        currency=meta.get("currency"),
        timezone=meta["exchangeTimezoneName"],
    )


def _quotes(table: pd.DataFrame, chart: dict[str, Any]) -> pd.DataFrame:
    """The chart's rows as they were sent, in their order, with yfinance's dividends and splits."""
    from yfinance import utils

    indicators = chart["indicators"]
    sent = indicators["quote"][0]
    # What is not adjusted (currencies, some indices) comes without adjusted closes.
    adjusted = indicators["adjclose"][0]["adjclose"] if "adjclose" in indicators else sent["close"]
    quotes = pd.DataFrame(
        {name: sent[name] for name in PRICE_COLUMNS}
        | {"adj_close": adjusted, "volume": sent["volume"]},
        index=pd.to_datetime(chart["timestamp"], unit="s", utc=True),
        dtype="float64",
    )
    sent_at, zone = quotes.index[-1], chart["meta"]["exchangeTimezoneName"]
    quotes.index = _sessions(utils.fix_Yahoo_dst_issue(quotes.tz_convert(zone), "1d").index)
    if len(quotes) > 1 and quotes.index[-1] == quotes.index[-2]:
        # While the market is open, and for a while after, the live row follows the day's own.
        # It may lack a price; and a future's evening is of the next session, not of its date.
        whole = quotes[[*PRICE_COLUMNS, "adj_close"]].iloc[-1].fillna(0).ne(0).all()
        evening = next_open(chart["meta"].get("exchangeName"), quotes.index[-1])
        stands = whole and (evening is None or sent_at < evening)
        quotes = quotes.iloc[[*range(len(quotes) - 2), -1 if stands else -2]]
    actions = table[["Dividends", "Stock Splits"]].set_axis(_sessions(table.index))
    quotes[["dividends", "splits"]] = actions.reindex(quotes.index).fillna(0.0).to_numpy("float64")
    return quotes


def _sessions(stamps: pd.Index[Any]) -> pd.DatetimeIndex:
    dates = pd.DatetimeIndex(stamps).tz_localize(None).normalize()
    # The unit in which pandas reads dates from a file, so that every source's index is alike.
    return pd.DatetimeIndex(dates.as_unit("us"), name="session")


def _as_error(ticker: str, fault: Fault) -> SourceError:
    """The fault as the error that the user sees."""
    if fault.kind is UnknownTicker:
        return UnknownTicker(
            f"{ticker}: a ticker must be one that Yahoo has. Received: {fault.message}.",
            hint="look the ticker up on https://finance.yahoo.com",
        )
    if fault.kind is RateLimited:
        after = f", to be asked again in {fault.retry_after:.0f} s" if fault.retry_after else ""
        return RateLimited(
            f"{ticker}: Yahoo must accept the request. Received: {fault.message}{after}.",
            hint=f"forecast fetch {ticker}, later",
        )
    if fault.kind is MalformedData:
        return MalformedData(
            f"{ticker}: Yahoo must answer with daily bars. Received: {fault.message}.",
            hint=f"forecast fetch {ticker}, later",
        )
    return SourceUnavailable(
        f"{ticker}: Yahoo must be reachable and in order. Received: {fault.message}.",
        hint="check the network, HTTPS_PROXY and CURL_CA_BUNDLE, or use --source sample",
    )
