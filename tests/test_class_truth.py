"""Classes of a price whose odds are known: networks come near them, and noise is not praised."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simulated

from forecast.config import Settings
from forecast.evaluation.class_scores import class_score_table
from forecast.evaluation.class_verdict import class_verdict
from forecast.evaluation.classification import log_losses
from forecast.networks.architectures import NETWORKS
from forecast.networks.training import infer
from forecast.pipeline.classifying import class_baseline_forecasts, class_forecasts_of
from forecast.pipeline.preparing import prepare
from forecast.pipeline.scoring import scored_windows
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch

SMALL = {"units": (16,), "lookback": 30, "epochs": 100}


def trial(bars, **settings):
    """The program's own way from bars to class scores."""
    chosen = Settings(**{**SMALL, **settings})
    one = prepare(SimpleNamespace(ticker="XYZ", bars=bars), chosen)
    fitted = fit_network([one], chosen, watch=Watch())
    answers = infer(fitted.model, scored_windows(one), head=fitted.head)
    own, _ = class_forecasts_of(one, answers, network=chosen.network)
    frame = pd.concat([own, class_baseline_forecasts(one)], ignore_index=True)
    return one, class_score_table(frame)


def test_the_filter_knows_the_odds():
    truth = simulated.regimes(20_000, seed=1)
    sessions = truth.bars.index[100:-1]
    edge = 0.4 * truth.volatility
    odds = truth.moves(sessions, np.tile([-edge, edge], (len(sessions), 1)))
    returns = np.log(truth.bars["close"]).diff().to_numpy()[101:]
    came = (returns > -edge).astype(int) + (returns > edge)
    for number in range(3):
        likely = odds[:, number] > np.quantile(odds[:, number], 0.8)
        assert odds[likely, number].mean() == pytest.approx(
            (came[likely] == number).mean(), abs=0.02
        )


IN_CI = ("lstm", "gru")


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=[] if name in IN_CI else pytest.mark.trial) for name in NETWORKS],
)
def test_networks_come_within_five_percent_of_the_best_possible_log_loss(network):
    truth = simulated.regimes(6000, seed=2)
    one, table = trial(truth.bars, target="move", network=network)
    origins = one.part("test").origin
    unit = one.inputs.unit.at(one.bars).loc[origins].to_numpy()
    odds = truth.moves(origins, one.inputs.target.edges(unit, horizon=1)[:, 0])
    best = log_losses(odds, one.part("test").y[:, 0].astype(int)).mean()
    rows = table.set_index("model")
    assert rows.loc["majority", "log_loss"] > 1.05 * best
    assert rows.loc[network, "log_loss"] < 1.05 * best
    found = class_verdict(table, model=network)
    assert (found.price, found.uncertainty) == ("beats", "beats")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["direction", "move"])
def test_noise_is_not_praised(target):
    verdicts = [
        class_verdict(trial(simulated.random_walk(2500, seed=seed), target=target)[1], model="lstm")
        for seed in range(4)
    ]
    assert not any(one.uncertainty == "beats" for one in verdicts)
    assert sum(one.price == "beats" for one in verdicts) <= 1
