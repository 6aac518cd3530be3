import numpy as np
import pandas as pd
import pytest
from vendor import SESSIONS, Vendor

from forecast.errors import MalformedData, SourceUnavailable
from forecast.market.bars import History, check_bars, derive_bars
from forecast.market.findings import Thresholds
from forecast.market.overlap import OVERLAP
from forecast.market.snapshots import decode
from forecast.market.store import Store
from forecast.market.updating import Rules, update


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    address = tmp_path / "data" if request.param == "local" else f"memory://{tmp_path.name}/data"
    return Store.open(address)


@pytest.fixture
def local(tmp_path):
    return Store.open(tmp_path / "data")


def bring(store, vendor, *, now=None, ask=None, exchange=None, **given):
    rules = Rules(now or vendor.now, exchange, Thresholds())
    return update(store, "AAPL", ask or vendor.bring, source="yahoo", rules=rules, **given)


def quotes_of(served):
    return decode(served.content)


def kinds(served):
    return [finding["kind"] for finding in served.manifest.findings]


def same_as_fresh(served, vendor):
    """Bit for bit what someone gets who fetches everything today for the first time."""
    fresh = derive_bars(vendor.quotes())
    bars = check_bars(derive_bars(quotes_of(served)), ticker="AAPL")
    pd.testing.assert_frame_equal(bars, fresh, check_exact=True)


def test_the_first_fetch_brings_everything(store, vendor):
    served = bring(store, vendor)
    assert (served.status, served.change, served.notice) == ("updated", None, None)
    assert vendor.asked == [None]
    assert served.manifest.rows == 300
    same_as_fresh(served, vendor)


def test_nothing_is_asked_for_when_nothing_new_can_exist(store, vendor):
    first = bring(store, vendor)
    monday = SESSIONS[300].tz_localize("UTC")
    # That night, the next morning, and the minute before the next close has settled.
    for now in (vendor.now, monday + pd.Timedelta(hours=9), monday + pd.Timedelta("20:29:00")):
        again = bring(store, vendor, now=now)
        assert (again.status, again.manifest) == ("current", first.manifest)
    assert vendor.asked == [None]
    assert bring(store, vendor, now=monday + pd.Timedelta("20:30:00")).status == "current"
    assert len(vendor.asked) == 2


def test_an_update_asks_for_the_overlap_and_what_is_missing(store, vendor):
    first = bring(store, vendor)
    vendor.known = 303
    served = bring(store, vendor)
    assert vendor.asked == [None, SESSIONS[300 - OVERLAP].date()]
    assert (served.status, served.change) == ("updated", None)
    assert served.manifest.parent == first.manifest.snapshot
    assert served.manifest.rows == 303
    same_as_fresh(served, vendor)


def test_the_source_has_nothing_new(store, vendor):
    first = bring(store, vendor)
    later = vendor.now + pd.Timedelta(days=7)
    assert bring(store, vendor, now=later).manifest == first.manifest
    served = bring(store, vendor, now=later, ask=lambda _: None)
    assert (served.status, served.manifest) == ("current", first.manifest)


@pytest.mark.parametrize("arrives", [301, 305, 320])
def test_a_split_between_two_fetches(store, vendor, arrives):
    first = bring(store, vendor)
    vendor.splits = {arrives: 4.0}
    vendor.known = 330
    served = bring(store, vendor)
    assert (served.status, served.change) == ("updated", "split")
    assert vendor.asked[-1] is None
    same_as_fresh(served, vendor)
    said = next(one for one in served.manifest.findings if one["kind"] == "split")
    assert said["sessions"] == [f"{SESSIONS[arrives]:%Y-%m-%d}"]
    assert "a split of 4 shares for one; " in said["did"]
    assert "whole history was fetched again" in said["did"]
    # The snapshot before is still there, to the bit.
    assert quotes_of(first)["close"].equals(vendor.traded["close"].iloc[:300])
    assert store.manifest("AAPL", first.manifest.snapshot) == first.manifest


@pytest.mark.parametrize("arrives", [300, 305, 329])
def test_a_dividend_between_two_fetches(store, vendor, arrives):
    bring(store, vendor)
    vendor.dividends = {arrives: 1.25}
    vendor.known = 330
    served = bring(store, vendor)
    assert (served.status, served.change) == ("updated", "dividend")
    assert vendor.asked[-1] is None
    same_as_fresh(served, vendor)


