"""Baselines of classes: by hand, and blind to what comes after the origin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.baselines.classes import CLASS_BASELINES, majority, momentum, training_shares
from forecast.features.inputs import fit_inputs
from forecast.features.targets import CLASSES

EVERY = [(target, name) for target, own in CLASS_BASELINES.items() for name in own]


def asked(bars, target, *, horizon=2):
    inputs, split = fit_inputs(
        bars,
        ticker="T",
        feature_names=["return_1", "volatility_20"],
        lookback=10,
        horizon=horizon,
        target=target,
    )
    windows = inputs.windows(bars, ticker="T")
    train = windows.take(split.train).origin
    last = bars.index.get_loc(train[-1])
    return inputs, windows.take(split.test).origin, bars.index[last + horizon]


@pytest.mark.parametrize(("target", "name"), EVERY)
def test_probabilities_and_calls_of_every_origin(target, name, walk):
    inputs, origins, until = asked(walk, target)
    odds, called = CLASS_BASELINES[target][name](walk, origins, inputs=inputs, fitted_until=until)
    assert odds.shape == (len(origins), 2, len(CLASSES[target]))
    np.testing.assert_allclose(odds.sum(axis=-1), 1.0)
    assert (odds >= 0).all()
    assert called.shape == (len(origins), 2)
    assert set(np.unique(called)) <= set(range(len(CLASSES[target])))


@pytest.mark.parametrize(("target", "name"), EVERY)
def test_no_later_bar_changes_a_forecast(target, name, walk):
    inputs, origins, until = asked(walk, target)
    baseline = CLASS_BASELINES[target][name]
    early = origins[:20]
    changed = walk.copy()
    changed.loc[changed.index > early[-1]] *= 1.7
    for before, after in zip(
        baseline(walk, early, inputs=inputs, fitted_until=until),
        baseline(changed, early, inputs=inputs, fitted_until=until),
        strict=True,
    ):
        np.testing.assert_array_equal(before, after)


def test_majority_and_momentum_by_hand():
    # Up, up, down again and again: two thirds are up; after a fall the price always rises.
    n = 400
    moves = np.tile([0.01, 0.01, -0.01], n)[: n - 1]
    close = 100 * np.exp(np.r_[0.0, moves.cumsum()])
    index = pd.bdate_range("2001-01-01", periods=n, name="session")
    bars = pd.DataFrame(
        {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close, "volume": 1e6},
        index=index,
    )
    inputs, origins, until = asked(bars, "direction", horizon=1)
    odds, called = majority(bars, origins, inputs=inputs, fitted_until=until)
    assert odds[0, 0, 1] == pytest.approx(2 / 3, abs=0.01)
    assert (called == 1).all()
    np.testing.assert_allclose(odds[0], training_shares(bars, inputs=inputs, fitted_until=until))
    odds, called = momentum(bars, origins, inputs=inputs, fitted_until=until)
    rose = np.diff(np.log(bars["close"]), prepend=0.0)[bars.index.get_indexer(origins)] > 0
    np.testing.assert_array_equal(called[:, 0], rose.astype(int))
    assert odds[~rose][0, 0, 1] > 0.98
    assert odds[rose][0, 0, 1] == pytest.approx(0.5, abs=0.01)


def test_the_implied_odds_follow_the_width_of_the_flat_zone(walk):
    inputs, origins, until = asked(walk, "move", horizon=1)
    odds, _ = CLASS_BASELINES["move"]["ewma"](walk, origins, inputs=inputs, fitted_until=until)
    unit = inputs.unit.at(walk).loc[origins].to_numpy()
    # Where the unit is wide beside ewma's own spread, the flat zone is wide too.
    from forecast.baselines.ewma import coming_volatility

    spread = coming_volatility(walk, 400)[walk.index.get_indexer(origins)]
    assert np.corrcoef(odds[:, 0, 1], unit / spread)[0, 1] > 0.9


def test_a_price_has_no_classes(walk):
    inputs, origins, until = asked(walk, "return")
    with pytest.raises(ValueError, match="must be one of classes"):
        majority(walk, origins, inputs=inputs, fitted_until=until)
