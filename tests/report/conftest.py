"""Bars of a made-up price, and forecasts of its last sessions by a network and two baselines."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

QUANTILES = {"p05": -1.64, "p10": -1.28, "p25": -0.67, "p50": 0.0, "p75": 0.67, "p90": 1.28}
QUANTILES["p95"] = 1.64
PRICES = ["predicted", *QUANTILES, "actual"]


@pytest.fixture(scope="session")
def bars() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    sessions = pd.bdate_range("2012-01-02", periods=300, name="session")
    close = pd.Series(50 * np.exp(np.cumsum(rng.normal(0, 0.02, 300))), index=sessions)
    return pd.DataFrame(
        {
            "open": close * 0.99,
            "high": close * 1.02,
            "low": close * 0.98,
            "close": close,
            "volume": rng.uniform(1e6, 2e6, 300),
        }
    )


@pytest.fixture(scope="session")
def forecasts_for(bars: pd.DataFrame) -> Callable[..., pd.DataFrame]:
    def make(horizon: int = 1, origins: int = 100) -> pd.DataFrame:
        close, sessions = bars["close"].to_numpy(), bars.index
        rows = []
        for origin in range(len(close) - horizon - origins, len(close) - horizon):
            for step in range(1, horizon + 1):
                spread = 0.02 * np.sqrt(step)
                for model, drift in (("lstm", 0.001), ("last_close", 0.0), ("ewma", 0.0)):
                    middle = close[origin] * np.exp(drift * step)
                    rows.append(
                        {
                            "ticker": "XYZ",
                            "origin": sessions[origin],
                            "step": step,
                            "session": sessions[origin + step],
                            "model": model,
                            "predicted": middle,
                            **{name: middle * np.exp(z * spread) for name, z in QUANTILES.items()},
                            "actual": close[origin + step],
                        }
                    )
        return pd.DataFrame(rows)

    return make


@pytest.fixture(scope="session")
def forecasts(forecasts_for: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return forecasts_for()


@pytest.fixture
def history() -> dict[str, object]:
    return {
        "loss": [0.9, 0.7, 0.6, 0.5],
        "val_loss": [0.8, 0.6, 0.65, 0.7],
        "learning_rate": [0.003, 0.003, 0.003, 0.001],
        "kept_epoch": 2,
    }