def test_a_split_and_a_dividend_between_two_fetches(store, vendor):
    bring(store, vendor)
    vendor.splits, vendor.dividends = {310: 2.0}, {305: 0.5}
    vendor.known = 320
    served = bring(store, vendor)
    assert served.change == "split"
    same_as_fresh(served, vendor)
    told = [(one["kind"], one["sessions"], one["did"]) for one in served.manifest.findings]
    done = "the whole history was fetched again, the old snapshot is kept"
    assert told == [
        ("dividend", [f"{SESSIONS[305]:%Y-%m-%d}"], f"a dividend of 0.5; {done}"),
        (
            "split",
            [f"{SESSIONS[310]:%Y-%m-%d}"],
            f"a split of 2 shares for one; {done}",
        ),
    ]


def test_two_splits_that_cancel_are_both_told(store, vendor):
    bring(store, vendor)
    vendor.splits, vendor.known = {305: 2.0, 310: 0.5}, 320
    served = bring(store, vendor)
    assert served.change == "split"
    factors = [one["did"].split(";")[0] for one in served.manifest.findings]
    assert factors == [
        "a split of 2 shares for one",
        "a split of 0.5 shares for one",
    ]
    same_as_fresh(served, vendor)


def test_dividends_known_before_a_split_are_not_told_as_new(store, vendor):
    vendor.dividends = {100: 0.75, 150: 0.000714, 290: 0.5}
    bring(store, vendor)
    vendor.splits, vendor.known = {305: 4.0}, 310
    plain = vendor.quotes

    # Yahoo divides the dividends of old by the split, to six digits.
    def divided():
        quotes = plain()
        before = quotes.index < SESSIONS[305]
        quotes.loc[before, "dividends"] = (quotes.loc[before, "dividends"] / 4).round(6)
        return quotes

    vendor.quotes = divided
    assert kinds(bring(store, vendor)) == ["split"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {290: 0.3}, "a dividend of 0.3; "),
        ({290: 0.2}, {290: 0.3}, "a dividend of 0.3, told as 0.2 before; "),
        ({290: 0.2}, {}, "a dividend of 0.2 is taken back; "),
    ],
)
def test_a_dividend_that_is_told_late_or_otherwise(store, vendor, before, after, said):
    vendor.dividends = before
    bring(store, vendor)
    vendor.dividends, vendor.known = after, 302
    served = bring(store, vendor)
    assert served.change == "dividend"
    [finding] = served.manifest.findings
    assert finding["sessions"] == [f"{SESSIONS[290]:%Y-%m-%d}"]
    assert finding["did"].startswith(said)


def test_updates_over_many_nights_equal_one_fresh_fetch(store, vendor):
    vendor.splits, vendor.dividends = {340: 3.0, 400: 0.1}, {310: 0.4, 375: 0.4, 401: 0.7}
    changes = []
    for known in range(300, 420, 4):
        vendor.known = known
        changes.append(bring(store, vendor).change)
        same_as_fresh(store_served(store), vendor)
    assert [change for change in changes if change] == [
        "dividend",
        "split",
        "dividend",
        "split",
    ]


def store_served(store):
    from forecast.market.updating import readable

    return readable(store, "AAPL", "yahoo")[0]


def test_a_late_correction_of_the_last_session_is_taken_without_fetching_all(store, vendor):
    bring(store, vendor)

    def correct(quotes):
        quotes.iloc[299, quotes.columns.get_loc("volume")] += 1000
        return quotes

    vendor.change, vendor.known = correct, 302
    served = bring(store, vendor)
    assert (served.status, served.change) == ("updated", "correction")
    assert len(vendor.asked) == 2 and vendor.asked[-1] is not None
    assert "1 session: the vendor changed stored sessions" in served.manifest.findings[0]["did"]
    assert served.manifest.findings[0]["sessions"] == [f"{SESSIONS[299]:%Y-%m-%d}"]
    same_as_fresh(served, vendor)


def test_a_correction_early_in_the_overlap_fetches_all(store, vendor):
    bring(store, vendor)

    def correct(quotes):
        quotes.iloc[100:285, quotes.columns.get_loc("volume")] += 1000
        return quotes

    vendor.change, vendor.known = correct, 302
    served = bring(store, vendor)
    assert served.change == "correction"
    assert vendor.asked[-1] is None
    same_as_fresh(served, vendor)


