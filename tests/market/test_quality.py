import json

import numpy as np
import pandas as pd
import pytest
from loopback import made_up

from forecast.errors import MalformedData
from forecast.market.findings import MOST_LISTED, Finding, Thresholds
from forecast.market.quality import inspect, refuse
from forecast.market.sessions import EVERY_DAY, WEEKDAYS, expected_sessions

# After the close of the 300th session from 2024-01-02 on.
NOW = pd.Timestamp("2025-03-13 23:00", tz="UTC")


@pytest.fixture
def quotes():
    """300 New York sessions without a blemish."""
    sessions = expected_sessions("XNYS", pd.Timestamp("2024-01-02"), pd.Timestamp("2025-12-31"))
    return made_up(sessions[:300])


def check(quotes, **given):
    given = {"calendar": "XNYS", "now": NOW, **given}
    return inspect(quotes, **given)


def only(findings):
    [finding] = findings
    return finding


def day(quotes, row):
    return f"{quotes.index[row]:%Y-%m-%d}"


def test_a_clean_history_passes_unchanged_without_findings(quotes):
    assert quotes.index[-1] == NOW.tz_localize(None).normalize()
    passed, findings = check(quotes)
    assert findings == []
    pd.testing.assert_frame_equal(passed, quotes)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("kind", "column", "value", "rule"),
    [
        ("non_finite", "close", np.nan, "'close' must be a finite number"),
        ("non_finite", "open", np.inf, "'open' must be a finite number"),
        ("non_positive", "open", -1.5, "'open' must be positive"),
        ("non_positive", "adj_close", -1.5, "'adj_close' must be positive"),
        ("magnitude", "open", 1e-300, "'open' must be at least 1e-100"),
        ("magnitude", "volume", 1e300, "'volume' must be at most 1e+100"),
        ("negative", "volume", -1.0, "'volume' must not be negative"),
        ("negative", "splits", -2.0, "'splits' must not be negative"),
        ("ohlc_order", "high", 1.0, "'high' must not be below 'low'"),
        ("ohlc_order", "close", 1.0, "'close' must lie between 'low' and 'high'"),
    ],
)
def test_rejects_name_the_rule_the_number_and_the_first_session(
    quotes, kind, column, value, rule, lenient
):
    quotes.iloc[[7, 9], quotes.columns.get_loc(column)] = value
    finding = next(one for one in check(quotes, lenient=lenient)[1] if one.severity == "reject")
    assert finding.kind == kind
    assert finding.sessions == [day(quotes, 7), day(quotes, 9)]
    assert finding.did == (
        f"{rule}. Received 2 rows where it is not so, first session {day(quotes, 7)} ({value})."
    )


@pytest.mark.parametrize("first", ["0001-01-01", "0202-01-03"])
def test_a_session_older_than_exchanges_is_rejected(quotes, first):
    old = pd.DatetimeIndex([pd.Timestamp(first)], name="session").as_unit("us")
    finding = only(check(pd.concat([quotes.head(1).set_axis(old), quotes]))[1])
    assert (finding.severity, finding.kind) == ("reject", "ancient")
    assert finding.sessions == [first]
    assert "no session may be before 1800. Received 1 row" in finding.did


def test_a_files_duplicated_session_is_rejected(quotes):
    doubled = pd.concat([quotes.iloc[:5], quotes.iloc[4:]])
    finding = only(check(doubled)[1])
    assert (finding.severity, finding.kind) == ("reject", "duplicate")
    assert finding.sessions == [day(quotes, 4)]


def test_a_files_unsorted_sessions_are_rejected(quotes):
    swapped = quotes.iloc[[0, 2, 1, *range(3, 300)]]
    finding = only(check(swapped)[1])
    assert (finding.severity, finding.kind) == ("reject", "order")
    assert finding.sessions == [day(quotes, 1)]


