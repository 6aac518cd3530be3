from datetime import time

import pandas as pd
import pytest

from forecast.errors import ConfigError
from forecast.market import sessions
from forecast.market.sessions import (
    CALENDARS,
    EVERY_DAY,
    SUFFIXES,
    WEEKDAYS,
    calendar_name,
    check_exchange,
    closing_time,
    expected_sessions,
    infer_calendar,
    last_completed,
    next_sessions,
)

FLOORS = ["FRA", "XFRA", "BER", "MUN", "HAN", "STU", "DUS", "HAM"]


def dates(index):
    return [f"{session:%Y-%m-%d}" for session in index]


@pytest.mark.parametrize(
    ("exchange", "now", "done"),
    [
        # Closes 16:00 New York = 21:00 UTC in winter; settled half an hour later.
        ("NMS", "2026-11-20 21:29", "2026-11-19"),
        ("NMS", "2026-11-20 21:30", "2026-11-20"),
        # 20:00 UTC in summer: the last Friday before the clocks go back, and the Monday after.
        ("NYQ", "2026-10-30 20:29", "2026-10-29"),
        ("NYQ", "2026-10-30 20:30", "2026-10-30"),
        ("NYQ", "2026-11-02 20:30", "2026-10-30"),
        ("NYQ", "2026-11-02 21:30", "2026-11-02"),
        # Thanksgiving, then a half day that closes at 13:00 New York.
        ("NMS", "2026-11-26 23:00", "2026-11-25"),
        ("NMS", "2026-11-27 18:29", "2026-11-25"),
        ("NMS", "2026-11-27 18:30", "2026-11-27"),
        # A weekend; the days after 2001-09-10; hurricane Sandy.
        ("NMS", "2026-11-22 12:00", "2026-11-20"),
        ("NYQ", "2001-09-16 12:00", "2001-09-10"),
        ("NYQ", "2012-10-30 23:00", "2012-10-26"),
        # Tokyo closes 15:30 = 06:30 UTC, London 16:30 = UTC in winter.
        ("JPX", "2026-11-20 06:59", "2026-11-19"),
        ("JPX", "2026-11-20 07:00", "2026-11-20"),
        ("LSE", "2026-11-20 16:59", "2026-11-19"),
        ("LSE", "2026-11-20 17:00", "2026-11-20"),
        # Xetra closes 17:30, Germany's floors at 22:00 = 21:00 UTC in winter.
        ("GER", "2026-11-20 17:00", "2026-11-20"),
        *((code, "2026-11-20 21:29", "2026-11-19") for code in FLOORS),
        *((code, "2026-11-20 21:30", "2026-11-20") for code in FLOORS),
        # Crypto trades every day and closes at midnight UTC; currencies on weekdays.
        ("CCC", "2026-11-22 00:29", "2026-11-20"),
        ("CCC", "2026-11-22 00:30", "2026-11-21"),
        ("CCY", "2026-11-21 00:30", "2026-11-20"),
        ("CCY", "2026-11-22 23:00", "2026-11-20"),
        ("CCY", "2026-11-23 23:00", "2026-11-20"),
    ],
)
def test_last_completed(exchange, now, done):
    assert last_completed(exchange, pd.Timestamp(now, tz="UTC")) == pd.Timestamp(done)


def test_last_completed_reads_the_clock_in_any_zone():
    noon = pd.Timestamp("2026-11-20 16:30", tz="America/New_York")
    assert last_completed("NMS", noon) == pd.Timestamp("2026-11-20")


def test_last_completed_takes_another_lag():
    now = pd.Timestamp("2026-11-20 21:30", tz="UTC")
    assert last_completed("NMS", now, lag=pd.Timedelta(hours=2)) == pd.Timestamp("2026-11-19")


def test_last_completed_before_the_calendar_begins_counts_weekdays():
    # Tokyo's calendar begins in 1997; 1990-01-07 was a Sunday.
    now = pd.Timestamp("1990-01-07 12:00", tz="UTC")
    assert last_completed("JPX", now) == pd.Timestamp("1990-01-05")


def test_next_sessions_leave_out_weekends_and_holidays():
    # Christmas on a Friday, New Year's Day on the next.
    coming = next_sessions("NMS", pd.Timestamp("2026-12-23"), 6)
    assert dates(coming) == [
        "2026-12-24",
        "2026-12-28",
        "2026-12-29",
        "2026-12-30",
        "2026-12-31",
        "2027-01-04",
    ]


def test_next_sessions_of_crypto_and_currencies():
    friday = pd.Timestamp("2026-11-20")
    assert dates(next_sessions("CCC", friday, 3)) == ["2026-11-21", "2026-11-22", "2026-11-23"]
    assert dates(next_sessions("CCY", friday, 3)) == ["2026-11-23", "2026-11-24", "2026-11-25"]


def test_next_sessions_go_on_as_weekdays_past_the_calendars_end():
    # Shanghai publishes its holidays a year at a time.
    end = sessions._sessions(CALENDARS["SHH"], 2100)[-1]
    coming = next_sessions("SHH", end - pd.Timedelta(days=14), 300)
    assert len(coming) == 300
    assert coming.is_unique and coming.is_monotonic_increasing
    beyond = coming[coming > end]
    assert len(beyond) > 250
    assert list(beyond) == list(pd.bdate_range(beyond[0], beyond[-1]))


def test_next_sessions_far_ahead_still_know_the_holidays():
    coming = next_sessions("NMS", pd.Timestamp("2031-12-24"), 1)
    assert dates(coming) == ["2031-12-26"]


