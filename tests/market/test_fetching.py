import gzip
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from loopback import PATIENT, LoopbackSession, Yahoo, faults, made_up
from loopback.tunnel import closed_port
from vendor import SESSIONS, Vendor

from forecast.errors import (
    ArtifactError,
    ConfigError,
    MalformedData,
    NotEnoughBars,
    RateLimited,
    SourceUnavailable,
    UnknownTicker,
)
from forecast.market.bars import check_bars, derive_bars
from forecast.market.fetching import Failed, Fetched, fetch_many, fetch_one
from forecast.market.findings import Thresholds
from forecast.market.sessions import expected_sessions
from forecast.market.sources import sample, yahoo
from forecast.market.sources.throttle import Gate
from forecast.market.store import Store

EVENING = pd.Timestamp("2026-11-20 23:00", tz="UTC")
COLUMNS = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "adj_close": "Adj Close",
    "volume": "Volume",
}


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "csv").mkdir()
    return tmp_path / "csv"


def write(folder, quotes, ticker="ACME"):
    table = quotes[list(COLUMNS)].rename(columns=COLUMNS).rename_axis("Date")
    # Every digit, so that the file holds the very same floats.
    table.to_csv(folder / f"{ticker}.csv", float_format="%.17g")


def stored(data):
    """Every file under the store, with its content."""
    bars = Path(data) / "bars"
    return {path: path.read_bytes() for path in bars.rglob("*") if path.is_file()}


def same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False)