@pytest.mark.parametrize(("rows", "step", "days"), [(10, 5, 7), (14, 21, 30)])
def test_bars_that_are_not_daily_are_rejected(quotes, rows, step, days):
    wide = quotes.iloc[: rows * step : step]
    finding = next(one for one in check(wide)[1] if one.severity == "reject")
    assert (finding.kind, finding.severity) == ("not_daily", "reject")
    assert finding.did == f"bars must be daily. Received {rows}, a median of {days} days apart."


def test_a_few_bars_may_lie_anyhow(quotes):
    assert {one.kind for one in check(quotes.iloc[:45:5])[1]} == {"missing", "few_sessions"}


def test_no_row_at_all_is_rejected(quotes):
    assert only(check(quotes.iloc[:0])[1]).did == "there must be at least one bar. Received none."


def test_refuse_raises_the_first_reject_with_the_next_command(quotes):
    quotes.iloc[3, quotes.columns.get_loc("low")] = -2.0
    with pytest.raises(MalformedData) as caught:
        refuse("AAPL", check(quotes)[1], hint=lambda one: f"correct {one.kind}")
    assert str(caught.value) == (
        f"AAPL: 'low' must be positive. Received 1 row where it is not so, "
        f"first session {day(quotes, 3)} (-2.0). Try: correct non_positive"
    )


def test_refuse_lets_warnings_pass():
    refuse("AAPL", [Finding("warn", "jump", [], "kept")], hint=lambda _: "")


def test_the_same_row_twice_from_a_live_feed_is_kept_once(quotes):
    passed, findings = check(pd.concat([quotes.iloc[:5], quotes.iloc[4:]]), lenient=True)
    pd.testing.assert_frame_equal(passed, quotes)
    assert only(findings) == Finding(
        "repair", "duplicate", [day(quotes, 4)], "1 session: the same row more than once; kept once"
    )


def test_two_different_rows_of_one_session_are_rejected_from_a_live_feed_too(quotes):
    other = quotes.iloc[[4]] * 1.01
    findings = check(pd.concat([quotes, other]).sort_index(), lenient=True)[1]
    assert only(findings).severity == "reject"


def test_unsorted_rows_of_a_live_feed_are_sorted(quotes):
    passed, findings = check(quotes.iloc[[0, 2, 1, *range(3, 300)]], lenient=True)
    pd.testing.assert_frame_equal(passed, quotes)
    assert (only(findings).severity, only(findings).kind) == ("repair", "order")


@pytest.mark.parametrize("lenient", [False, True])
def test_a_row_without_any_price_is_dropped_and_counts_as_missing(quotes, lenient):
    blank = quotes.copy()
    blank.iloc[5, :6] = np.nan
    passed, findings = check(blank, lenient=lenient)
    pd.testing.assert_frame_equal(passed, quotes.drop(quotes.index[5]))
    assert [(one.severity, one.kind, one.sessions) for one in findings] == [
        ("repair", "empty_row", [day(quotes, 5)]),
        ("warn", "missing", [day(quotes, 5)]),
    ]


def test_a_zero_price_of_a_live_feed_stands_for_none(quotes):
    zero = quotes.copy()
    zero.iloc[:3, zero.columns.get_loc("open")] = 0.0
    passed, findings = check(zero, lenient=True)
    pd.testing.assert_frame_equal(passed, quotes.iloc[3:])
    assert (only(findings).severity, only(findings).kind) == ("repair", "zero_price")
    assert only(check(zero)[1]).severity == "reject"


def test_the_newest_row_of_a_live_feed_waits_until_it_is_whole(quotes):
    unsettled = quotes.copy()
    unsettled.iloc[-1, unsettled.columns.get_loc("close")] = np.nan
    passed, findings = check(unsettled, lenient=True)
    pd.testing.assert_frame_equal(passed, quotes.iloc[:-1])
    assert only(findings).kind == "unsettled"


def test_a_missing_volume_of_a_live_feed_becomes_zero(quotes):
    quotes.iloc[8, quotes.columns.get_loc("volume")] = np.nan
    passed, findings = check(quotes, lenient=True)
    assert passed["volume"].iloc[8] == 0
    assert [(one.severity, one.kind) for one in findings] == [
        ("repair", "no_volume"),
        ("warn", "zero_volume"),
    ]