def test_last_digits_that_move_are_no_dividend(store, vendor):
    bring(store, vendor)

    def jitter(quotes):
        quotes["adj_close"] *= 1 + 3e-8
        return quotes

    vendor.change, vendor.known = jitter, 302
    served = bring(store, vendor)
    assert (served.status, served.change) == ("updated", "rounding")
    assert kinds(served) == ["rounding"]
    same_as_fresh(served, vendor)


@pytest.mark.parametrize("event", ["split", "dividend"])
def test_an_event_of_the_session_that_still_runs(store, vendor, event):
    # Its row is not complete, but Yahoo has adjusted the past already.
    bring(store, vendor)
    vendor.known = 304
    if event == "split":
        vendor.splits = {303: 2.0}
    else:
        vendor.dividends = {303: 0.9}
    noon = vendor.now - pd.Timedelta(hours=6)
    served = bring(store, vendor, now=noon)
    assert (served.change, served.manifest.rows) == (event, 303)
    pd.testing.assert_frame_equal(
        derive_bars(quotes_of(served)), derive_bars(vendor.quotes()).iloc[:303], check_exact=True
    )
    over = bring(store, vendor)
    assert (over.change, over.manifest.rows) == (event, 304)
    same_as_fresh(over, vendor)


def test_an_old_correction_is_found_within_a_month(store, vendor):
    bring(store, vendor)

    def correct(quotes):
        quotes.iloc[10, quotes.columns.get_loc("volume")] += 1000
        return quotes

    vendor.change = correct
    changes = []
    for known in range(301, 330):
        vendor.known = known
        changes.append(bring(store, vendor).change)
    assert [change for change in changes if change] == ["correction"]
    assert vendor.asked.count(None) == 2
    same_as_fresh(store_served(store), vendor)


def test_refresh_fetches_all_even_if_nothing_new_can_exist(store, vendor):
    first = bring(store, vendor)
    again = bring(store, vendor, refresh=True)
    assert vendor.asked == [None, None]
    assert (again.status, again.manifest) == ("current", first.manifest)


def test_a_truncated_answer_loses_nothing(store, vendor):
    first = bring(store, vendor)
    whole = vendor.quotes()
    vendor.known = 305
    vendor.change = lambda quotes: quotes.drop(quotes.index[[120, 290]])
    served = bring(store, vendor)
    assert (served.status, served.change) == ("updated", "truncation")
    assert vendor.asked[-1] is None
    assert served.manifest.rows == 305
    pd.testing.assert_frame_equal(quotes_of(served).iloc[:300], whole, check_exact=True)
    said = next(one for one in served.manifest.findings if one["kind"] == "truncation")
    assert said["sessions"] == [f"{SESSIONS[row]:%Y-%m-%d}" for row in (120, 290)]
    # The next healthy answer needs no repair.
    vendor.change, vendor.known = (lambda quotes: quotes), 307
    healed = bring(store, vendor)
    assert (healed.status, healed.change) == ("updated", None)
    same_as_fresh(healed, vendor)
    assert store.manifest("AAPL", first.manifest.snapshot)


def test_an_answer_that_ends_early_changes_nothing(store, vendor):
    first = bring(store, vendor)
    vendor.change = lambda quotes: quotes.iloc[:280]
    served = bring(store, vendor, now=vendor.now + pd.Timedelta(days=5))
    assert (served.status, served.manifest) == ("current", first.manifest)
    assert served.change in (None, "truncation")


def test_a_truncated_answer_with_other_prices_is_not_mixed_in(store, vendor):
    first = bring(store, vendor)
    vendor.splits, vendor.known = {303: 2.0}, 305
    vendor.change = lambda quotes: quotes.iloc[150:]
    served = bring(store, vendor)
    assert (served.status, served.change) == ("current", "truncation")
    assert served.manifest == first.manifest
    assert "left out 150 stored sessions" in served.notice
    assert "--refresh" in served.notice
    taken = bring(store, vendor, refresh=True)
    assert (taken.status, taken.manifest.rows) == ("updated", 155)
    assert store.manifest("AAPL", first.manifest.snapshot) == first.manifest