def test_next_sessions_refuse_a_count_of_zero():
    with pytest.raises(ValueError, match="at least 1"):
        next_sessions("NMS", pd.Timestamp("2026-11-20"), 0)


def test_expected_sessions_equal_the_samples():
    from forecast.market.sources import sample

    kept = sample.fetch("AAPL").quotes.index
    pd.testing.assert_index_equal(expected_sessions("NMS", kept[0], kept[-1]), kept)


def test_expected_sessions_of_an_unknown_exchange_are_a_programming_fault():
    with pytest.raises(ValueError, match="known"):
        expected_sessions("NOWHERE", pd.Timestamp("2020-01-01"), pd.Timestamp("2020-02-01"))


@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XTKS", "XSHG", "XBOM", "XSAU", "CMES"])
def test_calendars_can_be_built(calendar):
    now = pd.Timestamp("2026-11-21 12:00", tz="UTC")
    assert last_completed(calendar, now) >= pd.Timestamp("2026-11-19")


@pytest.mark.slow
@pytest.mark.parametrize("calendar", sorted(set(CALENDARS.values())))
def test_every_calendar_can_be_built(calendar):
    now = pd.Timestamp("2026-11-21 12:00", tz="UTC")
    assert last_completed(calendar, now) >= pd.Timestamp("2026-11-19")


def test_an_exchange_is_a_code_a_calendar_or_a_plain_rule():
    assert calendar_name("NMS") == "XNYS"
    assert calendar_name("XLON") == "XLON"
    assert calendar_name("Weekdays") == WEEKDAYS
    assert calendar_name("NOWHERE") is None
    assert calendar_name(None) is None


def test_check_exchange_names_the_choices():
    assert check_exchange("XTKS") == "XTKS"
    with pytest.raises(ConfigError, match=r"'NASDAQ'.*XNYS"):
        check_exchange("NASDAQ")


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("nasdaq", "NAS, if"),
        ("NYSE", "NYS or XNYS, if"),
        ("every day", "every_day, if"),
        ("XXXXXX", "BVMF, "),
    ],
)
def test_the_nearest_codes_come_first(given, near):
    with pytest.raises(ConfigError) as refused:
        check_exchange(given)
    assert (refused.value.hint or "").startswith(near)
    assert "XAMS" in (refused.value.hint or "")


def test_infer_the_calendar_of_bars_without_an_exchange():
    new_york = expected_sessions("XNYS", pd.Timestamp("2015-01-01"), pd.Timestamp("2020-12-31"))
    london = expected_sessions("XLON", pd.Timestamp("2015-01-01"), pd.Timestamp("2020-12-31"))
    assert infer_calendar(new_york) == "XNYS"
    assert infer_calendar(new_york.delete(range(100, 150))) == "XNYS"
    assert infer_calendar(london) == WEEKDAYS
    assert infer_calendar(pd.bdate_range("2015-01-01", "2020-12-31")) == WEEKDAYS
    assert infer_calendar(pd.date_range("2020-01-01", "2020-12-31")) == EVERY_DAY
    assert infer_calendar(pd.bdate_range("1950-01-01", "1955-12-31")) == WEEKDAYS


@pytest.mark.parametrize(
    ("ticker", "calendar"), [("7203.T", "XTKS"), ("VOW3.DE", "XETR"), ("VOD.L", "XLON")]
)
def test_the_suffix_tells_the_exchange_where_the_bars_fit_it(ticker, calendar):
    kept = expected_sessions(calendar, pd.Timestamp("2015-01-01"), pd.Timestamp("2020-12-31"))
    assert infer_calendar(kept, ticker) == calendar
    assert infer_calendar(kept, ticker.replace(".", "")) == WEEKDAYS
    assert infer_calendar(pd.bdate_range("2015-01-01", "2020-12-31"), ticker) == WEEKDAYS
    new_york = expected_sessions("XNYS", kept[0], kept[-1])
    assert infer_calendar(new_york, ticker) == "XNYS"


def test_a_ticker_of_one_letter_is_no_suffix():
    # Ford, for a month in which New York and Düsseldorf both traded on every weekday.
    month = expected_sessions("XNYS", pd.Timestamp("2026-08-03"), pd.Timestamp("2026-08-31"))
    assert infer_calendar(month, "F") == "XNYS"
    assert infer_calendar(month, "VOW3.F") == "XDUS"


def test_every_suffix_stands_for_a_known_calendar():
    assert set(SUFFIXES.values()) <= set(CALENDARS.values())


def test_a_calendar_is_built_once_for_all_tickers():
    last_completed("XNYS", pd.Timestamp("2026-11-20 22:00", tz="UTC"))
    before = sessions._build.cache_info().misses
    for minute in range(50):
        now = pd.Timestamp("2026-11-20 22:00", tz="UTC") + pd.Timedelta(minutes=minute)
        last_completed("NYQ", now)
        expected_sessions("NMS", pd.Timestamp("1990-01-01"), pd.Timestamp("2026-11-20"))
    assert sessions._build.cache_info().misses == before


def test_closing_times_are_the_exchange_s_own():
    assert closing_time("NMS") == (time(16, 0), "America/New_York")
    assert closing_time("XTKS") == (time(15, 30), "Asia/Tokyo")  # half an hour later since 2024
    assert closing_time("LSE") == (time(16, 30), "Europe/London")
    assert closing_time("CCC") == (time(0, 0), "UTC")
    with pytest.raises(ValueError, match="known"):
        closing_time("NOWHERE")
