"""Nights that forecast several sessions: a step's outcome comes nights after its neighbour's."""

from __future__ import annotations

import math

import pandas as pd
from homes import Home

from forecast.evaluation import promotion
from forecast.ledger import open_ledger
from forecast.nightly import engines, ready

NIGHTS = ["2012-07-03", "2012-07-05", "2012-07-06", "2012-07-09", "2012-07-10"]


def record(home: Home) -> pd.DataFrame:
    with open_ledger(home.folder, read_only=True) as ledger:
        assert ledger.verify() == []
        return ledger.track_record()


def test_every_night_forecasts_before_and_after_the_last_steps_first_outcome(tmp_path, monkeypatch):
    # In this process, which spares starting a pool.
    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(engines.work, jobs))
    home = Home(tmp_path, {}, ("ACME",), {"horizon": 3})
    home.write()
    entries = [home.night(now).document["tickers"][0] for now in NIGHTS]
    assert [(entry["status"], entry["issued"]) for entry in entries] == [("done", True)] * 5
    assert [entry["settled"] for entry in entries] == [0, 1, 2, 3, 3]
    assert [entry["notices"] for entry in entries] == [[]] * 5
    # The third session ahead has closed for the first time in the fourth night.
    told = [entry["live"] and entry["live"]["forecasts"] for entry in entries]
    assert told == [None, None, None, 1, 2]
    page = home.folder / "reports" / "nightly" / NIGHTS[-1] / "index.html"
    assert page.read_text().count("3 sessions ahead") == 1
    assert record(home)["origin"].dt.strftime("%Y-%m-%d").unique().tolist() == NIGHTS


def test_a_change_of_horizon_costs_no_forecast(home, monkeypatch):
    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(engines.work, jobs))
    # Bars at random teach nothing.
    monkeypatch.setattr(promotion, "LEARNT", -math.inf)
    home.tickers = ("ACME",)
    home.night(NIGHTS[0])
    home.others = {"horizon": 2}
    for now in NIGHTS[1:]:
        (entry,) = home.night(now).document["tickers"]
        assert (entry["status"], entry["issued"], entry["notices"]) == ("done", True, [])
    own = record(home).query("ticker == 'ACME'")
    assert own["step"].max() == 2
    assert own["origin"].nunique() == 6


def test_what_is_only_told_costs_no_forecast(home, monkeypatch):
    def fault(*_):
        raise ZeroDivisionError("of a figure")

    monkeypatch.setattr(ready, "alarms_of", fault)
    monkeypatch.setattr(ready, "live_record", fault)
    night = home.night(NIGHTS[0])
    assert night.exit_code == 0
    for entry in night.document["tickers"]:
        assert (entry["status"], entry["issued"], entry["live"]) == ("done", True, None)
        drift, live = entry["notices"]
        assert drift.startswith("what has drifted could not be told: ZeroDivisionError at test_")
        assert live.startswith("the live record could not be told: ZeroDivisionError at test_")
    assert "could not be told" in str(night.alert)
