"""Jobs in processes: the same outcome as here, and a worker that dies fails its ticker alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from concurrent.futures.process import _ExecutorManagerThread
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from homes import Home

from forecast.ledger import open_ledger
from forecast.market.fetching import Fetched, fetch_one
from forecast.nightly import doing, engines
from forecast.nightly.jobs import Job, RunFiles
from forecast.nightly.work import failed, work
from forecast.pipeline.predict import newest_forecast
from forecast.registry import champion, load_run, promote, run_folder, runs, save_run


def never() -> bool:
    return False


def job_of(home: Home, ticker: str) -> Job:
    fetched = fetch_one(ticker, data=home.folder / "data", source=home.settings.source)
    champion = RunFiles.of(load_run(home.folder, ticker), ticker)
    return Job(fetched, home.settings, champion, None)


def _die() -> None:
    (Path(tempfile.gettempdir()) / "half-done").touch()
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Poison(Fetched):
    """Whoever receives it dies, as a worker does for want of memory."""

    def __reduce__(self):
        return _die, ()


def test_a_worker_that_dies_fails_its_ticker_alone(home, tmp_path):
    good = [job_of(home, ticker) for ticker in home.tickers]
    fetched = good[0].fetched
    poison = Poison("EVIL", "current", fetched.manifest, None, None, b"")
    bad = replace(good[0], fetched=poison)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    outcomes = {
        outcome.ticker: outcome
        for outcome in engines.pool([bad, *good], workers=2, scratch=scratch, pause=never)
    }
    assert sorted(outcomes) == ["ACME", "BETA", "EVIL"]
    assert "its worker must live" in outcomes["EVIL"].error.message
    for job in good:
        here = work(job)
        assert here.error is None
        assert outcomes[job.ticker].forecast == here.forecast
    assert not list((tmp_path / "scratch").iterdir())


def _kill_the_workers():
    for child in multiprocessing.active_children():
        child.kill()
    for thread in threading.enumerate():
        if isinstance(thread, _ExecutorManagerThread):
            thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_between_two_jobs_costs_no_ticker(home, tmp_path, workers):
    jobs = [job_of(home, ticker) for ticker in home.tickers]
    done = []

    def one_by_one():
        yield jobs[0]
        if workers == 1:
            assert done == ["ACME"]
        _kill_the_workers()
        yield jobs[1]

    for outcome in engines.pool(one_by_one(), workers=workers, scratch=tmp_path, pause=never):
        assert outcome.error is None
        done.append(outcome.ticker)
    assert sorted(done) == ["ACME", "BETA"]


def test_a_run_over_several_tickers_is_read_once_and_each_job_has_its_own_part(home, monkeypatch):
    own = {ticker: RunFiles.of(load_run(home.folder, ticker), ticker) for ticker in home.tickers}
    together = run_folder(home.folder, list(home.tickers), "20120702T000000Z-beef")
    files = own["ACME"]
    save_run(
        together,
        save_network=lambda path: path.write_bytes(files.network),
        inputs={ticker: one.inputs[ticker] for ticker, one in own.items()},
        manifest={
            **files.manifest,
            "run": together.name,
            "tickers": {ticker: one.manifest["tickers"][ticker] for ticker, one in own.items()},
        },
        metrics={"runs": [one.metrics["runs"][0] for one in own.values()]},
    )
    for ticker in home.tickers:
        promote(home.folder, ticker, together.name, reason="a test")
    read, jobs = [], []
    before, job_before = runs.verified, doing.Outcomes._job

    def verified(folder, **known):
        read.append(folder)
        return before(folder, **known)

    def job(self, one):
        jobs.append(job_before(self, one))
        return jobs[-1]

    monkeypatch.setattr(runs, "verified", verified)
    monkeypatch.setattr(doing.Outcomes, "_job", job)
    night = home.night("2012-07-03")
    assert [entry["status"] for entry in night.document["tickers"]] == ["done", "done"]
    assert read.count(together) == 1
    for one in jobs:
        champion = one.champion
        assert list(champion.inputs) == list(champion.manifest["tickers"]) == [one.ticker]
        assert [document["ticker"] for document in champion.metrics["runs"]] == [one.ticker]
        whole = newest_forecast(load_run(home.folder, one.ticker), one.fetched)
        (entry,) = (each for each in night.document["tickers"] if each["ticker"] == one.ticker)
        price = entry["forecast"]["last_close"] * np.exp(whole.point[0])
        assert entry["forecast"]["steps"][0]["predicted"] == price


def test_of_a_run_that_never_saw_the_ticker_a_job_has_all(home):
    saved = load_run(home.folder, "ACME")
    files = RunFiles.of(saved, "NEW")
    assert (files.inputs, files.metrics) == (saved.inputs, saved.metrics)


def test_variables_of_the_workers_are_theirs_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", "/somewhere")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert list(engines.pool([], workers=1, scratch=tmp_path, pause=never)) == []
    assert os.environ["TMPDIR"] == "/somewhere"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("engine", [engines.here, engines.pool])
def test_a_pause_that_says_stop_ends_the_work(home, tmp_path, engine):
    known = {} if engine is engines.here else {"workers": 1, "scratch": tmp_path}
    jobs = [job_of(home, ticker) for ticker in home.tickers]
    assert list(engine(jobs, pause=lambda: True, **known)) == []


def test_a_fault_of_the_program_is_one_tickers_error(home):
    job = job_of(home, "ACME")
    broken = replace(job, champion=replace(job.champion, inputs={"ACME": 3}))
    outcome = work(broken)
    assert outcome.forecast is None
    assert "its job must end without a fault. TypeError" in outcome.error.message


def _no_engine(*_, **__):
    raise OSError("no space left")


def _dead_workers(jobs, **_):
    for job in jobs:
        yield failed(job, engines.died(job.ticker, "it was ended twice"))


@pytest.mark.parametrize(
    ("name", "broken", "told"),
    [("fresh_scratch", _no_engine, "no space left"), ("pool", _dead_workers, "was ended twice")],
)
def test_where_nothing_can_be_trained_the_champions_forecast(home, monkeypatch, name, broken, told):
    monkeypatch.setattr(engines if name == "pool" else doing, name, broken)
    night = home.night("2012-07-03", force=True)
    for entry in night.document["tickers"]:
        assert entry["status"] == "failed"
        assert told in entry["error"]["message"]
        assert entry["forecast"]["run"] == champion(home.folder, entry["ticker"])
    with open_ledger(home.folder) as ledger:
        assert {ledger.track_record(ticker)["origin"].iloc[-1] for ticker in home.tickers} == {
            pd.Timestamp("2012-07-03")
        }
