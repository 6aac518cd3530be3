"""The process beside a long search: what it tells, that it is replaced, and what ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import simulated

from forecast.config import Settings
from forecast.errors import ForecastError, TrainingError
from forecast.pipeline import tune as verb
from forecast.pipeline.tune import worker
from forecast.pipeline.watch import Watch

SPACE = {"learning_rate": [0.001, 0.01]}


class Broken:
    """Folds none of which can be prepared, each for another reason."""

    def __len__(self):
        return 3

    def prepared(self, number, settings):
        if number == 0:
            raise TrainingError(f"{settings.network} diverged", hint="a lower rate")
        if number == 1:
            raise MemoryError("no room")
        os._exit(9)


def test_errors_come_back_as_they_were_and_a_dead_process_is_replaced():
    asked = Settings(network="gru")
    with worker.losses_of(Broken(), trials=worker.TRIALS + 1) as loss:
        with pytest.raises(ForecastError) as told:
            loss(0, asked, Watch())
        diverged = {"type": "TrainingError", "message": "gru diverged", "hint": "a lower rate"}
        assert told.value.as_document() == diverged
        assert str(told.value) == "gru diverged Try: a lower rate"
        (child,) = multiprocessing.active_children()
        with pytest.raises(ForecastError) as told:
            loss(1, asked, Watch())
        assert told.value.as_document()["type"] == "MemoryError"
        assert "no room (test_tune_worker.py:" in told.value.message
        with pytest.raises(TrainingError, match="for want of memory"):
            loss(2, asked, Watch())
        assert not multiprocessing.active_children()
        with pytest.raises(ForecastError, match="diverged"):
            loss(0, asked, Watch())
        (another,) = multiprocessing.active_children()
        assert another is not child
    assert not multiprocessing.active_children()


def test_a_short_search_has_no_process_beside_it():
    with worker.losses_of(Broken(), trials=worker.TRIALS) as loss:
        with pytest.raises(MemoryError):
            loss(1, Settings(), Watch())
        assert not multiprocessing.active_children()


@pytest.fixture
def homes(tmp_path):
    found = []
    for name in ("alone", "beside"):
        (tmp_path / name / "csv").mkdir(parents=True)
        simulated.random_walk(620, seed=3).to_csv(
            tmp_path / name / "csv" / "XYZ.csv", index_label="Date"
        )
        found.append(tmp_path / name)
    return found


def search(home, epochs=None):
    settings = Settings(
        source=f"csv:{home / 'csv'}",
        network="dlinear",
        units=(4,),
        lookback=10,
        epochs=2,
        tune={"folds": 2, "space": SPACE},
    )
    watch = Watch() if epochs is None else Watch(epoch=epochs.append)
    return verb.tune("XYZ", home=home, settings=settings, search="grid", watch=watch).document


@pytest.mark.slow
def test_the_same_losses_from_processes_that_are_replaced(homes, monkeypatch):
    alone, beside = homes
    here, there = [], []
    wanted = search(alone, here)
    begun = set()
    real = worker._Worker._begin
    monkeypatch.setattr(worker, "TRIALS", 2)
    monkeypatch.setattr(
        worker._Worker, "_begin", lambda self: (real(self), begun.add(self._process.pid))
    )
    found = search(beside, there)
    # The settings as they are and two more: two trials for the first, one for the second.
    assert len(begun) == 2
    assert [one["folds"] for one in found["trials"]] == [one["folds"] for one in wanted["trials"]]
    assert [(one.number, one.loss) for one in there] == [(one.number, one.loss) for one in here]
    assert not multiprocessing.active_children()


def lives(pid):
    """Whether the process runs; one that nobody has asked after yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
@pytest.mark.usefixtures("default_interrupt")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_search(homes, how):
    home, _ = homes
    values = ",".join(f"{0.001 * number:.3f}" for number in range(1, 40))
    words = ["tune", "XYZ", f"--home={home}", f"--source=csv:{home / 'csv'}", "--network=dlinear"]
    more = ["--units=4", "--lookback=10", "--epochs=1", "--folds=2", "--search=grid"]
    command = [sys.executable, "-m", "forecast", *words, *more, f"--space=learning_rate={values}"]
    searching = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    try:
        while not list(home.glob("reports/XYZ/tune/*/trials/*.json")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        listed = Path(f"/proc/{searching.pid}/task/{searching.pid}/children").read_text()
        workers = [int(pid) for pid in listed.split()]
        assert workers
        if how == signal.SIGINT:
            os.killpg(searching.pid, how)
        else:
            os.kill(searching.pid, how)
        _, errors = searching.communicate(timeout=60)
        assert searching.returncode == (130 if how == signal.SIGINT else -how)
        assert "Traceback" not in errors
        while any(lives(pid) for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        searching.kill()
        searching.communicate()
