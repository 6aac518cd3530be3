"""Fixtures shared by all tests. Nothing here, or in any test, reaches beyond this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import pandas as pd
import pytest
from simulated import random_walk

from forecast.market.bars import derive_bars
from forecast.market.sources import sample
from forecast.networks import learner
from forecast.pipeline.capacity import room_for

# The same examples every time, however slow the machine is and whatever it was shown before.
hypothesis.settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("same")

# What the caller has set for the program, or for its way out, is not meant for these tests.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
for _name in list(os.environ):
    if _name.startswith("FORECAST_") or _name.lower() in _PROXIES:
        del os.environ[_name]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Tests that share what their module made stay in one process, which makes it once."""
    for item in items:
        known = item._fixtureinfo.name2fixturedefs.values()
        if any(made[-1].scope == "module" for made in known):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


def pytest_xdist_auto_num_workers() -> int:
    """Processes for `-n auto`: as many as there are cores for, and memory."""
    return room_for(64, memory=4.0)


class _Kept(dict[tuple[Any, ...], Any]):
    """The last eight learners where the program keeps one: the tests' networks come again."""

    def clear(self) -> None:
        while len(self) >= 8:
            del self[next(iter(self))]


@pytest.fixture(scope="session", autouse=True)
def kept_learners() -> None:
    """Tracing and compiling a network takes longer than the tests' trainings."""
    learner._kept = _Kept()


@pytest.fixture(scope="session")
def aapl() -> pd.DataFrame:
    """Bars of AAPL from the sample: 3,270 sessions."""
    return derive_bars(sample.fetch("AAPL").quotes)


@pytest.fixture
def default_interrupt() -> Iterator[None]:
    """Python's own handler of SIGINT, here and in processes started from here.

    A suite that was started in the background inherits an ignored SIGINT, and hands it on.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def walk() -> pd.DataFrame:
    """Bars of a seeded random walk: 700 sessions."""
    return random_walk(700, seed=3)
