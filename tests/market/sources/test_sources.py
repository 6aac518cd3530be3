"""What holds for every source, and what a line in `SOURCES` is enough for."""

from __future__ import annotations

import inspect

import pandas as pd
import pytest
from loopback import made_up

from forecast.errors import ConfigError
from forecast.market.bars import History
from forecast.market.fetching import fetch_one
from forecast.market.sources import SOURCES, check_source

EVENING = pd.Timestamp("2024-06-28 23:00", tz="UTC")


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_source_is_asked_for_a_ticker_from_a_day_to_a_day(name):
    ticker, start, end, *own = inspect.signature(SOURCES[name]).parameters.values()
    assert (ticker.name, start.name, end.name) == ("ticker", "start", "end")
    assert start.default is None and end.default is None
    assert {parameter.kind for parameter in own} <= {inspect.Parameter.KEYWORD_ONLY}


def test_a_line_in_the_table_makes_a_source(tmp_path, monkeypatch):
    quotes, asked = made_up(pd.bdate_range("2024-01-02", "2024-06-28")), []

    def fetch(ticker, start=None, end=None):
        asked.append(start)
        return History(ticker, quotes.loc[start and pd.Timestamp(start) :], "made_up", "weekdays")

    with pytest.raises(ConfigError, match="Received 'made_up'"):
        check_source("made_up")
    monkeypatch.setitem(SOURCES, "made_up", fetch)

    def fetched(now):
        return fetch_one("ACME", data=tmp_path, source=check_source("made_up"), now=now)

    before = fetched(EVENING - pd.Timedelta(days=7))
    after = fetched(EVENING + pd.Timedelta(days=1))
    assert (before.source, before.last) == ("made_up", "2024-06-20")
    assert (after.status, after.last) == ("updated", "2024-06-28")
    # First all there is, then the overlap and what is missing.
    assert asked[0] is None and str(asked[1]) > "2024-05"
    pd.testing.assert_frame_equal(after.history.quotes, quotes, check_freq=False)
    assert fetched(EVENING + pd.Timedelta(days=1)).status == "current"
    assert len(asked) == 2