class TestFiles:
    @pytest.mark.parametrize("word", ["AAPL,MSFT", "aapl, msft", "AAPL;MSFT,", "AAPL MSFT"])
    def test_a_list_with_commas_says_how_several_tickers_are_given(self, data, word):
        with pytest.raises(UnknownTicker, match="separated by spaces: AAPL MSFT"):
            fetch_one(word, data=data, source="sample")

    def test_the_sample(self, data):
        fetched = fetch_one("aapl", data=data, source="sample")
        assert (fetched.ticker, fetched.status, fetched.source) == ("AAPL", "updated", "sample")
        assert (fetched.sessions, fetched.first, fetched.last) == (3270, "2000-03-01", "2013-03-01")
        assert fetched.history.exchange == "NMS"
        assert fetched.notice is None
        same(fetched.bars, derive_bars(sample.fetch("AAPL").quotes))

    def test_a_file_is_stored_once_and_again_when_it_changes(self, data, folder):
        quotes = made_up(301)
        write(folder, quotes.iloc[:300])
        first = fetch_one("ACME", data=data, source=f"csv:{folder}")
        before = stored(data)
        again = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert (first.status, again.status) == ("updated", "current")
        assert again.snapshot == first.snapshot
        assert stored(data) == before
        same(again.bars, first.bars)
        write(folder, quotes)
        grown = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert (grown.status, grown.sessions, grown.change) == ("updated", 301, None)
        assert grown.manifest.parent == first.snapshot
        same(grown.history.quotes, quotes)

    def test_the_same_rows_in_another_file_are_current(self, data, folder):
        write(folder, made_up(300))
        first = fetch_one("ACME", data=data, source=f"csv:{folder}")
        plain = (folder / "ACME.csv").read_bytes()
        (folder / "ACME.csv").unlink()
        (folder / "ACME.csv.gz").write_bytes(gzip.compress(plain))
        again = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert (again.status, again.snapshot) == ("current", first.snapshot)

    def test_a_file_without_an_exchange_gets_the_calendar_it_keeps(self, data, folder):
        write(folder, made_up(SESSIONS[:600]), "NYC")
        write(folder, made_up(pd.date_range("2020-01-01", periods=600)), "COIN")
        write(folder, made_up(pd.bdate_range("2020-01-01", periods=600)), "PLAIN")
        results = fetch_many(["NYC", "COIN", "PLAIN"], data=data, source=f"csv:{folder}")
        assert [one.history.exchange for one in results] == ["XNYS", "every_day", "weekdays"]
        override = fetch_one("PLAIN", data=data, source=f"csv:{folder}", exchange="LSE")
        assert override.history.exchange == "LSE"

    def test_a_file_may_be_a_link_to_one_elsewhere(self, data, folder):
        write(folder.parent, made_up(300), "elsewhere")
        (folder / "ACME.csv").symlink_to(folder.parent / "elsewhere.csv")
        assert fetch_one("ACME", data=data, source=f"csv:{folder}").sessions == 300

    def test_a_row_of_the_future_writes_nothing_at_each_fetch(self, data, folder):
        quotes = made_up(SESSIONS[:301])
        write(folder, quotes.set_axis([*SESSIONS[:300], pd.Timestamp("2999-01-04")]))
        now = SESSIONS[300].tz_localize("UTC")
        fetch_one("ACME", data=data, source=f"csv:{folder}", now=now)
        before = stored(data)
        later = now + pd.Timedelta(minutes=1)
        again = fetch_one("ACME", data=data, source=f"csv:{folder}", now=later)
        assert (again.status, [one.kind for one in again.findings]) == ("current", ["future"])
        assert stored(data) == before

    def test_a_folder_may_be_given_from_the_users_own(self, data, folder, monkeypatch):
        monkeypatch.setenv("HOME", str(folder.parent))
        write(folder, made_up(300))
        assert fetch_one("ACME", data=data, source="csv:~/csv").sessions == 300
        with pytest.raises(ConfigError, match="a source folder that begins with ~ must name a"):
            fetch_one("ACME", data=data, source="csv:~nobody-of-this-name/csv")

    def test_a_files_ticker_tells_where_its_sessions_close(self, data, folder):
        kept = expected_sessions("XTKS", pd.Timestamp("2024-01-04"), pd.Timestamp("2026-11-20"))
        write(folder, made_up(kept), "7203.T")
        # Half an hour after Tokyo's close; at midnight UTC of a calendar that knows none.
        closed = pd.Timestamp("2026-11-20 07:00", tz="UTC")
        fetched = fetch_one("7203.T", data=data, source=f"csv:{folder}", now=closed)
        assert (fetched.manifest.exchange, fetched.last) == ("XTKS", "2026-11-20")

    def test_an_exchange_holds_as_long_as_it_is_set(self, data, folder):
        write(folder, made_up(SESSIONS[:600]))
        given = fetch_one("ACME", data=data, source=f"csv:{folder}", exchange="weekdays")
        assert given.manifest.exchange == "weekdays"
        later = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert later.manifest.exchange == "XNYS"

    def test_a_file_that_other_thresholds_judge_anew_keeps_what_they_say(self, data, folder):
        write(folder, made_up(SESSIONS[:300]))
        first = fetch_one("ACME", data=data, source=f"csv:{folder}", now=EVENING)
        strict = {"thresholds": Thresholds(few_sessions=500), "now": EVENING + pd.Timedelta("1s")}
        second = fetch_one("ACME", data=data, source=f"csv:{folder}", **strict)
        assert (second.status, second.manifest.parent) == ("updated", first.snapshot)
        again = fetch_one("ACME", data=data, source=f"csv:{folder}", **strict)
        assert (again.status, again.snapshot) == ("current", second.snapshot)
        assert [one.kind for one in again.findings] == ["few_sessions"]

    @pytest.mark.parametrize("year", [2206, 3026, 9999])
    def test_a_mistyped_year_is_dropped_and_tells_of_no_calendar(self, data, folder, year):
        quotes = made_up(SESSIONS[:600])
        last = pd.DatetimeIndex([pd.Timestamp(year, 1, 5)], name="session")
        write(folder, pd.concat([quotes, quotes.tail(1).set_axis(last)]))
        fetched = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert fetched.history.exchange == "XNYS"
        assert [(one.kind, one.sessions) for one in fetched.findings] == [
            ("future", [f"{year}-01-05"])
        ]
        same(fetched.history.quotes, quotes)

    def test_a_session_that_still_runs_is_taken_once_it_is_over(self, data, folder):
        write(folder, made_up(SESSIONS[:300]))
        during = SESSIONS[299].tz_localize("UTC") + pd.Timedelta(hours=18)
        early = fetch_one("ACME", data=data, source=f"csv:{folder}", now=during)
        assert early.sessions == 299
        assert [one.kind for one in early.findings] == ["partial"]
        late = during + pd.Timedelta(hours=6)
        assert fetch_one("ACME", data=data, source=f"csv:{folder}", now=late).sessions == 300
        # And a clock set back sees what was known then.
        assert fetch_one("ACME", data=data, source=f"csv:{folder}", now=during).sessions == 299

    def test_a_day_without_volume_passes_with_a_finding(self, data, folder):
        quotes = made_up(SESSIONS[:300])
        quotes.iloc[7, quotes.columns.get_loc("volume")] = 0
        write(folder, quotes)
        fetched = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert [(one.severity, one.kind) for one in fetched.findings] == [("warn", "zero_volume")]
        assert fetched.bars["volume"].iloc[7] == 0

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda q: q.iloc[[0, 2, 1, *range(3, 300)]], "in increasing order"),
            (lambda q: pd.concat([q.iloc[:5], q.iloc[4:]]), "must appear once"),
            (lambda q: q.assign(close=q["close"].where(q.index != q.index[9])), "'close' must be"),
            (lambda q: q.assign(low=q["low"].where(q.index != q.index[9], -1.0)), "be positive"),
            (lambda q: q.assign(high=q["high"].where(q.index != q.index[9], 1.0)), "below 'low'"),
            (lambda q: q.iloc[:0], "at least one bar"),
        ],
        ids=["unsorted", "duplicated", "nan", "negative", "high below low", "empty"],
    )
    def test_a_bad_file_is_refused_and_leaves_nothing_behind(self, data, folder, spoil, said):
        write(folder, spoil(made_up(300)))
        with pytest.raises(MalformedData, match=said) as caught:
            fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert caught.value.hint
        assert not data.exists()

    def test_a_day_that_yahoos_download_left_blank_is_dropped_and_said(self, data, folder):
        quotes = made_up(SESSIONS[:300])
        write(folder, quotes)
        lines = (folder / "ACME.csv").read_text().splitlines(keepends=True)
        lines[8] = f"{SESSIONS[7]:%Y-%m-%d}" + ",null" * 6 + "\n"
        (folder / "ACME.csv").write_text("".join(lines))
        fetched = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert [one.kind for one in fetched.findings] == ["empty_row", "missing"]
        same(fetched.history.quotes, quotes.drop(SESSIONS[7]))

    def test_a_bad_file_leaves_what_was_stored(self, data, folder):
        write(folder, made_up(300))
        fetch_one("ACME", data=data, source=f"csv:{folder}")
        before = stored(data)
        write(folder, -made_up(301))
        with pytest.raises(MalformedData):
            fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert stored(data) == before

    @pytest.mark.parametrize("ticker", ["../../etc", "", "A" * 21, "NOPE"])
    def test_a_ticker_that_is_none_leaves_nothing_behind(self, data, folder, ticker):
        # Whether NOPE is one is for Yahoo to say.
        for source in ["sample", f"csv:{folder}", "auto", "yahoo"][: 2 if ticker == "NOPE" else 4]:
            with pytest.raises(UnknownTicker):
                fetch_one(ticker, data=data, source=source)
        assert not data.exists()

    def test_a_damaged_snapshot_is_written_again_from_the_file(self, data, folder):
        write(folder, made_up(300))
        first = fetch_one("ACME", data=data, source=f"csv:{folder}")
        path = data / "bars" / "ACME" / f"{first.snapshot}.parquet"
        path.write_bytes(path.read_bytes()[:-9])
        again = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert str(path) in again.notice
        same(again.bars, first.bars)
        healed = fetch_one("ACME", data=data, source=f"csv:{folder}")
        assert (healed.status, healed.notice) == ("current", None)


