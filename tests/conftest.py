"""Fixtures shared by all tests. Nothing here, or in any test, reaches beyond this machine."""

from __future__ import annotations

import pandas as pd
import pytest
from simulated import random_walk

from forecast.market.bars import derive_bars
from forecast.market.sources import sample


@pytest.fixture(scope="session")
def aapl() -> pd.DataFrame:
    """Bars of AAPL from the sample: 3,270 sessions."""
    return derive_bars(sample.fetch("AAPL").quotes)


@pytest.fixture
def walk() -> pd.DataFrame:
    """Bars of a seeded random walk: 700 sessions."""
    return random_walk(700, seed=3)
