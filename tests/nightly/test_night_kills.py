"""Nights that are killed at any moment, in this machine's processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from homes import Home

from forecast.ledger import open_ledger
from forecast.registry import load_run, runs_of

pytestmark = pytest.mark.slow
TRIAL = Path(__file__).with_name("trial_nights.py")
TESTS = TRIAL.parents[1]


def environment() -> dict[str, str]:
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def trial(kind: str, home: Home, rounds: int) -> list[int]:
    ran = subprocess.run(
        [sys.executable, str(TRIAL), kind, str(home.folder), str(rounds)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return [int(word) for word in ran.stdout.split()]


@pytest.mark.trial
def test_killed_at_100_random_moments(home):
    nights, killed, places = trial("kill", home, 100)
    assert nights == 100
    assert killed >= 60
    assert places >= 6


@pytest.mark.trial
def test_no_space_at_any_stage(home):
    """The largest file that can be written grows by half from night to night."""
    nights, refused = trial("full", home, 32)
    assert nights == 32
    assert 15 <= refused < 32


def told_of(process: int) -> list[str]:
    """What /proc tells of a process, from its state on; nothing of one that has ended."""
    try:
        told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    # Where nobody asks for its exit code, what has ended stays on as a zombie.
    return [] if told[0] in "ZX" else told


def children_of(process: int) -> list[int]:
    """Processes that call it their parent."""
    everyone = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [one for one in everyone if told_of(one)[1:2] == [str(process)]]


def seconds_of(process: int) -> float:
    """Processor time that it has used [s]."""
    return sum(map(int, told_of(process)[11:13])) / os.sysconf("SC_CLK_TCK")


def wait_for_end(processes: list[int]) -> None:
    deadline = time.monotonic() + 600
    while any(told_of(one) for one in processes):
        assert time.monotonic() < deadline, "a worker outlived its night"
        time.sleep(0.1)


def test_killed_while_it_trains_leaves_no_process_and_nothing_half(home: Home):
    """The real pool: the workers end with the night, and the next run trains."""
    (home.folder / "forecast.toml").write_text(
        f'source = "csv:{home.csv}"\nunits = [4]\nepochs = 2\nlookback = 10\n'
        '[nightly]\nworkers = 2\ntickers = ["ACME", "BETA"]\n'
    )
    command = [sys.executable, "-m", "forecast", "nightly", "--home", str(home.folder), "--quiet"]
    chance = random.Random(1)
    for _ in range(5):
        night = subprocess.Popen(
            [*command, "--now", "2012-07-03"], env=environment(), stdout=subprocess.DEVNULL
        )
        workers: list[int] = []
        while not workers and night.poll() is None:
            workers = children_of(night.pid)
            time.sleep(0.05)
        time.sleep(chance.uniform(0.0, 15.0))
        workers = children_of(night.pid) or workers
        night.send_signal(signal.SIGKILL)
        night.wait()
        for ticker in home.tickers:
            load_run(home.folder, ticker)
            assert [one.run for one in runs_of(home.folder, ticker) if one.damaged] == []
        with open_ledger(home.folder, read_only=True) as ledger:
            assert ledger.verify() == []
        wait_for_end(workers)
    ended = subprocess.run(
        [*command, "--now", "2012-07-03"], env=environment(), check=False, capture_output=True
    )
    assert ended.returncode == 0, ended.stdout
    with open_ledger(home.folder, read_only=True) as ledger:
        assert [len(ledger.origins(ticker)) for ticker in home.tickers] == [2, 2]


@pytest.mark.usefixtures("default_interrupt")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_while_it_trains_it_leaves_at_once(home: Home, number):
    (home.folder / "forecast.toml").write_text(
        f'source = "csv:{home.csv}"\nunits = [4]\nepochs = 100000\npatience = 100000\n'
        'lookback = 10\n[nightly]\ntickers = ["ACME", "BETA"]\n'
    )
    command = [sys.executable, "-m", "forecast", "nightly", "--home", str(home.folder)]
    night = subprocess.Popen(
        [*command, "--now", "2012-07-03"],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    # Seconds of the processor, not of the clock: by then it trains on a busy machine, too.
    while max(map(seconds_of, children_of(night.pid)), default=0.0) < 8:
        assert night.poll() is None
        time.sleep(0.1)
    workers = children_of(night.pid)
    night.send_signal(number)
    assert night.wait(timeout=600) == (143 if number == signal.SIGTERM else 130)
    wait_for_end(workers)