def test_order_broken_by_rounding_is_clamped_and_said(quotes):
    high, low = quotes["high"].iloc[4], quotes["low"].iloc[6]
    quotes.iloc[4, quotes.columns.get_loc("close")] = high * (1 + 5e-7)
    quotes.iloc[6, quotes.columns.get_loc("open")] = low * (1 - 5e-7)
    passed, findings = check(quotes)
    assert passed["high"].iloc[4] == quotes["close"].iloc[4]
    assert passed["low"].iloc[6] == quotes["open"].iloc[6]
    assert only(findings).sessions == [day(quotes, 4), day(quotes, 6)]
    assert (only(findings).severity, only(findings).kind) == ("repair", "rounding")
    unchanged = passed.drop(quotes.index[[4, 6]])
    pd.testing.assert_frame_equal(unchanged, quotes.drop(quotes.index[[4, 6]]))


def test_order_broken_by_more_than_rounding_is_rejected(quotes):
    quotes.iloc[4, quotes.columns.get_loc("close")] = quotes["high"].iloc[4] * (1 + 2e-6)
    assert only(check(quotes)[1]).kind == "ohlc_order"


def test_a_session_that_still_runs_is_dropped(quotes):
    # The last session closes at 21:00 UTC.
    during = quotes.index[-1].tz_localize("UTC") + pd.Timedelta(hours=18)
    passed, findings = check(quotes, now=during)
    pd.testing.assert_frame_equal(passed, quotes.iloc[:-1])
    assert (only(findings).severity, only(findings).kind) == ("repair", "partial")
    assert only(findings).sessions == [day(quotes, -1)]


def test_future_sessions_are_dropped_and_said(quotes):
    now = quotes.index[260].tz_localize("UTC") + pd.Timedelta(hours=22)
    passed, findings = check(quotes, now=now)
    pd.testing.assert_frame_equal(passed, quotes.iloc[:261])
    assert [one.kind for one in findings] == ["partial", "future"]
    assert findings[0].sessions == [day(quotes, 261)]
    assert len(findings[1].sessions) == 300 - 262


def test_only_future_sessions_are_rejected(quotes):
    findings = check(quotes, now=pd.Timestamp("2020-01-02 12:00", tz="UTC"))[1]
    assert [one.severity for one in findings] == ["repair", "reject"]


def test_missing_sessions_are_told_from_holidays(quotes):
    kept = quotes.drop(quotes.index[[10, 11, 40]])
    finding = only(check(kept)[1])
    assert (finding.severity, finding.kind) == ("warn", "missing")
    assert finding.sessions == [day(quotes, 10), day(quotes, 11), day(quotes, 40)]


def test_a_bar_on_a_closed_day_is_a_finding(quotes):
    christmas = quotes.iloc[[200]].set_axis(pd.DatetimeIndex(["2024-12-25"]))
    finding = only(check(pd.concat([quotes, christmas]).sort_index())[1])
    assert (finding.severity, finding.kind) == ("warn", "unexpected")
    assert finding.sessions == ["2024-12-25"]


def test_weekdays_without_a_calendar_miss_only_more_than_a_week(quotes):
    assert check(quotes.iloc[:-1], calendar=WEEKDAYS)[1] == []
    finding = only(check(quotes.iloc[:-1].drop(quotes.index[50:58]), calendar=WEEKDAYS)[1])
    assert finding.kind == "missing"
    assert len(finding.sessions) >= 8


def test_crypto_misses_single_days():
    quotes = made_up(pd.date_range("2024-01-01", periods=300))
    finding = only(check(quotes.drop(quotes.index[33]), calendar=EVERY_DAY)[1])
    assert finding.sessions == ["2024-02-03"]


def _scaled(quotes, first, ratio):
    scaled = quotes.copy()
    prices = ["open", "high", "low", "close", "adj_close"]
    scaled.iloc[first:, [scaled.columns.get_loc(name) for name in prices]] *= ratio
    return scaled


