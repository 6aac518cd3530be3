"""Nights, one after the other: each is done once, and from nothing but what was known then."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from homes import FIRST_NIGHT, TICKERS, Home, walk

from forecast.config import Settings
from forecast.errors import BusyError, ConfigError
from forecast.ledger import open_ledger
from forecast.nightly import engines, steps
from forecast.nightly.clock import clock_of
from forecast.nightly.commit import mark_done
from forecast.nightly.night import run_night
from forecast.nightly.state import night_lock
from forecast.pipeline.train import train
from forecast.pipeline.tuned import Tuned, write_tuned
from forecast.pipeline.watch import Watch
from forecast.registry import champion, history, load_run


def record(home: Home) -> pd.DataFrame:
    with open_ledger(home.folder, read_only=True) as ledger:
        assert ledger.verify() == []
        return ledger.track_record()


def statuses(night) -> dict[str, str]:
    return {entry["ticker"]: entry["status"] for entry in night.document["tickers"]}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "heartbeat.json" and "logs" not in path.parts
    }


def test_the_first_night_trains_promotes_and_forecasts(first_night):
    home, night = first_night
    assert night.exit_code == 0
    for entry in night.document["tickers"]:
        assert (entry["status"], entry["session"]) == ("done", FIRST_NIGHT)
        assert entry["trained"] and entry["promoted"] and entry["issued"]
        assert entry["why"] == "there is no champion"
        assert entry["run"] == entry["champion"] == champion(home.folder, entry["ticker"])
        assert entry["reason"].startswith("Promoted: the first network")
        assert [step["session"] for step in entry["forecast"]["steps"]] == ["2012-07-03"]
    issued = record(home)
    assert issued["ticker"].tolist() == list(TICKERS)
    assert (issued["origin"] == pd.Timestamp(FIRST_NIGHT)).all()
    assert (issued["issued_at"] == pd.Timestamp("2012-07-02T23:59:59Z")).all()
    assert night.document["page"] == "reports/nightly/2012-07-02/index.html"
    summary = json.loads((home.folder / "reports/nightly/2012-07-02/summary.json").read_bytes())
    assert summary == night.document
    page = (home.folder / night.document["page"]).read_text()
    # With the words, so that these have the room of a column of names.
    assert f"<span>Champion: {night.document['tickers'][0]['champion']}</span></td>" in page
    assert not list((home.folder / "data/nightly/scratch").iterdir())


def test_a_second_run_changes_nothing_and_says_so(home):
    before = contents(home.folder)
    again = home.night(FIRST_NIGHT)
    assert again.exit_code == 0
    for entry in again.document["tickers"]:
        assert entry["status"] == "nothing"
        assert entry["reason"] == "the night of 2012-07-02 is done already"
    assert contents(home.folder) == before


def test_the_next_night_forecasts_without_training_and_settles(home):
    night = home.night("2012-07-03")
    assert set(statuses(night).values()) == {"done"}
    entry = night.document["tickers"][0]
    assert (entry["trained"], entry["reason"]) == (False, "no training was due")
    assert (entry["issued"], entry["settled"]) == (True, 1)
    rows = record(home)
    rows = rows[rows["ticker"] == "ACME"]
    close = walk("ACME")["close"]
    came = math.log(close["2012-07-03"] / close["2012-07-02"])
    assert rows["actual"].tolist() == pytest.approx([came, np.nan], nan_ok=True, abs=1e-15)
    # The fourth of July is a holiday.
    assert rows["session"].tolist() == [pd.Timestamp("2012-07-03"), pd.Timestamp("2012-07-05")]


def test_a_night_trains_with_what_a_search_found_but_not_on_the_test_part(home, monkeypatch):
    # In this process; the first night was the pool's.
    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(engines.work, jobs))
    found = {"dropout": 0.2, "units": [3]}
    study = {"study": "reports/x", "target": "return", "horizon": 1, "settings": found}
    before, within = date(2011, 6, 1), date(2012, 6, 1)
    for ticker, last in zip(TICKERS, (before, within), strict=True):
        write_tuned(home.folder, ticker, Tuned(last=last, **study), comment="found by hand")
    notices: list[str] = []
    night = home.night("2012-07-03", watch=Watch(notice=notices.append))
    first, second = night.document["tickers"]
    assert (first["trained"], first["why"]) == (True, "the settings changed")
    assert second["trained"] is False
    run = load_run(home.folder, "ACME", first["run"])
    # The units are set.
    assert (run.manifest["settings"]["dropout"], run.manifest["settings"]["units"]) == (0.2, [4])
    assert any("BETA: the tuned settings are left out" in notice for notice in notices)


@pytest.mark.parametrize("now", ["2012-07-03", "2012-07-04", "2012-07-05T13:00Z"])
def test_a_holiday_is_the_night_before_it(home, now):
    home.night("2012-07-03T17:31Z")  # half a day: closed at 13:00 in New York, and half an hour
    night = home.night(now)
    assert set(statuses(night).values()) == {"nothing"}
    assert night.document["night"] == "2012-07-03"
    assert len(record(home)) == 4


def test_only_the_last_session_is_caught_up(home):
    home.night("2012-07-10")
    origins = record(home)["origin"].unique()
    assert [f"{origin:%m-%d}" for origin in origins] == ["07-02", "07-10"]


def test_nothing_comes_from_bars_after_the_clock(home, first_night, tmp_path):
    """The CSV files hold the rest of the year; a home without it issues the very same."""
    home.night("2012-07-11")
    known = Home(tmp_path / "known", {})
    shutil.copytree(first_night[0].folder, known.folder)
    known.write("2012-07-11")
    known.night("2012-07-11")
    columns = ["ticker", "origin", "session", "last_close", "point", "p05", "p50", "p95", "actual"]
    pd.testing.assert_frame_equal(record(home)[columns], record(known)[columns])


def test_a_bar_that_is_late_is_waited_for(home):
    home.write("2012-07-05")
    night = home.night("2012-07-06")
    assert set(statuses(night).values()) == {"nothing"}
    assert (
        "no bar of 2012-07-06 yet: the newest is of 2012-07-05"
        in (night.document["tickers"][0]["reason"])
    )
    assert len(record(home)) == 2
    home.write("2012-07-06")
    assert set(statuses(home.night("2012-07-06T22:30Z")).values()) == {"done"}
    assert record(home)["origin"].max() == pd.Timestamp("2012-07-06")


def test_a_feed_that_is_dead_is_told_but_no_failure(home):
    home.write("2012-07-05", tickers=("ACME",))
    # A week later: five sessions, then six, without a bar.
    for now, told in (("2012-07-12", False), ("2012-07-13", True), ("2012-07-13", True)):
        night = home.night(now)
        (entry, other) = night.document["tickers"]
        assert (entry["status"], night.exit_code, other["notices"]) == ("nothing", 0, [])
        assert bool(entry["notices"]) == told
        assert ("ACME: the newest bar is of 2012-07-05, 6 sessions ago" in str(night.alert)) == told
    page = (home.folder / night.document["page"]).read_text()
    assert "There is a notice about ACME." in page
    log = (home.folder / "logs" / "nightly.jsonl").read_text().splitlines()
    assert any("6 sessions ago" in line for line in log)


def test_the_sample_is_known_to_have_ended(tmp_path):
    settings = Settings(source="sample")
    night = run_night(["AAPL"], home=tmp_path, settings=settings, clock=clock_of("2014-01-02"))
    (entry,) = night.document["tickers"]
    assert (entry["status"], entry["notices"]) == ("nothing", [])


def test_one_failure_is_one_ticker(home):
    (home.csv / "ACME.csv").unlink()
    night = home.night("2012-07-03")
    assert statuses(night) == {"ACME": "failed", "BETA": "done"}
    assert night.exit_code == 1
    assert night.document["tickers"][0]["error"]["type"] == "UnknownTicker"
    home.write()
    assert statuses(home.night("2012-07-03")) == {"ACME": "done", "BETA": "nothing"}
    summary = json.loads((home.folder / "reports/nightly/2012-07-03/summary.json").read_bytes())
    assert [entry["status"] for entry in summary["tickers"]] == ["done", "done"]


def test_a_ticker_that_is_gone_leaves_no_forecast_waiting(home):
    (home.csv / "ACME.csv").unlink()
    home.nightly = {"retrain": "drift"}
    night = home.night("2012-08-15")
    assert (night.document["tickers"][0]["status"], night.document["tickers"][0]["void"]) == (
        "failed",
        1,
    )
    issued = record(home).set_index("ticker")
    assert issued.loc["ACME", "status"] == "void"
    last = (home.folder / "logs").glob("*")
    told = [json.loads(line) for path in last for line in path.read_text().splitlines()]
    with open_ledger(home.folder, read_only=True) as ledger:
        head = ledger.head()
    noted = [fact for fact in told if fact.get("fact", fact.get("event")) == "ledger"][-1]
    assert (noted["entries"], noted["head"]) == (head.entries, head.hash)


def test_a_ticker_taken_out_of_the_list_leaves_no_forecast_waiting_either(home):
    home.tickers, home.nightly = ("BETA",), {"retrain": "drift"}
    for now, status in (("2012-07-27", "pending"), ("2012-08-15", "void")):
        night = home.night(now)
        assert statuses(night) == {"BETA": "done"}
        assert record(home).set_index("ticker").loc["ACME", "status"] == status
    log = (home.folder / "logs" / "nightly.jsonl").read_text()
    assert '"ticker of no night"' in log


def test_past_the_deadline_the_champion_forecasts_and_the_training_stays_due(home):
    home.nightly = {"retrain": "nightly", "deadline": 1e-9}
    night = home.night("2012-07-03")
    assert set(statuses(night).values()) == {"late"}
    assert night.exit_code == 1
    assert all(entry["issued"] and not entry["trained"] for entry in night.document["tickers"])
    assert "the deadline passed" in night.document["tickers"][0]["reason"]
    again = home.night("2012-07-03")
    assert set(statuses(again).values()) == {"late"}
    assert again.document["tickers"][0]["unissued"] == "one from 2012-07-03 was issued before"
    assert len(record(home)) == 4


def test_forced_it_issues_no_second_forecast(home):
    home.nightly = {"deadline": 1e-9}
    night = home.night(FIRST_NIGHT, force=True)
    assert night.document["tickers"][0]["why"] == "it was asked for"
    assert not any(entry["issued"] for entry in night.document["tickers"])
    assert len(record(home)) == 2


def test_a_stopped_night_is_gone_on_with(home):
    def stop(done: int, of: int, ticker: str) -> None:
        # The night tells of the first ticker that is committed.
        if (done, ticker) == (1, "ACME") and len(record(home)) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    night = home.night("2012-07-03", watch=Watch(step=stop))
    assert signal.getsignal(signal.SIGTERM) is before
    assert (night.stopped, night.exit_code) == (True, 143)
    assert statuses(night) == {"ACME": "done", "BETA": "nothing"}
    left = night.document["tickers"][1]
    assert left["reason"] == "the night was stopped before its turn came"
    assert (left["settled"], left["issued"]) == (1, False)
    assert statuses(home.night("2012-07-03")) == {"ACME": "nothing", "BETA": "done"}
    assert len(record(home)) == 4


def test_a_stop_after_the_last_ticker_stops_nothing(home, monkeypatch):
    def stop(*arguments):
        mark_done(*arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(steps, "mark_done", stop)
    home.tickers = ("ACME",)
    night = home.night("2012-07-03")
    assert (night.stopped, night.exit_code, night.alert) == (False, 0, None)


def test_while_challengers_are_trained_the_night_is_working(home, monkeypatch):
    beats = []

    def pool(jobs, **_):
        beats.append(json.loads((home.folder / "data/nightly/heartbeat.json").read_bytes()))
        return iter(())

    monkeypatch.setattr(engines, "pool", pool)
    home.nightly = {"retrain": "nightly"}
    home.night("2012-07-03")
    assert [(beat["stage"], beat["done"], beat["of"]) for beat in beats] == [("working", 0, 2)]


def test_a_night_at_work_keeps_others_out_at_once(home):
    with night_lock(home.folder), pytest.raises(BusyError, match="Another process is at it"):
        home.night("2012-07-03")
    assert set(statuses(home.night("2012-07-03")).values()) == {"done"}


def test_a_clock_behind_the_champion_is_refused(home):
    night = home.night("2012-06-29")
    assert set(statuses(night).values()) == {"failed"}
    assert "must not be set back behind" in night.document["tickers"][0]["error"]["message"]
    assert len(record(home)) == 2


def test_a_champion_of_classes_is_refused_and_the_others_go_on(home):
    settings = home.settings.model_copy(update={"target": "direction"})
    train([TICKERS[0]], home=home.folder, settings=settings)
    night = home.night("2012-07-03")
    assert statuses(night) == {TICKERS[0]: "failed", TICKERS[1]: "done"}
    error = night.document["tickers"][0]["error"]
    assert "needs a champion that forecasts prices" in error["message"]
    assert error["hint"].startswith(f"forecast rollback {TICKERS[0]}")


def test_without_a_ticker_there_is_no_night(tmp_path):
    with pytest.raises(ConfigError, match="a night needs tickers"):
        Home(tmp_path, {}, ()).night(FIRST_NIGHT)


def test_a_run_is_never_promoted_twice(home):
    home.night("2012-07-03")
    assert [len(history(home.folder, ticker)) for ticker in TICKERS] == [1, 1]
