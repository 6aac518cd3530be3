"""When a challenger is due, what makes a night that night, and what time it is."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.config import Settings
from forecast.errors import ConfigError
from forecast.nightly.clock import Clock, clock_of
from forecast.nightly.plan import settings_hash, why_train
from forecast.nightly.state import Key, Trained

KEY = Key("AAPL", "2012-07-03", "s", "q")


def due(retrain: str, last: str, *, settings: str | None = "s", **known):
    options = {"force": False, "alarm": None, **known}
    return why_train(retrain, Trained(last, settings), key=KEY, **options)


def test_due():
    assert due("nightly", "2012-07-02") == "every night"
    assert due("weekly", "2012-07-02") is None
    assert due("weekly", "2012-06-29") == "first session of the week since the last training"
    assert due("weekly", "2011-07-05") == "first session of the week since the last training"
    assert due("monthly", "2012-07-02") is None
    assert due("monthly", "2012-06-29") == "first session of the month since the last training"
    assert due("monthly", "2011-07-29") == "first session of the month since the last training"
    assert due("drift", "2012-06-01") is None
    assert due("drift", "2012-06-26", alarm="rsi_14 has moved") == "rsi_14 has moved"
    assert due("drift", "2012-06-27", alarm="rsi_14 has moved") is None
    assert due("monthly", "2012-07-02", alarm="rsi_14 has moved") is None
    assert due("monthly", "2012-07-02", force=True) == "it was asked for"
    assert due("monthly", "2012-07-02", settings="other") == "the settings changed"
    assert due("monthly", "2012-07-02", settings=None) is None
    assert why_train("monthly", None, key=KEY, force=False, alarm=None) == "there is no champion"


def test_the_hash_is_of_what_decides_the_outcome():
    def hashed(**values):
        return settings_hash(Settings.model_validate(values))

    same = hashed()
    assert hashed(source="yahoo", keep_snapshots=3, store="x", tensorboard=True) == same
    assert hashed(nightly={"tickers": ["AAPL"], "workers": 2, "keep_runs": 1}) == same
    # Of `evaluate` and `compare`, and of several tickers in one network.
    assert hashed(cost=1, trade="close", seeds=1, folds=3, scheme="rolling") == same
    assert hashed(embedding=4, balanced=True) == same
    others = [
        hashed(units=[8]),
        hashed(seed=1),
        hashed(start="2001-01-02"),
        hashed(network="gru"),
        hashed(exchange="XLON"),
        hashed(nightly={"margin": 0.02}),
        hashed(nightly={"level": 0.2}),
        hashed(nightly={"band": [0.6, 0.9]}),
    ]
    assert len({same, *others}) == 9


def test_the_clock():
    assert clock_of("2012-07-03").now() == pd.Timestamp("2012-07-03T23:59:59Z")
    assert clock_of("2012-07-03T18:30-04:00").now() == pd.Timestamp("2012-07-03T22:30Z")
    assert clock_of("2012-07-03 18:30-04:00").now() == pd.Timestamp("2012-07-03T22:30Z")
    real = clock_of(None)
    assert real == Clock()
    assert abs(real.now() - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "", "2012-07-03T18:30", "2012-13-01", "now", "today", "18:30", "23:30Z"),
        *("2016", "2016-12", "2016Q4", "Dec 2016", "30-12-2016", "2016-W50", "2016-W50T18:30Z"),
        *("2016-12-30x18:30Z", "2016-12-30_18:30Z"),
    ],
)
def test_a_clock_that_is_none(text):
    with pytest.raises(ConfigError, match="the clock must be a date"):
        clock_of(text)


@pytest.mark.parametrize("text", ["9999-12-31", "2262-04-11", "0001-01-01T00:00+14:00"])
def test_a_clock_beyond_the_calendars(text):
    with pytest.raises(ConfigError, match=r"the clock must be between 1970 and 2100.*Received"):
        clock_of(text)
