"""Each fault of Yahoo's, and what becomes of it; `docs/data.md` has the same list as a table."""

import datetime
import socket
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from loopback import PATIENT, LoopbackSession, Yahoo, faults, made_up
from loopback.tunnel import closed_port

from forecast.errors import MalformedData, RateLimited, SourceUnavailable, UnknownTicker
from forecast.market.sources import yahoo_session
from forecast.market.sources.throttle import Circuit, Gate
from forecast.market.sources.yahoo import Patience

HASTY = replace(PATIENT, connect=0.2, answer=0.1)
"""For those that wait in vain; whoever is answered could miss it on a busy machine."""

# fault, error, a word of its message, how often the ticker is asked for
FOR_EVER = {
    "429": (faults.too_many_requests(), RateLimited, "429", 3),
    "999": (faults.broken(999), RateLimited, "999", 3),
    "500": (faults.broken(500), SourceUnavailable, "500", 3),
    "503": (faults.broken(503), SourceUnavailable, "503", 3),
    # yfinance asks once more with another crumb.
    "403": (faults.broken(403), SourceUnavailable, "403", 3 * 2),
    "down": (faults.down, SourceUnavailable, "right back", 3),
    # curl asks once more over a fresh connection when one that it kept open turns out dead.
    "cut": (faults.cut, SourceUnavailable, "no connection", 3 * 2),
    "cut short": (faults.cut_short, SourceUnavailable, "broke", 3),
    "HTML": (faults.html, MalformedData, "HTML instead of JSON", 2),
    "no result": (faults.no_result, MalformedData, "without a result", 2),
    "zone": (faults.meta(exchangeTimezoneName="Mars/Base"), MalformedData, "Mars/Base", 2),
    "no name": (faults.meta(exchangeName=7), MalformedData, "7 as 'exchangeName'", 2),
    "weekly": (faults.meta(dataGranularity="1wk"), MalformedData, "'1wk' as the bars'", 1 + 2),
    "no zone": (faults.meta(exchangeTimezoneName=None), MalformedData, "time zone", 2),
    "no meta": (faults.meta(instrumentType=None), MalformedData, "instrumentType", 1 + 2),
    # These spoil the rows alone, so that the time zone is asked for once beside them.
    "ragged close": (faults.ragged("close"), MalformedData, "close 29", 1 + 2),
    "ragged stamps": (faults.ragged("timestamp"), MalformedData, "timestamp 29", 1 + 2),
    "ragged adjclose": (faults.ragged("adjclose"), MalformedData, "adjclose 29", 1 + 2),
    "unadjusted": (faults.unadjusted(), MalformedData, "without adjusted closes", 1 + 2),
    "text": (faults.cell("open", 4, "12.5"), MalformedData, "'12.5' in 'open'", 1 + 2),
    "null stamp": (faults.cell("timestamp", 4, None), MalformedData, "'timestamp'", 1 + 2),
}


@pytest.mark.parametrize("name", FOR_EVER)
def test_a_fault_for_ever_is_named(yahoo: Yahoo, ask, name: str) -> None:
    fault, error, word, asked = FOR_EVER[name]
    yahoo.add("AAPL", made_up(30))
    yahoo.inject("AAPL", fault)
    with pytest.raises(error, match=rf"AAPL: .*{word}") as caught:
        ask("AAPL")
    assert type(caught.value) is error
    assert caught.value.hint
    assert len(yahoo.charts("AAPL")) == asked


@pytest.mark.parametrize("name", FOR_EVER)
def test_it_recovers_by_itself(yahoo: Yahoo, ask, name: str) -> None:
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    yahoo.inject("AAPL", FOR_EVER[name][0], times=1)
    received = ask("AAPL").quotes
    assert received.to_numpy().tobytes() == quotes.to_numpy().tobytes()


def reached() -> Gate:
    gate = Gate()
    gate.reached = True
    return gate