@pytest.mark.parametrize(("common", "kept"), [(0, 0), (OVERLAP // 2 - 1, 291)])
def test_another_companys_bars_continue_no_stored_ones(store, vendor, common, kept):
    first = bring(store, vendor)
    vendor.known = 600
    vendor.change = lambda quotes: quotes.iloc[300 - common :]
    served = bring(store, vendor)
    assert (served.status, served.manifest.snapshot) == ("current", first.manifest.snapshot)
    # A year has gone by.
    assert kinds(served) == ["stale"]
    assert f"sent {common} of 300 stored sessions" in served.notice
    assert "forecast fetch AAPL --refresh" in served.notice
    taken = bring(store, vendor, refresh=True)
    # A session that is the same to the bit is no other company's.
    rows = kept + 300 + common
    assert (taken.status, taken.notice, taken.manifest.rows) == ("updated", None, rows)
    if not kept:
        same_as_fresh(taken, vendor)


def test_refresh_too_keeps_what_an_answer_that_agrees_leaves_out(store, vendor):
    bring(store, vendor)
    vendor.change = lambda quotes: quotes.iloc[150:]
    kept = bring(store, vendor, refresh=True)
    assert (kept.change, kept.manifest.rows) == ("truncation", 300)


def test_refresh_takes_no_hiccup_for_another_company(store, vendor):
    bring(store, vendor)
    vendor.change = lambda quotes: quotes.iloc[:5]
    kept = bring(store, vendor, refresh=True)
    assert (kept.change, kept.manifest.rows, kinds(kept)) == ("truncation", 300, ["truncation"])


@pytest.mark.parametrize("days", [20, 40])
def test_a_ticker_without_anything_new_grows_stale(store, vendor, days):
    first = bring(store, vendor)
    # Within the month the overlap is asked for, later the whole history.
    served = bring(store, vendor, now=vendor.now + pd.Timedelta(days=days), ask=lambda _: None)
    assert (served.status, served.manifest.snapshot) == ("current", first.manifest.snapshot)
    assert kinds(served) == ["stale"]
    assert served.manifest.findings[0]["sessions"] == [first.manifest.last]


def test_other_thresholds_judge_what_is_stored_without_asking(store, vendor):
    vendor.change = lambda quotes: quotes.drop(quotes.index[7])
    assert kinds(bring(store, vendor)) == ["missing"]
    asked = len(vendor.asked)

    def judged(now, **thresholds):
        rules = Rules(now, None, Thresholds(**thresholds))
        return update(store, "AAPL", vendor.bring, source="yahoo", rules=rules)

    for now in (vendor.now, vendor.now - pd.Timedelta(days=30)):
        served = judged(now, few_sessions=900)
        assert kinds(served) == ["missing", "few_sessions"]
        assert (served.status, served.manifest.rows) == ("current", 299)
        assert kinds(judged(now)) == ["missing"]
    assert len(vendor.asked) == asked
    # A new snapshot is stored as it was judged.
    vendor.known = 301
    second = judged(vendor.now, few_sessions=900)
    assert store.manifest("AAPL", second.manifest.snapshot).findings == second.manifest.findings
    assert kinds(second) == ["missing", "few_sessions"]


def test_findings_are_those_of_what_is_stored(store, vendor):
    bring(store, vendor)
    vendor.known = 305
    vendor.change = lambda quotes: quotes.iloc[280:].drop(quotes.index[290])
    served = bring(store, vendor)
    assert served.manifest.rows == 305
    # Of the answer alone there are few, and one is missing.
    assert kinds(served) == ["truncation"]


def test_an_overlap_without_its_head_is_verified_by_the_whole_history(store, vendor):
    bring(store, vendor)
    whole = vendor.quotes
    vendor.splits, vendor.known = {301: 2.0}, 303

    def ask(first):
        history = vendor.bring(first)
        kept = history.quotes if first is None else history.quotes.iloc[-1:]
        return History("AAPL", kept, "yahoo", "NMS", "USD")

    served = bring(store, vendor, ask=ask)
    assert (served.status, served.change) == ("updated", "split")
    pd.testing.assert_frame_equal(quotes_of(served), whole(), check_exact=True)


@pytest.mark.parametrize("stage", ["first", "update"])
def test_a_malformed_answer_leaves_the_store_as_it_was(local, vendor, stage, tmp_path):
    if stage == "update":
        bring(local, vendor)
        vendor.known = 302

    def spoil(quotes):
        quotes.iloc[-2, quotes.columns.get_loc("open")] = -1.0
        return quotes

    before = sorted((tmp_path / "data").rglob("bars/**/*"))
    vendor.change = spoil
    with pytest.raises(MalformedData, match="'open' must be positive"):
        bring(local, vendor)
    assert sorted((tmp_path / "data").rglob("bars/**/*")) == before
    assert not (tmp_path / "data" / "bars").exists() or before
    vendor.change = lambda quotes: quotes
    same_as_fresh(bring(local, vendor), vendor)


@pytest.mark.parametrize(("row", "start"), [(5, SESSIONS[5]), (298, None)])
def test_a_later_start_is_advised_where_bars_are_left(store, vendor, row, start):
    vendor.change = lambda quotes: quotes.assign(
        high=quotes["high"].where(quotes.index != SESSIONS[row])
    )
    with pytest.raises(MalformedData, match="'high' must be a finite number") as caught:
        bring(store, vendor)
    if start is None:
        assert caught.value.hint == "forecast fetch AAPL, later: the source may have mended it"
    else:
        day = start.date() + pd.Timedelta(days=1)
        assert f"set start = {day} " in caught.value.hint and "--refresh" in caught.value.hint


def test_no_start_is_advised_where_not_all_odd_sessions_are_listed(store, vendor):
    vendor.change = lambda quotes: quotes.assign(
        high=quotes["high"].where(quotes.index >= SESSIONS[260])
    )
    with pytest.raises(MalformedData) as caught:
        bring(store, vendor)
    assert caught.value.hint == "forecast fetch AAPL, later: the source may have mended it"


def test_of_an_answer_without_a_bar_no_session_is_named(store, vendor):
    vendor.change = lambda quotes: quotes * np.nan
    with pytest.raises(MalformedData, match="at least one bar") as caught:
        bring(store, vendor)
    assert caught.value.hint == "forecast fetch AAPL, later: the source may have mended it"


def test_a_source_that_fails_leaves_the_store_as_it_was(local, vendor):
    first = bring(local, vendor)

    def fail(_):
        raise SourceUnavailable("down")

    with pytest.raises(SourceUnavailable):
        bring(local, vendor, now=vendor.now + pd.Timedelta(days=7), ask=fail)
    assert local.newest("AAPL", "yahoo").manifest == first.manifest


def test_the_session_that_still_runs_is_never_stored(store, vendor):
    vendor.known = 301
    noon = SESSIONS[300].tz_localize("UTC") + pd.Timedelta(hours=17)
    served = bring(store, vendor, now=noon)
    assert served.manifest.last == f"{SESSIONS[299]:%Y-%m-%d}"
    assert kinds(served) == ["partial"]
    assert bring(store, vendor, now=noon).status == "current"
    assert len(vendor.asked) == 1
    # Its final values come once it is over.
    vendor.change = lambda quotes: quotes.mul(
        np.where(quotes.index == SESSIONS[300], 1.1, 1), axis=0
    )
    served = bring(store, vendor)
    assert (served.status, served.change) == ("updated", None)
    same_as_fresh(served, vendor)
    assert kinds(served) == []


def test_repairs_stay_on_record_through_later_updates(store, vendor):
    def blank(quotes):
        quotes.iloc[50, :6] = np.nan
        return quotes

    vendor.change = blank
    first = bring(store, vendor)
    assert kinds(first) == ["empty_row", "missing"]
    vendor.known = 303
    assert kinds(bring(store, vendor)) == ["empty_row", "missing"]


def test_a_damaged_snapshot_is_named_and_fetched_again(local, vendor):
    first = bring(local, vendor)
    vendor.known = 303
    second = bring(local, vendor)
    path = _flip(local, second)
    vendor.known = 304
    served = bring(local, vendor)
    assert served.status == "updated"
    assert str(path) in served.notice and "damaged" in served.notice
    same_as_fresh(served, vendor)
    assert quotes_of(first) is not None


def test_a_damaged_snapshot_that_comes_back_the_same_is_healed_in_place(local, vendor):
    first = bring(local, vendor)
    _flip(local, first)
    served = bring(local, vendor)
    assert served.manifest == first.manifest
    assert local.payload(first.manifest) == first.content


def test_the_older_snapshot_serves_while_a_damaged_one_cannot_be_fetched(local, vendor):
    first = bring(local, vendor)
    vendor.known = 303
    second = bring(local, vendor)
    path = _flip(local, second)

    from forecast.market.updating import readable

    served, damage = readable(local, "AAPL", "yahoo")
    assert served.manifest == first.manifest
    assert str(path) in damage


@pytest.mark.parametrize("kind", ["json", "pointer"])
@pytest.mark.parametrize("snapshots", [1, 2])
def test_a_damaged_manifest_or_pointer_is_named_and_mended(local, vendor, kind, snapshots):
    for known in (300, 303)[:snapshots]:
        vendor.known = known
        served = bring(local, vendor)
    path = _flip(local, served, kind)
    told = bring(local, vendor)
    assert f"{path} must be as it was written. It is damaged. It was fetched again." in told.notice
    same_as_fresh(told, vendor)
    assert bring(local, vendor).notice is None


@pytest.mark.parametrize("kind", ["parquet", "json", "pointer"])
def test_a_damaged_file_is_named_where_the_source_fails_too(local, vendor, kind):
    bring(local, vendor)
    path = _flip(local, bring(local, vendor), kind)

    def fail(_):
        raise SourceUnavailable("down.", hint="later")

    with pytest.raises(SourceUnavailable, match=f"^down. {path} must be as it was") as caught:
        bring(local, vendor, ask=fail)
    assert caught.value.hint == "later"
    if kind == "pointer":
        served = bring(local, vendor, ask=lambda _: None)
        assert str(path) in served.notice


def test_a_damaged_manifest_is_named_where_the_pointer_is_gone(local, vendor):
    bring(local, vendor)
    vendor.known = 303
    path = _flip(local, bring(local, vendor), "json")
    (path.parent / "yahoo.json").unlink()
    assert str(path) in bring(local, vendor).notice


def _flip(store, served, kind="parquet"):
    from pathlib import Path

    name = "yahoo.json" if kind == "pointer" else f"{served.manifest.snapshot}.{kind}"
    path = Path(store.root, "AAPL", name)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    return path


def test_an_earlier_start_fetches_the_longer_history(store, vendor):
    start = SESSIONS[200].date()
    first = bring(store, vendor, start=start)
    assert first.manifest.rows == 100
    assert bring(store, vendor, start=SESSIONS[250].date()).status == "current"
    assert vendor.asked == [start]
    whole = bring(store, vendor)
    assert (whole.status, whole.change) == ("updated", None)
    assert whole.manifest.rows == 300
    vendor.known = 302
    # What is stored stays whole, whatever later fetches ask for, until the answer is to be taken.
    assert bring(store, vendor, start=start).manifest.rows == 302
    taken = bring(store, vendor, start=start, refresh=True)
    assert (taken.manifest.rows, taken.change) == (102, None)


def test_an_end_in_the_past_needs_nothing_new(store, vendor):
    first = bring(store, vendor)
    later = vendor.now + pd.Timedelta(days=60)
    served = bring(store, vendor, now=later, end=SESSIONS[250].date())
    assert (served.status, served.manifest) == ("current", first.manifest)
    assert len(vendor.asked) == 1


def test_no_bars_from_the_start_on(store, vendor):
    with pytest.raises(MalformedData, match="from 2030-01-02 on"):
        bring(store, vendor, start=pd.Timestamp("2030-01-02").date())


def test_an_unknown_exchange_is_inferred_from_the_sessions(store, vendor):
    def ask(first):
        history = vendor.bring(first)
        return History("AAPL", history.quotes, "yahoo", "XYZ")

    assert bring(store, vendor, ask=ask).manifest.exchange == "XNYS"
    vendor.known = 302
    assert bring(store, vendor, ask=ask).manifest.exchange == "XNYS"


def test_the_exchange_can_be_overridden(store, vendor):
    # Judged by London's days, and as Yahoo's own code for whoever sets none.
    given = bring(store, vendor, exchange="XLON")
    assert given.manifest.exchange == "NMS"
    assert kinds(given) == ["missing", "unexpected"]
    asked = len(vendor.asked)
    assert kinds(bring(store, vendor)) == []
    assert kinds(bring(store, vendor, exchange="XLON")) == ["missing", "unexpected"]
    assert len(vendor.asked) == asked
    vendor.known = 301
    assert kinds(bring(store, vendor)) == []


def test_an_unknown_exchange_is_inferred_afresh_from_a_whole_history(store, vendor):
    def ask(first):
        return History("AAPL", vendor.bring(first).quotes, "yahoo", "XYZ")

    vendor.known = 5
    # A few sessions are too few.
    assert bring(store, vendor, ask=ask).manifest.exchange == "XNYS"
    vendor.traded.index = pd.date_range("2024-01-01", periods=len(SESSIONS), name="session")
    vendor.known = 300
    now = vendor.traded.index[299].tz_localize("UTC") + pd.Timedelta(days=2)
    taken = bring(store, vendor, ask=ask, refresh=True, now=now)
    assert taken.manifest.exchange == "every_day"
