"""What Yahoo's good answers become."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yfinance
from loopback import Yahoo, faults, made_up

from forecast.errors import UnknownTicker
from forecast.market.bars import QUOTE_COLUMNS, check_bars, derive_bars
from forecast.market.sources import sample


def assert_same(received: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(received, expected, check_exact=True, check_freq=False)


@pytest.mark.parametrize("ticker", ["AAPL", "GOOG"])
def test_the_sample_over_yahoo_is_the_sample(yahoo: Yahoo, ask, ticker: str) -> None:
    expected = sample.fetch(ticker).quotes
    yahoo.add(ticker, expected)
    history = ask(ticker)
    assert_same(history.quotes, expected)
    bars = check_bars(derive_bars(history.quotes), ticker=ticker)
    assert_same(bars, derive_bars(expected))


def test_every_bit_is_kept(yahoo: Yahoo, ask) -> None:
    quotes = made_up(300)
    quotes.iloc[5] = [1e-7, 0.1 + 0.2, 5e-324, 0.1, 1 / 3, 1234.5, 0.0, 0.0]
    quotes.iloc[6, quotes.columns.get_loc("volume")] = 2.0**53
    yahoo.add("ODD", quotes)
    received = ask("ODD").quotes
    assert received.to_numpy().tobytes() == quotes.to_numpy().tobytes()
    assert list(received.columns) == QUOTE_COLUMNS


def test_the_range_is_inclusive_at_both_ends(yahoo: Yahoo, ask) -> None:
    quotes = made_up(30)
    yahoo.add("AAPL", quotes)
    first, last = date(2024, 1, 8), date(2024, 1, 16)
    history = ask("AAPL", first, last)
    assert_same(history.quotes, quotes.loc["2024-01-08":"2024-01-16"])
    # For Yahoo the end is exclusive, and its days begin at midnight in New York.
    query = yahoo.charts("AAPL")[-1]
    assert query["period1"] == str(int(pd.Timestamp(first, tz="America/New_York").timestamp()))
    assert query["period2"] == str(
        int(pd.Timestamp("2024-01-17", tz="America/New_York").timestamp())
    )


@pytest.mark.parametrize(
    ("ticker", "zone", "opens", "sessions", "currency"),
    [
        # Tokyo opens at 00:00 UTC, London at 07:00 or 08:00; crypto's days are UTC's, weekends too.
        ("7203.T", "Asia/Tokyo", time(9), pd.bdate_range("2024-01-04", periods=9), "JPY"),
        ("VOD.L", "Europe/London", time(8), pd.bdate_range("2024-03-25", periods=9), "GBp"),
        ("BTC-USD", "UTC", time(0), pd.date_range("2024-01-01", periods=9), "USD"),
        ("^NZ50", "Pacific/Auckland", time(10), pd.bdate_range("2024-04-04", periods=9), "NZD"),
        # Midnight did not exist there on 2018-11-04.
        ("X.SA", "America/Sao_Paulo", time(10), pd.date_range("2018-11-02", periods=5), "BRL"),
    ],
)
def test_sessions_are_local_dates(yahoo: Yahoo, ask, ticker, zone, opens, sessions, currency):
    quotes = made_up(sessions)
    yahoo.add(ticker, quotes, zone=zone, opens=opens, exchange="EXC", currency=currency)
    history = ask(ticker)
    assert_same(history.quotes, quotes)
    assert (history.timezone, history.currency, history.exchange) == (zone, currency, "EXC")


def test_dividends_and_splits_lie_on_their_sessions(yahoo: Yahoo, ask) -> None:
    quotes = made_up(30)
    quotes.loc["2024-01-09", "dividends"] = 0.24
    quotes.loc["2024-01-23", "splits"] = 4.0
    quotes.loc["2024-01-25", "splits"] = 1 / 3
    yahoo.add("AAPL", quotes)
    assert_same(ask("AAPL").quotes, quotes)


def test_a_split_and_a_dividend_between_two_fetches_rewrite_the_past(yahoo: Yahoo, ask) -> None:
    before = made_up(30)
    yahoo.add("AAPL", before.iloc[:20])
    assert_same(ask("AAPL").quotes, before.iloc[:20])
    after = before.copy()
    after[["open", "high", "low", "close", "adj_close"]] /= 2
    after["volume"] *= 2
    after.loc[:"2024-01-30", "adj_close"] *= 0.99
    after.loc["2024-01-31", "dividends"] = 0.5
    after.loc["2024-01-31", "splits"] = 2.0
    yahoo.add("AAPL", after)
    assert_same(ask("AAPL").quotes, after)


def test_tomorrows_dividend_adds_no_row(yahoo: Yahoo, ask) -> None:
    quotes = made_up(10)
    yahoo.add("AAPL", quotes)
    tomorrow = int(pd.Timestamp("2024-01-16 09:30", tz="America/New_York").timestamp())

    def announce(result, _):
        result["events"] = {"dividends": {"1": {"amount": 0.3, "date": tomorrow}}}

    yahoo.inject("AAPL", faults.on_rows(announce))
    assert_same(ask("AAPL", None, date(2024, 2, 1)).quotes, quotes)


def test_a_changed_old_bar_is_told_as_it_is(yahoo: Yahoo, ask) -> None:
    quotes = made_up(10)
    yahoo.add("AAPL", quotes)
    ask("AAPL", None, date(2024, 1, 15))
    quotes.iloc[3, quotes.columns.get_loc("close")] *= 1.0001
    # The very same range again: yfinance alone would replay its first answer.
    assert_same(ask("AAPL", None, date(2024, 1, 15)).quotes, quotes)


def test_nothing_new_is_none(yahoo: Yahoo, ask) -> None:
    quotes = made_up(10)
    yahoo.add("AAPL", quotes)
    the_day_after = date(2024, 1, 16)
    assert ask("AAPL", the_day_after) is None
    yahoo.inject("AAPL", faults.no_such_range)
    assert ask("AAPL", the_day_after, date(2024, 1, 17)) is None


def test_a_bar_from_before_the_start_is_nothing_new(yahoo: Yahoo, ask) -> None:
    yahoo.add("AAPL", made_up(10))
    whole = yahoo.listings["AAPL"].chart(0, 2**40)
    # Yahoo often answers with its newest bar although it is not in the range.
    yahoo.inject("AAPL", lambda _: faults.Answer.of({"chart": {"result": [whole], "error": None}}))
    assert ask("AAPL", date(2024, 2, 1)) is None


def test_a_range_in_the_future_is_not_asked_for(yahoo: Yahoo, ask) -> None:
    assert ask("AAPL", date(2999, 1, 1)) is None
    assert ask("AAPL", date(2024, 1, 2), date(2024, 1, 1)) is None
    assert yahoo.requests == []


def test_an_unknown_ticker_is_asked_for_once(yahoo: Yahoo, ask) -> None:
    with pytest.raises(UnknownTicker, match=r"GONE.*may be delisted"):
        ask("GONE")
    assert len(yahoo.charts("GONE")) == 1


def test_a_ticker_without_a_bar_is_unknown(yahoo: Yahoo, ask) -> None:
    yahoo.add("SHELL", made_up(2))
    yahoo.inject("SHELL", faults.no_such_range)
    with pytest.raises(UnknownTicker, match=r"SHELL.*not one daily bar"):
        ask("SHELL")


@pytest.mark.parametrize("text", ["../../v1/test/x", "", "A" * 21, "A B", "US0378331005"])
def test_what_is_no_ticker_reaches_no_address(yahoo: Yahoo, ask, text: str) -> None:
    with pytest.raises(UnknownTicker):
        ask(text)
    assert yahoo.requests == []


def test_many_threads_get_each_their_own(yahoo: Yahoo, ask) -> None:
    listed = {f"T{number}": made_up(50, seed=number) for number in range(24)}
    for ticker, quotes in listed.items():
        yahoo.add(ticker, quotes)
    with ThreadPoolExecutor(8) as pool:
        histories = list(pool.map(ask, listed))
    for history, (ticker, quotes) in zip(histories, listed.items(), strict=True):
        assert history.ticker == ticker
        assert_same(history.quotes, quotes)


def test_the_time_zone_is_asked_for_once(yahoo: Yahoo, ask, tmp_path: Path) -> None:
    yahoo.add("AAPL", made_up(5))
    ask("AAPL")
    ask("AAPL")
    assert ["range" in query for query in yahoo.charts("AAPL")] == [True, False, False]
    ask("AAPL", cache=tmp_path / "another")
    assert "range" in yahoo.charts("AAPL")[-2]


def test_caches_are_private_and_hold_no_pickle(yahoo: Yahoo, ask, tmp_path: Path) -> None:
    yahoo.add("AAPL", made_up(5))
    ask("AAPL")
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert not list(tmp_path.rglob("cookies*"))
    assert (tmp_path / "cache" / "tkr-tz.db").is_file()


def test_a_damaged_cache_is_made_anew(yahoo: Yahoo, ask, tmp_path: Path) -> None:
    yahoo.add("AAPL", made_up(5))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tkr-tz.db").write_bytes(b"no database" * 1000)
    assert len(ask("AAPL").quotes) == 5


def test_without_a_place_for_caches_it_does_without(yahoo: Yahoo, ask, tmp_path: Path) -> None:
    yahoo.add("AAPL", made_up(5))
    (tmp_path / "file").write_text("in the way")
    assert len(ask("AAPL", cache=tmp_path / "file" / "cache").quotes) == 5


def test_yfinance_still_serves_its_other_users(yahoo: Yahoo, ask) -> None:
    quotes = made_up(5)
    yahoo.add("AAPL", quotes)
    ask("AAPL")
    table = yfinance.Ticker("AAPL").history(start="2024-01-01", auto_adjust=False)
    np.testing.assert_array_equal(table["Close"], quotes["close"])