def test_no_answer_is_given_up_and_asked_for_again(yahoo: Yahoo, ask) -> None:
    yahoo.inject("AAPL", faults.silent)
    with (
        LoopbackSession(yahoo.address) as session,
        pytest.raises(SourceUnavailable, match=r"AAPL: .*in time") as caught,
    ):
        ask("AAPL", session=session, gate=reached(), patience=HASTY)
    assert caught.value.hint
    # What was sent: a question may arrive after it was given up.
    assert sum("/chart/AAPL" in address for address in session.sent) == HASTY.tries


def test_it_recovers_by_itself_from_no_answer(yahoo: Yahoo, ask) -> None:
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    yahoo.inject("AAPL", faults.silent, times=1)
    received = ask("AAPL", gate=reached(), patience=replace(HASTY, tries=1000)).quotes
    assert received.to_numpy().tobytes() == quotes.to_numpy().tobytes()


def test_429_twice_is_waited_out(yahoo: Yahoo, ask) -> None:
    yahoo.add("AAPL", made_up(30))
    yahoo.inject("AAPL", faults.too_many_requests(), times=2)
    assert len(ask("AAPL").quotes) == 30


@pytest.mark.parametrize("fault", [faults.too_many_requests("1"), faults.broken(503, "1")])
def test_retry_after_is_respected(yahoo: Yahoo, ask, monkeypatch, fault) -> None:
    yahoo.add("AAPL", made_up(30))
    yahoo.inject("AAPL", fault, times=1)
    moments = []
    answer = yahoo.answer
    monkeypatch.setattr(
        yahoo, "answer", lambda path: (moments.append(time.monotonic()), answer(path))[1]
    )
    ask("AAPL")
    assert max(later - earlier for earlier, later in pairwise(moments)) >= 1.0


@pytest.mark.parametrize("after", ["120", "Wed, 21 Oct 2999 07:28:00 GMT"])
def test_a_longer_retry_after_than_the_patience_is_told_at_once(yahoo: Yahoo, ask, after) -> None:
    yahoo.inject("AAPL", faults.too_many_requests(after))
    with pytest.raises(RateLimited, match=r"asked again in \d{3,} s"):
        ask("AAPL", patience=replace(PATIENT, total=60.0))
    assert len(yahoo.charts("AAPL")) == 1


def test_the_ticker_is_given_up_at_its_deadline(yahoo: Yahoo, ask) -> None:
    yahoo.inject("AAPL", faults.silent)
    patience = Patience(connect=0.2, answer=0.2, total=0.5, tries=100, pause=0.01)
    with pytest.raises(SourceUnavailable, match="in time"):
        ask("AAPL", patience=patience)
    assert len(yahoo.charts("AAPL")) <= 3