class TestServing:
    def test_a_part_is_served_of_the_whole_that_is_stored(self, data):
        first, last = pd.Timestamp("2010-01-02").date(), pd.Timestamp("2010-06-30").date()
        part = fetch_one("IBM", data=data, source="sample", start=first, end=last)
        assert (part.first, part.last, part.sessions) == ("2010-01-04", "2010-06-30", 124)
        assert part.manifest.rows == 3270
        whole = fetch_one("IBM", data=data, source="sample")
        same(part.bars, whole.bars.loc["2010-01-02":"2010-06-30"])

    def test_no_session_between_start_and_end(self, data):
        with pytest.raises(NotEnoughBars, match=r"from 2014-01-01 to the last.*2013-03-01"):
            fetch_one("IBM", data=data, source="sample", start=pd.Timestamp("2014-01-01").date())

    def test_any_past_snapshot_can_be_served_again(self, data, folder):
        write(folder, made_up(300))
        first = fetch_one("ACME", data=data, source=f"csv:{folder}")
        write(folder, made_up(310))
        fetch_one("ACME", data=data, source=f"csv:{folder}")
        (folder / "ACME.csv").unlink()
        past = fetch_one("ACME", data=data, as_of=first.snapshot)
        assert (past.status, past.snapshot, past.source) == ("current", first.snapshot, "csv")
        same(past.bars, first.bars)
        [past] = fetch_many(["acme"], data=data, as_of={"ACME": first.snapshot})
        same(past.bars, first.bars)
        with pytest.raises(ArtifactError, match="20200101T000000Z-00000000"):
            fetch_one("ACME", data=data, as_of="20200101T000000Z-00000000")

    @pytest.mark.parametrize("source", ["google", "csv", "csv:", "sample:x"])
    def test_an_unknown_source_names_the_choices(self, data, source):
        with pytest.raises(ConfigError, match="one of auto, yahoo, sample, csv:DIR"):
            fetch_one("AAPL", data=data, source=source)

    def test_an_unknown_exchange_is_refused(self, data):
        with pytest.raises(ConfigError, match="XNYS"):
            fetch_one("AAPL", data=data, source="sample", exchange="WALLSTREET")

    def test_a_store_at_any_address(self, tmp_path):
        address = f"memory://{tmp_path.name}/lake"
        first = fetch_one("AAPL", data=address, source="sample")
        again = fetch_one("AAPL", data=address, source="sample")
        assert (first.status, again.status) == ("updated", "current")
        same(again.bars, derive_bars(sample.fetch("AAPL").quotes))
        assert Store.open(address).tickers() == ["AAPL"]
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_written(self, data):
        data.write_text("in the way")
        with pytest.raises(ArtifactError, match="writable"):
            fetch_one("AAPL", data=data, source="sample")

    def test_one_odd_folder_never_fails_the_others(self, data, folder):
        for ticker in ("ACME", "LOOP", "PATH"):
            write(folder, made_up(300), ticker)
        (data / "bars" / "PATH" / "csv.json").mkdir(parents=True)
        (data / "bars" / "LOOP").symlink_to("LOOP")
        tickers = ["LOOP", "ACME", "PATH"]
        loop, acme, path = fetch_many(tickers, data=data, source=f"csv:{folder}")
        assert acme.sessions == 300
        assert isinstance(loop.error, ArtifactError) and isinstance(path.error, ArtifactError)
        assert "LOOP must be listable" in loop.error.message

    def test_one_bad_ticker_never_fails_the_others(self, data, folder):
        for number in range(20):
            write(folder, made_up(300, seed=number), f"T{number}")
        write(folder, -made_up(300), "BAD")
        wanted = ["T0", "BAD", "t1", "NOPE", "../x", *(f"T{number}" for number in range(20))]
        done = []
        results = fetch_many(wanted, data=data, source=f"csv:{folder}", on_done=done.append)
        assert [one.ticker for one in results][:6] == ["T0", "BAD", "T1", "NOPE", "../X", "T2"]
        assert len(results) == 23
        assert sorted(one.ticker for one in done) == sorted(one.ticker for one in results)
        failed = {one.ticker: type(one.error) for one in results if isinstance(one, Failed)}
        assert failed == {"BAD": MalformedData, "NOPE": UnknownTicker, "../X": UnknownTicker}
        for one in results:
            if isinstance(one, Fetched):
                same(one.history.quotes, made_up(300, seed=int(one.ticker[1:])))
        assert Store.open(data).tickers() == sorted(f"T{number}" for number in range(20))


