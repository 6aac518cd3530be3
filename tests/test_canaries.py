"""Canaries: prices that nothing can foretell must not be praised, prices that can must be found.

The true distribution of each price is known, so each verdict is right or wrong. The full counts
carry the marker `canary`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simulated

from forecast.baselines import BASELINES
from forecast.config import Settings
from forecast.errors import LeakError
from forecast.evaluation.scores import score_table
from forecast.evaluation.verdict import verdict
from forecast.features.indicators import INDICATORS, Indicator, log_return
from forecast.features.sets import DEFAULT_FEATURES
from forecast.features.targets import Prediction
from forecast.pipeline.preparing import Prepared, prepare
from forecast.pipeline.scoring import calibrated, frame_of
from forecast.pipeline.train import fit_network, train
from forecast.pipeline.watch import Watch

YEARS_20 = 5000
SETTINGS = Settings()


@dataclass(frozen=True)
class Trial:
    """A network with the default settings, trained and scored on one price."""

    one: Prepared
    forecasts: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        return score_table(self.forecasts)

    @property
    def row(self) -> pd.Series:
        table = self.table
        return table[table["model"] == SETTINGS.network].iloc[0]

    @property
    def price(self) -> str:
        return verdict(self.table, model=SETTINGS.network).price

    def add(self, name: str, prediction: Prediction) -> Trial:
        frame = frame_of(self.one, name, prediction)
        return replace(self, forecasts=pd.concat([self.forecasts, frame], ignore_index=True))

    def inside_80(self) -> np.ndarray:
        own = self.forecasts[self.forecasts["model"] == SETTINGS.network]
        return ((own["p10"] <= own["actual"]) & (own["actual"] <= own["p90"])).to_numpy()


def trial(bars: pd.DataFrame, *, shuffle: int | None = None) -> Trial:
    """The program's own way from bars to forecasts; `shuffle` seeds an order of the targets."""
    one = prepare(SimpleNamespace(ticker="XYZ", bars=bars), SETTINGS)
    learnt = one
    if shuffle is not None:
        targets, rng = one.windows.targets.copy(), np.random.default_rng(shuffle)
        known = np.flatnonzero(~np.isnan(targets).any(axis=1))
        targets[known] = targets[rng.permutation(known)]
        learnt = replace(one, windows=replace(one.windows, targets=targets))
    fitted = fit_network([learnt], SETTINGS, watch=Watch())
    result = Trial(one, frame_of(one, SETTINGS.network, calibrated(one, fitted)[0]))
    naive = BASELINES["last_close"](
        bars, one.part("test").origin, horizon=1, fitted_until=one.fitted_until
    )
    return result.add("last_close", naive)


def shuffled_sessions(bars: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """The same sessions in another order: real moves and ranges, nothing left to foretell."""
    order = 1 + np.random.default_rng(seed).permutation(len(bars) - 1)
    prices = bars[["open", "high", "low", "close"]].to_numpy()
    moves = prices[order] / prices[order - 1, 3:]
    close = prices[0, 3] * np.cumprod(np.r_[1.0, moves[:, 3]])
    shuffled = bars.copy()
    shuffled.iloc[1:, :4] = moves * close[:-1, None]
    shuffled.iloc[1:, 4] = bars["volume"].to_numpy()[order]
    return shuffled


def pinball(trial: Trial, model: str) -> float:
    table = trial.table
    return float(table.loc[table["model"] == model, "pinball"].iloc[0])


# Quick: always.


def test_training_refuses_a_feature_that_looks_one_bar_ahead(tmp_path, monkeypatch):
    folder = tmp_path / "csv"
    folder.mkdir()
    simulated.random_walk(700, seed=3).to_csv(folder / "XYZ.csv", index_label="Date")
    leak = Indicator(lambda b: log_return(b["close"]).shift(-1).fillna(0.0), 1)
    monkeypatch.setitem(INDICATORS, "return_1", leak)
    assert "return_1" in DEFAULT_FEATURES["return"]
    with pytest.raises(LeakError, match="return_1"):
        train(["XYZ"], home=tmp_path, settings=Settings(source=f"csv:{folder}", epochs=1))
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "reports").exists()


def test_a_random_walk_is_not_praised():
    assert trial(simulated.random_walk(2000, seed=0)).price != "beats"


def test_a_planted_signal_is_found():
    found = trial(simulated.autoregression(YEARS_20, phi=0.2, seed=2))
    assert found.price == "beats"
    assert found.row["dm_p_mse"] < 0.01


# The full counts.


@pytest.mark.canary
def test_random_walks_are_not_praised_and_their_intervals_hold():
    trials = [trial(simulated.random_walk(2500, seed=seed)) for seed in range(20)]
    assert sum(one.price == "beats" for one in trials) <= 1
    assert abs(np.concatenate([one.inside_80() for one in trials]).mean() - 0.8) <= 0.03


@pytest.mark.canary
def test_planted_signals_are_found():
    rows = [trial(simulated.autoregression(YEARS_20, phi=0.2, seed=seed)).row for seed in range(10)]
    assert all(row["skill_mse"] > 0 for row in rows)
    assert sum(row["dm_p_mse"] < 0.01 for row in rows) >= 8


@pytest.mark.canary
def test_shuffled_targets_give_no_skill(aapl):
    # Not on a price with a planted signal: there even a forecast of random slopes is right half of
    # the time, by luck of its sign.
    trials = [trial(aapl, shuffle=seed) for seed in range(10)]
    # Each is praised by chance one time in forty.
    assert sum(one.price == "beats" for one in trials) <= 1
    assert abs(np.mean([one.row["skill_mse"] for one in trials])) < 0.003


@pytest.mark.canary
def test_shuffled_sessions_give_no_skill(aapl):
    for seed in range(3):
        shuffled = trial(shuffled_sessions(aapl, seed=seed))
        assert shuffled.price != "beats"
        assert pinball(shuffled, SETTINGS.network) > 0.99 * pinball(shuffled, "last_close")


@pytest.mark.canary
def test_the_spread_of_a_garch_process_is_found():
    for seed in range(3):
        process = simulated.garch(YEARS_20, seed=seed)
        one = trial(process.bars)
        one = one.add("truth", process.truth(one.one.part("test").origin))
        own = pinball(one, SETTINGS.network)
        assert own <= 1.02 * pinball(one, "truth")
        assert own < pinball(one, "last_close")
