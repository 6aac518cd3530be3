"""What damage leaves is made good; what goes wrong with one ticker is that ticker's alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest
from ledger.issues import chain
from made_challengers import RUN, files_of, issued, work_of

from forecast.errors import ForecastError
from forecast.evaluation.promotion import Decision
from forecast.ledger import open_ledger
from forecast.nightly import engines, ready, steps
from forecast.nightly import night as nights
from forecast.nightly.clock import Clock, clock_of
from forecast.nightly.commit import commit
from forecast.nightly.jobs import RunFiles
from forecast.nightly.state import TickerState, read_state
from forecast.pipeline.watch import Watch
from forecast.registry import (
    champion,
    history,
    load_run,
    promote,
    run_folder,
    runs_of,
    save_run,
)

NOW = "2012-07-03"


def test_a_challenger_that_is_no_better_leaves_the_champion(home, monkeypatch):
    home.tickers, home.nightly = ("ACME",), {"retrain": "nightly", "keep_runs": 1}
    before = champion(home.folder, "ACME")
    work = work_of(home, Decision(False, "Not promoted: it is worse.", {}))
    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(work, jobs))
    night = home.night(NOW)
    assert night.exit_code == 0
    (entry,) = night.document["tickers"]
    assert (entry["status"], entry["trained"], entry["promoted"]) == ("done", True, False)
    assert entry["reason"] == "Not promoted: it is worse."
    assert champion(home.folder, "ACME") == entry["champion"] == before
    assert issued(home)[-1] == ("07-03", before)
    assert {one.run for one in runs_of(home.folder, "ACME")} == {before, RUN}


def test_old_runs_over_several_tickers_go_too(home):
    """Of three by hand, one is a champion and the newest is kept."""
    saved = RunFiles.of(load_run(home.folder, "BETA"), "BETA")
    runs = [f"201206{day}T000000Z-beef" for day in ("01", "02", "03")]
    for run in runs:
        save_run(
            run_folder(home.folder, ["ACME", "BETA"], run),
            save_network=lambda path: path.write_bytes(saved.network),
            inputs=saved.inputs,
            manifest={**saved.manifest, "run": run},
            metrics=saved.metrics,
        )
    promote(home.folder, "BETA", runs[0], reason="by hand")
    home.nightly = {"keep_runs": 1}
    home.night(NOW)
    kept = {path.name for path in (home.folder / "models" / "_together").iterdir()}
    assert kept == {runs[0], runs[2]}


def test_a_failed_training_leaves_the_champion_to_forecast(home, monkeypatch):
    home.tickers, home.nightly = ("ACME",), {"retrain": "nightly"}

    def work(job):
        done = engines.work(replace(job, challenger=None))
        return replace(done, error=ForecastError("the loss became NaN", hint="another seed"))

    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(work, jobs))
    night = home.night(NOW)
    (entry,) = night.document["tickers"]
    assert (entry["status"], entry["issued"], night.exit_code) == ("failed", True, 1)
    assert entry["error"]["message"] == "the loss became NaN"
    assert read_state(home.folder, "ACME").done.session == "2012-07-02"
    assert home.night(NOW).document["tickers"][0]["unissued"] == (
        "one from 2012-07-03 was issued before"
    )


def test_a_damaged_champion_gives_way_to_the_one_before(home):
    first = champion(home.folder, "ACME")
    files_of(home).save(home.folder, "ACME")
    promote(home.folder, "ACME", RUN, reason="tried")
    network = home.folder / "models" / "ACME" / RUN / "network.keras"
    network.chmod(0o644)
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    night = home.night(NOW)
    entry = night.document["tickers"][0]
    assert (entry["status"], entry["champion"], entry["issued"]) == ("done", first, True)
    assert "it is damaged" in entry["notices"][0]
    assert f"{first} serves instead" in entry["notices"][0]
    assert champion(home.folder, "ACME") == first


def test_a_damaged_state_costs_nothing_but_the_work(home):
    (home.folder / "data/nightly/state/ACME.json").write_text('{"done": 1')
    night = home.night("2012-07-02")
    assert [entry["status"] for entry in night.document["tickers"]] == ["done", "nothing"]
    assert night.document["tickers"][0]["unissued"] == "one from 2012-07-02 was issued before"
    assert len(issued(home)) == 1


@pytest.mark.parametrize(
    "state",
    [
        '{"trained": {"session": 20120702, "settings": null}}',
        '{"trained": {"session": "2012-07-02"}}',
        '{"done": []}',
        "[]",
    ],
)
def test_a_state_that_is_none_is_as_if_there_were_none(home, state):
    path = home.folder / "data/nightly/state/ACME.json"
    path.write_text(state)
    assert read_state(home.folder, "ACME") == TickerState()
    path.write_text('{"entry": {"ticker": "ACME"}}')
    assert read_state(home.folder, "ACME").entry == {"ticker": "ACME"}


def test_odd_files_of_one_ticker_do_not_end_the_night_of_all(home):
    for number, text in enumerate(("[]", "null", '{"tickers": []}', '{"tickers": {"ACME": {}}}')):
        run = home.folder / "models" / "ACME" / f"20120101T00000{number}Z-0dd0"
        run.mkdir()
        (run / "manifest.json").write_text(text)
    (home.folder / "models" / "ACME" / "tuned.toml").write_text(
        'study = "x"\ntarget = "return"\nhorizon = 1\nlast = 2010-01-01T00:00:00\n'
        "[settings]\ndropout = 0.2\n"
    )
    night = home.night(NOW)
    assert [entry["status"] for entry in night.document["tickers"]] == ["failed", "done"]
    assert "tuned.toml must hold" in night.document["tickers"][0]["error"]["message"]


@pytest.mark.parametrize(
    ("where", "step"), [(steps, "plan"), (ready, "why_train"), (steps, "commit")]
)
def test_a_fault_that_nobody_foresaw_is_one_tickers_alone(home, monkeypatch, where, step):
    before = getattr(where, step)

    def fault(*arguments, **known):
        if "ACME" in repr(arguments) + repr(known):
            raise TypeError("'<' not supported")
        return before(*arguments, **known)

    monkeypatch.setattr(where, step, fault)
    night = home.night(NOW)
    assert [entry["status"] for entry in night.document["tickers"]] == ["failed", "done"]
    entry = night.document["tickers"][0]
    assert entry["settled"] == (0 if step == "plan" else 1)
    assert "TypeError at test_night_survives.py:" in entry["error"]["message"]
    assert entry["error"]["hint"].startswith("forecast doctor")


def test_a_job_that_cannot_be_made_is_one_tickers_failure(home, monkeypatch):
    """A search ends badly while the night is at work."""
    before = steps.ready_of

    def spoilt_meanwhile(plan, *arguments, **known):
        if plan.ticker == "ACME":
            (home.folder / "models" / "ACME" / "tuned.toml").write_text("study =")
        return before(plan, *arguments, **known)

    monkeypatch.setattr(steps, "ready_of", spoilt_meanwhile)
    first, second = home.night(NOW).document["tickers"]
    assert (first["status"], first["settled"], second["status"]) == ("failed", 1, "done")
    assert "tuned.toml must hold" in first["error"]["message"]


def test_a_job_without_an_outcome_is_a_failure_and_not_left_out(home, monkeypatch):
    before = engines.here
    monkeypatch.setattr(engines, "here", lambda jobs, pause: before([*jobs][1:], pause=pause))
    night = home.night(NOW)
    first, second = night.document["tickers"]
    assert (first["status"], second["status"], night.exit_code) == ("failed", "done", 1)
    assert first["error"]["message"].startswith("ACME: a job must come to an outcome")


def test_a_page_takes_in_entries_of_an_older_version(home):
    summary = home.folder / "reports/nightly/2012-07-03/summary.json"
    summary.parent.mkdir()
    old = {"ticker": "GONE", "session": NOW, "status": "done"}
    summary.write_text(json.dumps({"tickers": [old]}))
    assert home.night(NOW).document["page"] is not None
    written = json.loads(summary.read_bytes())["tickers"]
    assert [entry["ticker"] for entry in written] == ["GONE", "ACME", "BETA"]


@pytest.mark.parametrize(
    "odd",
    [
        *({"settled": None}, {"seconds": "x"}, {"notices": "abc"}, {"alarms": [["x"]]}),
        *({"ticker": ["x"]}, {"live": 7}, {"status": None}, {"error": "x"}),
    ],
)
def test_an_odd_value_in_an_earlier_entry_costs_that_entry_alone(home, odd):
    home.tickers = ("ACME",)
    home.night(NOW)
    page = home.folder / "reports/nightly/2012-07-03/summary.json"
    told = json.loads(page.read_bytes())
    state = home.folder / "data/nightly/state/ACME.json"
    known = json.loads(state.read_bytes())
    state.write_text(json.dumps({**known, "entry": known["entry"] | odd}))
    page.write_text(json.dumps({**told, "tickers": [told["tickers"][0] | odd]}))
    assert home.night(NOW).document["page"] is not None
    (entry,) = json.loads(page.read_bytes())["tickers"]
    assert (entry["ticker"], entry["status"]) == ("ACME", "nothing")


def test_a_page_that_cannot_be_made_ends_no_night(home):
    summary = home.folder / "reports/nightly/2012-07-03/summary.json"
    summary.parent.mkdir()
    odd = {"ticker": "GONE", "session": NOW, "status": "done", "forecast": {}}
    summary.write_text(json.dumps({"tickers": [odd]}))
    told: list[str] = []
    night = home.night(NOW, watch=Watch(notice=told.append))
    assert (night.document["page"], night.exit_code) == (None, 0)
    assert any("page could not be written: reports/nightly/2012-07-03" in text for text in told)


def test_an_entry_that_says_nothing_is_its_tickers_failure_alone(home):
    """In the chain, but no issue: of a ticker that is fetched, and of one that is not."""
    chain(
        home.folder / "data" / "ledger.sqlite",
        '{"kind":"issue","ticker":"ACME","origin":"soon"}',
    )
    night = home.night(NOW)
    (odd, other) = night.document["tickers"]
    assert (odd["status"], other["status"]) == ("failed", "done")
    assert "does not say what it must: origin: " in odd["error"]["message"]
    (home.csv / "ACME.csv").unlink()
    (gone, other) = home.night("2012-07-05").document["tickers"]
    assert (gone["status"], other["status"]) == ("failed", "done")
    assert gone["notices"][0].startswith("nothing could be settled: ")


def test_a_damaged_ledger_is_named_and_nothing_is_changed(home):
    head = home.folder / "data" / "ledger.head"
    head.write_text(json.dumps({"entries": 99, "hash": "0" * 64}))
    with pytest.raises(ForecastError, match="The end is cut off"):
        home.night(NOW)
    assert len(history(home.folder, "ACME")) == 1


def test_a_session_that_closed_meanwhile_is_not_forecast(home, monkeypatch):
    """A night may take until after the next close: the clock is read when a forecast is issued."""
    seen = {}

    class Late(Clock):
        def now(self):
            late = "2012-07-05T20:00Z" if seen else "2012-07-03T23:00Z"
            return pd.Timestamp(late)

    def slow(home_, ledger, plan, outcome, **known):
        seen["late"] = True
        return commit(home_, ledger, plan, outcome, **known)

    monkeypatch.setattr(steps, "commit", slow)
    night = nights.run_night(["ACME"], home=home.folder, settings=home.settings, clock=Late())
    (entry,) = night.document["tickers"]
    assert (entry["status"], entry["issued"]) == ("done", False)
    assert entry["unissued"] == "the session of 2012-07-05 that it is of has closed"


def test_the_clock_of_an_issue_is_the_nights(home):
    clock = clock_of("2012-07-03T18:31-04:00")
    nights.run_night(["ACME"], home=home.folder, settings=home.settings, clock=clock)
    with open_ledger(home.folder, read_only=True) as ledger:
        assert ledger.track_record("ACME")["issued_at"].max() == pd.Timestamp("2012-07-03T22:31Z")
