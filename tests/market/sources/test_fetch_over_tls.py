"""`forecast fetch` as a black box: a process that finds Yahoo by environment variables alone.

Three runs over one home: all is well; every ticker has its fault; all is well again. The rows of
`OUTCOMES` are those of the table in `docs/data.md`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loopback import Tunnel, Yahoo, faults, made_up
from loopback.tunnel import closed_port

from forecast.market.fetching import fetch_one
from forecast.market.sessions import expected_sessions, last_completed

# Whole processes, each fault of test_yahoo_faults.py once more from outside.
pytestmark = pytest.mark.slow

# ticker: fault, error, status (or `kept`: the snapshot is), kind of the finding that is reported
OUTCOMES: dict[str, tuple[faults.Fault, str | None, str, str | None]] = {
    "REFUSED": (faults.too_many_requests(), "RateLimited", "failed", None),
    "LATER": (faults.too_many_requests("120"), "RateLimited", "failed", None),
    "BROKEN": (faults.broken(), "SourceUnavailable", "failed", None),
    "DOWN": (faults.down, "SourceUnavailable", "failed", None),
    "CUT": (faults.cut, "SourceUnavailable", "failed", None),
    "SHORT": (faults.cut_short, "SourceUnavailable", "failed", None),
    "HTML": (faults.html, "MalformedData", "failed", None),
    "NORESULT": (faults.no_result, "MalformedData", "failed", None),
    "RAGGED": (faults.ragged(), "MalformedData", "failed", None),
    "UNADJUSTED": (faults.unadjusted(), "MalformedData", "failed", None),
    "NANCLOSE": (faults.cell("close", 5, None), "MalformedData", "failed", None),
    "NEGATIVE": (faults.cell("open", 5, -1.0), "MalformedData", "failed", None),
    "HIGHLOW": (faults.cell("high", 5, 0.5), "MalformedData", "failed", None),
    "TWOROWS": (faults.repeated_session(5), "MalformedData", "failed", None),
    "TRUNCATED": (faults.truncated(10), None, "kept", None),
    "NULLLAST": (faults.empty_row(-1), None, "kept", None),
    "NULLROW": (faults.empty_row(5), None, "updated", "empty_row"),
    "REPEATED": (faults.repeated_row(5), None, "updated", "duplicate"),
    "UNSORTED": (faults.unsorted(), None, "updated", "order"),
    "NOVOLUME": (faults.cell("volume", 5, None), None, "updated", "no_volume"),
}
ABROAD = {
    "7203.T": ("JPX", "Asia/Tokyo", time(9)),
    "VOD.L": ("LSE", "Europe/London", time(8)),
    "BTC-USD": ("CCC", "UTC", time(0)),
}


@dataclass
class Ran:
    code: int
    tickers: dict[str, dict[str, Any]]
    asked: int


@dataclass
class Story:
    home: Path
    quotes: pd.DataFrame
    abroad: dict[str, pd.DataFrame]
    well: Ran
    ill: Ran
    mended: Ran
    again: Ran


def forecast_fetch(
    tickers: Iterable[str],
    *,
    home: Path,
    variables: dict[str, str],
    yahoo: Yahoo,
    source: str = "yahoo",
) -> Ran:
    before = len(yahoo.requests)
    command = [sys.executable, "-m", "forecast", "fetch", "--json", "--quiet"]
    ended = subprocess.run(
        [*command, "--source", source, "--home", str(home), *tickers],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    entries = {entry["ticker"]: entry for entry in json.loads(ended.stdout)["tickers"]}
    return Ran(ended.returncode, entries, len(yahoo.requests) - before)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    # Where a session closed meanwhile, there was more to fetch from one run to the next.
    while True:
        before = _newest()
        one = _tell(tmp_path_factory.mktemp("fetch"))
        if _newest() == before:
            return one


def _newest() -> list[pd.Timestamp]:
    """The last completed session of each exchange, now."""
    exchanges = ["NMS", *(exchange for exchange, _, _ in ABROAD.values())]
    return [last_completed(exchange, pd.Timestamp.now("UTC")) for exchange in exchanges]


def _tell(folder: Path) -> Story:
    home = folder / "home"
    quotes = _recent("NMS")
    tickers = [*OUTCOMES, "WELL", "SPLIT", "DIVIDEND", "CORRECTION", *ABROAD]
    with Yahoo() as yahoo, Tunnel(yahoo) as tunnel:
        variables = tunnel.environment(folder)

        def run(*names: str) -> Ran:
            return forecast_fetch(names, home=home, variables=variables, yahoo=yahoo)

        for ticker in tickers:
            yahoo.add(ticker, quotes.iloc[:-1])
        for ticker, (exchange, zone, opens) in ABROAD.items():
            yahoo.add(ticker, _recent(exchange), exchange=exchange, zone=zone, opens=opens)
        abroad = {ticker: yahoo.listings[ticker].quotes for ticker in ABROAD}
        # Crypto's session is always open: the newest row is a partial bar at any time of the week.
        bitcoin = yahoo.listings["BTC-USD"]
        bitcoin.quotes = made_up(bitcoin.quotes.index.append(pd.DatetimeIndex([_today()])))
        abroad["BTC-USD"] = bitcoin.quotes.iloc[:-1]
        well = run(*tickers, "GONE")

        for ticker, (fault, *_) in OUTCOMES.items():
            yahoo.listings[ticker].quotes = quotes
            yahoo.inject(ticker, fault)
        yahoo.listings["WELL"].quotes = quotes
        yahoo.listings["SPLIT"].quotes = _split(quotes)
        yahoo.listings["DIVIDEND"].quotes = _dividend(quotes)
        yahoo.listings["CORRECTION"].quotes = _correction(quotes)
        ill = run(*tickers)

        yahoo.heal()
        return Story(home, quotes, abroad, well, ill, run(*tickers), run(*tickers))


def _recent(exchange: str) -> pd.DataFrame:
    done = last_completed(exchange, pd.Timestamp.now("UTC"))
    return made_up(expected_sessions(exchange, done - pd.Timedelta(days=500), done))


def _today() -> pd.Timestamp:
    return pd.Timestamp.now("UTC").tz_localize(None).normalize()


def _split(quotes: pd.DataFrame) -> pd.DataFrame:
    """Two for one on the last session, as Yahoo tells the whole past after it."""
    after = quotes.copy()
    after[["open", "high", "low", "close", "adj_close"]] /= 2
    after["volume"] *= 2
    after.iloc[-1, after.columns.get_loc("splits")] = 2.0
    return after


def _dividend(quotes: pd.DataFrame) -> pd.DataFrame:
    """One percent paid on the last session."""
    after = quotes.copy()
    after.iloc[:-1, after.columns.get_loc("adj_close")] *= 0.99
    after.iloc[-1, after.columns.get_loc("dividends")] = 0.01 * quotes["close"].iloc[-2]
    return after


def _correction(quotes: pd.DataFrame) -> pd.DataFrame:
    """A close of last week told otherwise."""
    after = quotes.copy()
    after.iloc[-5, after.columns.get_loc("close")] *= 1.0001
    return after


def stored(story: Story, ran: Ran, ticker: str) -> pd.DataFrame:
    snapshot = ran.tickers[ticker]["snapshot"]
    return fetch_one(ticker, data=story.home / "data", as_of=snapshot).history.quotes


def test_one_unknown_ticker_fails_alone(story: Story) -> None:
    gone = story.well.tickers.pop("GONE")
    assert gone["error"]["type"] == "UnknownTicker"
    assert {entry["status"] for entry in story.well.tickers.values()} == {"updated"}
    assert story.well.code == 1


@pytest.mark.parametrize("ticker", OUTCOMES)
def test_a_fault_ends_as_documented(story: Story, ticker: str) -> None:
    _, error, status, kind = OUTCOMES[ticker]
    entry = story.ill.tickers[ticker]
    if status == "kept":
        assert entry["snapshot"] == story.well.tickers[ticker]["snapshot"]
    else:
        assert entry["status"] == status
    assert (entry["error"] or {}).get("type") == error
    if error:
        assert ticker in entry["error"]["message"]
        assert entry["error"]["hint"]
    if kind:
        assert kind in {finding["kind"] for finding in entry["findings"]}
    # What was stored before is there still.
    np.testing.assert_array_equal(stored(story, story.well, ticker), story.quotes.iloc[:-1])


def test_the_others_are_stored_all_the_same(story: Story) -> None:
    assert story.ill.code == 1
    assert story.ill.tickers["WELL"]["status"] == "updated"
    np.testing.assert_array_equal(stored(story, story.ill, "WELL"), story.quotes)


@pytest.mark.parametrize("ticker", OUTCOMES)
def test_the_next_healthy_run_recovers_by_itself(story: Story, ticker: str) -> None:
    entry = story.mended.tickers[ticker]
    assert story.mended.code == 0
    assert entry["last"] == f"{story.quotes.index[-1]:%Y-%m-%d}"
    if ticker in ("NULLROW", "NOVOLUME"):  # told as repaired, and looked at again in time
        assert {"repair"} <= {finding["severity"] for finding in entry["findings"]}
    else:
        np.testing.assert_array_equal(stored(story, story.mended, ticker), story.quotes)


@pytest.mark.parametrize(
    ("ticker", "event"), [("SPLIT", _split), ("DIVIDEND", _dividend), ("CORRECTION", _correction)]
)
def test_an_event_between_two_fetches_is_told_and_taken_over(story, ticker, event) -> None:
    assert story.ill.tickers[ticker]["change"] == ticker.lower()
    np.testing.assert_array_equal(stored(story, story.ill, ticker), event(story.quotes))


@pytest.mark.parametrize("ticker", ABROAD)
def test_other_exchanges_keep_their_own_days(story: Story, ticker: str) -> None:
    expected = story.abroad[ticker]
    kept = stored(story, story.well, ticker)
    pd.testing.assert_index_equal(kept.index, expected.index.as_unit("us"), check_names=False)
    np.testing.assert_array_equal(kept, expected)


def test_a_partial_bar_is_left_out_and_told(story: Story) -> None:
    entry = story.well.tickers["BTC-USD"]
    assert entry["last"] == f"{story.abroad['BTC-USD'].index[-1]:%Y-%m-%d}"
    [finding] = [found for found in entry["findings"] if found["kind"] == "partial"]
    assert finding["severity"] == "repair"


def test_when_nothing_new_can_exist_nothing_is_asked_for(story: Story) -> None:
    assert story.again.asked == 0
    assert {entry["status"] for entry in story.again.tickers.values()} == {"current"}
    assert story.again.code == 0


def test_a_yahoo_out_of_reach_leaves_the_store_and_the_sample(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Yahoo() as yahoo, Tunnel(yahoo) as tunnel:
        variables = tunnel.environment(tmp_path)
        yahoo.add("KEPT", _recent("NMS").iloc[:-1])
        well = forecast_fetch(["KEPT"], home=home, variables=variables, yahoo=yahoo)
        with closed_port() as port:
            variables["HTTPS_PROXY"] = f"http://127.0.0.1:{port}"
            ill = forecast_fetch(
                ["KEPT", "AAPL", "NEVER"],
                home=home,
                variables=variables,
                yahoo=yahoo,
                source="auto",
            )
    assert ill.code == 1
    assert ill.tickers["KEPT"]["snapshot"] == well.tickers["KEPT"]["snapshot"]
    assert ill.tickers["AAPL"]["source"] == "sample"
    assert ill.tickers["NEVER"]["error"]["type"] == "SourceUnavailable"


@pytest.mark.slow
def test_two_hundred_tickers_of_which_ten_are_bad(tmp_path: Path) -> None:
    sessions = _recent("NMS").index
    listed = {f"T{number:03d}": made_up(sessions, seed=number) for number in range(190)}
    bad = {"GONE": "UnknownTicker"} | {
        name: error for name, (_, error, *_) in list(OUTCOMES.items())[:9] if error
    }
    with Yahoo() as yahoo, Tunnel(yahoo) as tunnel:
        for ticker, quotes in listed.items():
            yahoo.add(ticker, quotes)
        for ticker in list(bad)[1:]:
            yahoo.add(ticker, made_up(sessions))
            yahoo.inject(ticker, OUTCOMES[ticker][0])
        ran = forecast_fetch(
            [*listed, *bad],
            home=tmp_path / "home",
            variables=tunnel.environment(tmp_path),
            yahoo=yahoo,
        )
    assert ran.code == 1
    failed = {name: entry for name, entry in ran.tickers.items() if entry["status"] == "failed"}
    assert {name: entry["error"]["type"] for name, entry in failed.items()} == bad
    for ticker, quotes in listed.items():
        snapshot = ran.tickers[ticker]["snapshot"]
        kept = fetch_one(ticker, data=tmp_path / "home" / "data", as_of=snapshot).history.quotes
        assert kept.to_numpy().tobytes() == quotes.to_numpy().tobytes()