ROWS = {
    "NaN close": (faults.cell("close", 7, None), {"close": np.nan}),
    "NaN volume": (faults.cell("volume", 7, None), {"volume": np.nan}),
    "NaN adjusted close": (faults.cell("adjclose", 7, None), {"adj_close": np.nan}),
    "infinite close": (faults.cell("close", 7, float("inf")), {"close": np.inf}),
    "negative open": (faults.cell("open", 7, -1.0), {"open": -1.0}),
    "high below low": (faults.cell("high", 7, 0.5), {"high": 0.5}),
    "volume below zero": (faults.cell("volume", 7, -5), {"volume": -5.0}),
    "empty row": (
        faults.empty_row(7),
        dict.fromkeys(["open", "high", "low", "close", "adj_close", "volume"], np.nan),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_an_odd_value_is_kept_for_the_quality_pass(yahoo: Yahoo, ask, name: str) -> None:
    fault, told = ROWS[name]
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    yahoo.inject("AAPL", fault)
    received = ask("AAPL").quotes
    expected = quotes.copy()
    for column, value in told.items():
        expected.iloc[7, expected.columns.get_loc(column)] = value
    np.testing.assert_array_equal(received.to_numpy(), expected.to_numpy())
    assert received.index.equals(expected.index.as_unit("us"))


def test_repeated_and_unsorted_rows_are_kept_as_sent(yahoo: Yahoo, ask) -> None:
    quotes = made_up(30)
    quotes.loc["2024-01-11", "dividends"] = 0.24
    yahoo.add("AAPL", quotes)
    for fault, expected in (
        (faults.repeated_row(5), quotes.iloc[[*range(6), *range(5, 30)]]),
        (faults.unsorted(), quotes.iloc[::-1]),
    ):
        yahoo.heal()
        yahoo.inject("AAPL", fault)
        received = ask("AAPL").quotes
        np.testing.assert_array_equal(received, expected)
        assert received.index.equals(expected.index.as_unit("us"))
    yahoo.heal()
    yahoo.inject("AAPL", faults.repeated_session(5))
    received = ask("AAPL").quotes
    np.testing.assert_array_equal(received, quotes)
    assert received.index[5] == quotes.index[4]


def test_what_pays_no_dividend_may_come_without_adjusted_closes(yahoo: Yahoo, ask) -> None:
    quotes = made_up(30)
    yahoo.add("EURUSD=X", quotes, kind="CURRENCY")
    without = faults.on_rows(lambda result, _: result["indicators"].pop("adjclose"))
    yahoo.inject("EURUSD=X", without)
    np.testing.assert_array_equal(ask("EURUSD=X").quotes, quotes)


def test_truncated_rows_are_fewer_rows(yahoo: Yahoo, ask) -> None:
    # That they are too few only shows beside what was stored before, or beside the calendar.
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    yahoo.inject("AAPL", faults.truncated(10))
    assert ask("AAPL").quotes.index[-1] == quotes.index[19]


def test_the_live_row_stands_for_its_session(yahoo: Yahoo, ask) -> None:
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    # A row of 13:07 beside the day's own of 09:30, as Yahoo sends it while the market is open.
    yahoo.inject("AAPL", faults.live_row(3 * 3600 + 37 * 60, close=123.0, volume=5))
    received = ask("AAPL").quotes
    assert len(received) == 30
    assert received.iloc[-1][["close", "volume"]].tolist() == [123.0, 5.0]
    np.testing.assert_array_equal(received.iloc[:-1], quotes.iloc[:-1])


@pytest.mark.parametrize("value", [None, 0.0])
@pytest.mark.parametrize("column", ["open", "close", "adjclose"])
def test_a_live_row_that_lacks_a_price_stands_for_nothing(yahoo: Yahoo, ask, column, value) -> None:
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    yahoo.inject("AAPL", faults.live_row(6 * 3600, **{column: value, "volume": 5}))
    np.testing.assert_array_equal(ask("AAPL").quotes, quotes)


@pytest.mark.parametrize(("after", "stands"), [("17:59:00", True), ("18:00:00", False)])
def test_a_futures_evening_is_of_the_next_session(yahoo: Yahoo, ask, after, stands) -> None:
    quotes = made_up(30)
    known = {"exchange": "CME", "kind": "FUTURE", "opens": datetime.time(0)}
    yahoo.add("ES=F", quotes, **known)
    seconds = int(pd.Timedelta(after).total_seconds())
    yahoo.inject("ES=F", faults.live_row(seconds, close=99.0, adjclose=99.0))
    received = ask("ES=F").quotes
    assert len(received) == 30
    assert (received["close"].iloc[-1] == 99.0) == stands
    assert (received.iloc[-1] == quotes.iloc[-1]).all() != stands


COOKIE_FAULTS = {
    "refused": faults.too_many_requests(),
    "broken": faults.broken(),
    "HTML": faults.html,
    "no answer": faults.silent,
    "cut": faults.cut,
}


@pytest.mark.parametrize("name", COOKIE_FAULTS)
@pytest.mark.parametrize("which", ["cookie", "crumb"])
def test_bars_need_neither_cookie_nor_crumb(yahoo: Yahoo, ask, monkeypatch, which, name) -> None:
    if name == "no answer":
        monkeypatch.setattr(yahoo_session, "_EXTRA_TIMEOUT", 0.1)
    yahoo.add("AAPL", made_up(30))
    yahoo.inject(which, COOKIE_FAULTS[name])
    assert len(ask("AAPL").quotes) == 30


def test_a_cookie_of_another_kind_does_no_harm(yahoo: Yahoo, ask) -> None:
    yahoo.add("AAPL", made_up(30))
    for text in ("A1=x; Domain=.yahoo.com; Path=/", "A3=x; Path=/elsewhere", "junk"):
        cookie = faults.Answer(200, b"", {"Set-Cookie": text})
        yahoo.inject("cookie", lambda _, cookie=cookie: cookie, times=1)
    for _ in range(3):
        assert len(ask("AAPL").quotes) == 30


def test_a_stale_crumb_is_renewed(yahoo: Yahoo, ask) -> None:
    yahoo.add("AAPL", made_up(30))
    ask("AAPL")
    yahoo.inject("AAPL", faults.stale_crumb, times=1)
    assert len(ask("AAPL").quotes) == 30


def test_after_repeated_refusals_nobody_asks(yahoo: Yahoo, ask) -> None:
    now = [0.0]
    gate = Gate(circuit=Circuit(threshold=2, cooling=60, clock=lambda: now[0]))
    patience = Patience(tries=1)
    yahoo.add("AAPL", made_up(30))
    for ticker in ("A", "B"):
        yahoo.inject(ticker, faults.too_many_requests())
        with pytest.raises(RateLimited):
            ask(ticker, gate=gate, patience=patience)
    asked = len(yahoo.requests)
    with pytest.raises(RateLimited, match=r"AAPL: not asked for, because just before: B: .*429"):
        ask("AAPL", gate=gate)
    assert len(yahoo.requests) == asked
    now[0] = 61.0
    assert len(ask("AAPL", gate=gate).quotes) == 30


def test_unknown_and_malformed_tickers_open_no_circuit(yahoo: Yahoo, ask) -> None:
    gate = Gate(circuit=Circuit(threshold=1, cooling=60))
    yahoo.add("AAPL", made_up(30))
    yahoo.inject("BAD", faults.html)
    for ticker, error in (("GONE", UnknownTicker), ("BAD", MalformedData)):
        with pytest.raises(error):
            ask(ticker, gate=gate)
    assert len(ask("AAPL", gate=gate).quotes) == 30


def test_a_closed_door_is_knocked_at_once(yahoo: Yahoo, ask) -> None:
    gate = Gate()
    with closed_port() as port, LoopbackSession(f"http://127.0.0.1:{port}") as session:
        for ticker in ("AAPL", "IBM"):
            with pytest.raises(SourceUnavailable, match=rf"{ticker}: .*no connection"):
                ask(ticker, session=session, gate=gate)
    assert not gate.reached
    # The other session would find an open door, but the circuit is open.
    with pytest.raises(SourceUnavailable, match="not asked for"):
        ask("AAPL", gate=gate)
    assert yahoo.requests == []


def test_a_server_that_says_nothing_is_given_up_in_time(ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with (
            LoopbackSession(address) as session,
            pytest.raises(SourceUnavailable, match="in time"),
        ):
            ask("AAPL", session=session, patience=HASTY)


def test_nothing_is_printed(yahoo: Yahoo, ask, capfd, caplog) -> None:
    for ticker, fault in (("A", faults.no_result), ("B", faults.html), ("C", faults.broken())):
        yahoo.inject(ticker, fault)
        yahoo.inject("crumb", faults.broken(), times=1)
        with pytest.raises((MalformedData, SourceUnavailable)):
            ask(ticker)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