def test_a_jump_that_no_split_explains_is_a_warning(quotes):
    finding = only(check(_scaled(quotes, 150, 0.55))[1])
    assert (finding.severity, finding.kind) == ("warn", "jump")
    assert finding.sessions == [day(quotes, 150)]


def test_a_split_in_prices_as_traded_is_told_for_its_volume(quotes):
    traded = quotes.copy()
    traded.iloc[:150, :4] *= 4  # open, high, low and close
    finding = only(check(traded)[1])
    assert (finding.severity, finding.kind) == ("warn", "split_volume")
    assert finding.sessions == [day(quotes, 150)]


def test_a_dividend_is_no_split(quotes):
    quotes.iloc[:150, quotes.columns.get_loc("adj_close")] *= 0.7
    assert {one.kind for one in check(quotes)[1]} <= {"jump"}


@pytest.mark.parametrize("ratio", [0.5, 1 / 3, 0.1, 2.0])
def test_a_jump_like_a_split_is_said_to_be_one(quotes, ratio):
    finding = only(check(_scaled(quotes, 150, ratio))[1])
    assert (finding.severity, finding.kind) == ("warn", "split_like")
    assert finding.sessions == [day(quotes, 150)]


def test_a_volatile_stretch_is_no_jump(quotes):
    # Ten times the usual spread for a hundred sessions: its own scale, not the history's.
    chance = np.random.default_rng(3)
    size = np.where((np.arange(300) > 150) & (np.arange(300) < 250), 0.05, 0.005)
    close = 100 * np.exp(np.cumsum(size * chance.standard_normal(300)))
    for name in ("open", "high", "low", "close", "adj_close"):
        quotes[name] = close
    assert check(quotes)[1] == []


def test_equal_closes_in_a_row(quotes):
    for name in ("open", "high", "low", "close", "adj_close"):
        quotes.iloc[30:36, quotes.columns.get_loc(name)] = 100.0
    finding = next(one for one in check(quotes)[1] if one.kind == "flat_run")
    assert finding.severity == "warn"
    assert finding.sessions == [day(quotes, row) for row in range(30, 36)]
    flat = Thresholds(flat_run=7)
    assert not any(one.kind == "flat_run" for one in check(quotes, thresholds=flat)[1])


def test_a_session_without_volume_passes_with_a_warning(quotes):
    quotes.iloc[20, quotes.columns.get_loc("volume")] = 0.0
    passed, findings = check(quotes)
    assert len(passed) == 300
    assert only(findings) == Finding(
        "warn", "zero_volume", [day(quotes, 20)], "1 session: a volume of zero; kept"
    )


def test_an_index_without_any_volume_is_one_short_finding(quotes):
    assert only(check(quotes.assign(volume=0.0))[1]).sessions == []


def test_a_short_history_is_a_finding(quotes):
    finding = only(check(quotes.iloc[:249])[1])
    assert (finding.severity, finding.kind) == ("warn", "few_sessions")


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_very_short_history_can_be_inspected(quotes, rows):
    assert only(check(quotes.iloc[:rows])[1]).kind == "few_sessions"


def test_a_live_feed_whose_newest_bar_is_old(quotes):
    ten_sessions_on = pd.Timestamp("2025-03-27 22:00", tz="UTC")
    finding = only(check(quotes, lenient=True, now=ten_sessions_on)[1])
    assert (finding.severity, finding.kind) == ("warn", "stale")
    assert finding.did == "the newest bar is more than 5 sessions old"


def test_a_long_list_of_sessions_is_cut_and_said(quotes):
    long = made_up(pd.bdate_range("2010-01-01", periods=2000))
    long["volume"] = 0.0
    long.iloc[0, long.columns.get_loc("volume")] = 1.0
    finding = next(one for one in check(long, calendar=WEEKDAYS)[1] if one.kind == "zero_volume")
    assert len(finding.sessions) == MOST_LISTED
    assert finding.did.startswith("1999 sessions, the first 250 listed: ")


def test_a_finding_is_a_json_object():
    finding = Finding("warn", "jump", ["2024-01-02"], "kept")
    assert Finding(**json.loads(json.dumps(finding.as_document()))) == finding