@pytest.fixture
def online(monkeypatch):
    """A Yahoo on loopback, asked by the program's own code; `reach` points it elsewhere."""
    whole = yahoo.fetch
    with Yahoo() as server:
        sessions = []

        def reach(address):
            sessions.append(LoopbackSession(address))
            ask = partial(whole, session=sessions[-1], gate=Gate(), patience=PATIENT)
            monkeypatch.setattr(yahoo, "fetch", ask)

        reach(server.address)
        server.reach = reach
        yield server
        for session in sessions:
            session.close()


@pytest.fixture
def nowhere(online):
    """A function that points `online` where nobody listens."""
    with closed_port() as port:
        yield lambda: online.reach(f"http://127.0.0.1:{port}")


class TestYahoo:
    def test_the_sample_served_by_yahoo_is_the_sample(self, data, online):
        online.add("AAPL", sample.fetch("AAPL").quotes)
        over = fetch_one("AAPL", data=data, source="yahoo")
        here = fetch_one("AAPL", data=data, source="sample")
        same(over.bars, here.bars)
        assert (over.source, over.history.exchange) == ("yahoo", "NMS")

    def test_a_ticker_with_one_bad_old_bar_is_had_from_a_later_start(self, data, online):
        quotes = made_up(SESSIONS[:400])
        online.add("AAPL", quotes)
        fetch_one("AAPL", data=data, now=SESSIONS[400].tz_localize("UTC"))
        spoilt = quotes.copy()
        spoilt.iloc[5, spoilt.columns.get_loc("high")] = 1.0
        online.add("AAPL", spoilt)
        a_month_later = SESSIONS[440].tz_localize("UTC")
        with pytest.raises(MalformedData, match="high") as caught:
            fetch_one("AAPL", data=data, now=a_month_later)
        assert "set start" in caught.value.hint and "--refresh" in caught.value.hint
        known = {"data": data, "start": SESSIONS[6].date(), "now": a_month_later}
        assert fetch_one("AAPL", refresh=True, **known).sessions == 394
        assert fetch_one("AAPL", **known).sessions == 394

    def test_nothing_is_asked_for_when_nothing_new_can_exist(self, data, online):
        vendor = Vendor()
        online.add("AAPL", vendor.quotes())
        first = fetch_one("AAPL", data=data, now=vendor.now)
        asked = len(online.requests)
        again = fetch_one("AAPL", data=data, now=vendor.now + pd.Timedelta(hours=9))
        assert (first.status, again.status) == ("updated", "current")
        assert len(online.requests) == asked
        same(again.bars, first.bars)

    @pytest.mark.parametrize("event", ["split", "dividend"])
    def test_an_event_between_two_fetches(self, data, online, event):
        vendor = Vendor()
        online.add("AAPL", vendor.quotes())
        first = fetch_one("AAPL", data=data, now=vendor.now)
        if event == "split":
            vendor.splits = {303: 4.0}
        else:
            vendor.dividends = {303: 0.82}
        vendor.known = 305
        online.add("AAPL", vendor.quotes())
        second = fetch_one("AAPL", data=data, now=vendor.now)
        fresh = fetch_one("AAPL", data=data.with_name("fresh"), now=vendor.now)
        assert second.change == event
        assert [one.kind for one in second.findings] == [event]
        same(second.bars, fresh.bars)
        same(second.history.quotes, vendor.quotes())
        same(fetch_one("AAPL", data=data, as_of=first.snapshot).bars, first.bars)

    def test_only_the_overlap_and_what_is_missing_is_asked_for(self, data, online):
        vendor = Vendor()
        online.add("AAPL", vendor.quotes())
        fetch_one("AAPL", data=data, now=vendor.now)
        vendor.known = 302
        online.add("AAPL", vendor.quotes())
        second = fetch_one("AAPL", data=data, now=vendor.now)
        same(second.history.quotes, vendor.quotes())
        first_asked = pd.Timestamp(int(online.charts("AAPL")[-1]["period1"]), unit="s")
        assert first_asked.normalize() == SESSIONS[280]

    def test_the_stored_bars_serve_while_yahoo_cannot_be_reached(self, data, online, nowhere):
        vendor = Vendor()
        online.add("ACME", vendor.quotes())
        first = fetch_one("ACME", data=data, now=vendor.now)
        nowhere()
        later = vendor.now + pd.Timedelta(days=7)
        served = fetch_one("ACME", data=data, now=later)
        assert (served.status, served.snapshot) == ("current", first.snapshot)
        assert f"stored bars to {first.last}" in served.notice
        with pytest.raises(SourceUnavailable):
            fetch_one("ACME", data=data, source="yahoo", now=later)

    def test_what_is_damaged_is_told_while_yahoo_cannot_be_reached(self, data, online, nowhere):
        vendor = Vendor()
        for known in (300, 303):
            vendor.known = known
            online.add("ACME", vendor.quotes())
            first = fetch_one("ACME", data=data, now=vendor.now)
        path = data / "bars" / "ACME" / f"{first.snapshot}.parquet"
        path.write_bytes(path.read_bytes()[:-9])
        nowhere()
        served = fetch_one("ACME", data=data, now=vendor.now)
        assert served.sessions == 300
        assert "the stored bars to" in served.notice
        assert f"{path} must be as it was written. It is damaged." in served.notice

    def test_the_sample_serves_loudly_where_nothing_is_stored(self, data, nowhere):
        nowhere()
        served = fetch_one("AAPL", data=data)
        assert (served.source, served.last) == ("sample", "2013-03-01")
        assert "SAMPLE" in served.notice

    def test_no_sample_no_store_no_yahoo(self, data, nowhere):
        nowhere()
        with pytest.raises(SourceUnavailable) as caught:
            fetch_one("ACME", data=data)
        assert "--source sample" in caught.value.hint and "csv:DIR" in caught.value.hint
        assert stored(data) == {}

    def test_bars_of_a_file_are_never_taken_for_yahoos(self, data, folder, nowhere):
        write(folder, made_up(300))
        fetch_one("ACME", data=data, source=f"csv:{folder}")
        nowhere()
        with pytest.raises(SourceUnavailable):
            fetch_one("ACME", data=data)

    def test_a_refusal_is_not_papered_over(self, data, online):
        vendor = Vendor()
        online.add("AAPL", vendor.quotes())
        fetch_one("AAPL", data=data, now=vendor.now)
        before = stored(data)
        online.inject("AAPL", faults.too_many_requests())
        later = vendor.now + pd.Timedelta(days=7)
        with pytest.raises(RateLimited):
            fetch_one("AAPL", data=data, now=later)
        assert stored(data) == before
        online.heal()
        online.reach(online.address)
        assert fetch_one("AAPL", data=data, now=later).status == "current"

    def test_many_tickers_of_which_some_are_bad(self, data, online):
        vendor = Vendor()
        for number in range(40):
            online.add(f"T{number}", made_up(SESSIONS[:300], seed=number))
        spoilt = made_up(SESSIONS[:300])
        spoilt.iloc[9, spoilt.columns.get_loc("open")] = -1.0
        online.add("BAD", spoilt)
        wanted = [*(f"T{number}" for number in range(40)), "BAD", "NOPE"]
        results = fetch_many(wanted, data=data, source="yahoo", now=vendor.now)
        failed = {one.ticker: type(one.error) for one in results if isinstance(one, Failed)}
        assert failed == {"BAD": MalformedData, "NOPE": UnknownTicker}
        for one in results[:40]:
            same(one.history.quotes, made_up(SESSIONS[:300], seed=int(one.ticker[1:])))
        assert Store.open(data).tickers() == sorted(f"T{number}" for number in range(40))

    @pytest.mark.parametrize(
        ("zone", "exchange", "opens", "calendar"),
        [("Asia/Tokyo", "JPX", 9, "XTKS"), ("UTC", "CCC", 0, "every_day")],
    )
    def test_other_exchanges(self, data, online, zone, exchange, opens, calendar):
        from datetime import time

        from forecast.market.sessions import calendar_name, expected_sessions

        first, last = pd.Timestamp("2025-01-06"), pd.Timestamp("2026-03-31")
        quotes = made_up(expected_sessions(calendar, first, last))
        online.add("X", quotes, zone=zone, exchange=exchange, opens=time(opens))
        fetched = fetch_one("X", data=data, now=pd.Timestamp("2026-04-01 04:00", tz="UTC"))
        same(fetched.history.quotes, quotes)
        assert calendar_name(fetched.history.exchange) == calendar
        assert fetched.findings == []


@pytest.mark.parametrize("trial", ["kill", "crowd"])
def test_processes_that_are_killed_or_many_leave_a_readable_store(tmp_path, trial):
    script = Path(__file__).with_name("trial_processes.py")
    done = subprocess.run(
        [sys.executable, script, trial, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    rounds, served = done.stdout.split()
    assert int(rounds) >= 50
    # Not every child dies before it has stored something.
    assert int(served) > 10


def test_the_bars_are_checked(data, folder):
    write(folder, made_up(300))
    bars = fetch_one("ACME", data=data, source=f"csv:{folder}").bars
    assert check_bars(bars, ticker="ACME") is bars
    assert np.isfinite(bars.to_numpy()).all()
