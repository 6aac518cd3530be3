"""The pool, one process and a local Ray: the very same outcomes."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from homes import Home

from forecast.errors import ConfigError
from forecast.market.fetching import fetch_one
from forecast.nightly import engines
from forecast.nightly.jobs import Job
from forecast.nightly.ray_cluster import ray_cluster

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = pytest.mark.slow
JOBS = int(os.environ.get("NIGHT_JOBS", "4"))
"""How many tickers; docs/nightly.md tells of 50."""


@pytest.fixture(autouse=True)
def not_behind_all_others(monkeypatch):
    """Ray's workers give way to every other process: on a busy machine they would stand still."""
    monkeypatch.setenv("RAY_worker_niceness", "0")


def never() -> bool:
    return False


def jobs_of(home: Home) -> list[Job]:
    """Trainings over histories of different lengths; run names as given, so that files compare."""
    jobs = []
    for number in range(JOBS):
        fetched = fetch_one("ACME", data=home.folder / "data", source=home.settings.source)
        shorter = replace(fetched, ticker=f"T{number}", start=fetched.bars.index[number].date())
        jobs.append(Job(shorter, home.settings, None, f"20120702T235959Z-{number:04x}"))
    return jobs


def told(outcomes) -> dict[str, object]:
    """What must be the same: forecast, decision, scores, weights."""
    found = {}
    for one in outcomes:
        assert one.error is None, one.error
        files = one.challenger.files
        (document,) = files.metrics["runs"]
        weights = weights_of(files.network)
        found[one.ticker] = (
            one.forecast,
            one.challenger.decision,
            files.inputs,
            document["scores"],
            files.manifest["training"],
            weights,
        )
    return found


def weights_of(network: bytes) -> list[list[float]]:
    import io
    import zipfile

    import h5py

    found: list[list[float]] = []
    with zipfile.ZipFile(io.BytesIO(network)) as file:
        content = file.read("model.weights.h5")
    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(
            lambda _, item: (
                found.append(np.ravel(item[()]).tolist())
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def test_the_same_bit_for_bit_wherever_it_runs(home, tmp_path):
    jobs = jobs_of(home)
    one = told(engines.pool(jobs, workers=1, scratch=tmp_path, pause=never))
    two = told(engines.pool(jobs, workers=2, scratch=tmp_path, pause=never))
    far = told(ray_cluster(jobs, workers=2, address=None, memory=1.5, gpus=0.0, pause=never))
    assert one.keys() == two.keys() == far.keys() == {job.ticker for job in jobs}
    for ticker in one:
        assert one[ticker] == two[ticker] == far[ticker], ticker


def test_a_night_on_ray(home):
    home.nightly = {"retrain": "nightly"}
    night = home.night("2012-07-03", engine="ray", workers=2)
    assert night.exit_code == 0
    assert all(entry["trained"] and entry["issued"] for entry in night.document["tickers"])


def test_a_task_that_dies_fails_its_ticker_alone(home):
    from test_night_engines import Poison

    good = jobs_of(home)[0]
    good = replace(good, challenger=None)
    poison = Poison("EVIL", "current", good.fetched.manifest, None, None, b"")
    outcomes = {
        one.ticker: one
        for one in ray_cluster(
            [replace(good, fetched=poison), good],
            workers=2,
            address=None,
            memory=0.5,
            gpus=0.0,
            pause=never,
        )
    }
    assert outcomes["T0"].error is None
    assert "its worker must live" in outcomes["EVIL"].error.message


def test_no_cluster_at_the_address():
    with pytest.raises(ConfigError, match=r"a Ray cluster must answer at 127\.0\.0\.1:1\."):
        list(ray_cluster([], workers=1, address="127.0.0.1:1", memory=0.5, gpus=0.0, pause=never))
