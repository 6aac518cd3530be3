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

import pytest
from homes import Home

from forecast.market.fetching import Fetched, fetch_one
from forecast.nightly import engines
from forecast.nightly.jobs import Job, RunFiles
from forecast.nightly.work import work
from forecast.registry import load_run


def never() -> bool:
    return False


def job_of(home: Home, ticker: str) -> Job:
    fetched = fetch_one(ticker, data=home.folder / "data", source=home.settings.source)
    champion = RunFiles.of(load_run(home.folder, "ACME"))
    if ticker != "ACME":
        champion = RunFiles.of(load_run(home.folder, ticker))
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
