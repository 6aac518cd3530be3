"""Fixtures shared by all tests. Nothing here, or in any test, reaches beyond this machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.market.bars import derive_bars
from forecast.market.sources import sample


@pytest.fixture(scope="session")
def aapl() -> pd.DataFrame:
    """Bars of AAPL from the sample: 3,270 sessions."""
    return derive_bars(sample.fetch("AAPL").quotes)


@pytest.fixture
def walk() -> pd.DataFrame:
    """Bars of a seeded random walk: 700 sessions, one of them without volume."""
    return random_walk(700, seed=3)


def random_walk(sessions: int, *, seed: int) -> pd.DataFrame:
    """Bars of a random walk with 1 % daily moves."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, sessions)))
    open_ = close * np.exp(rng.normal(0, 0.004, sessions))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.004, sessions)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.004, sessions)))
    volume = rng.integers(1_000, 9_000, sessions).astype("float64")
    volume[sessions // 2] = 0.0
    return pd.DataFrame(
        {"open": open_, "high": high, "low": low, "close": close, "volume": volume},
        index=pd.bdate_range("2010-01-04", periods=sessions, name="session"),
    )
