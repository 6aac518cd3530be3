"""The first epoch of a large group."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from forecast.features.windows import make_windows
from forecast.networks import learner as module
from forecast.networks import training
from forecast.networks.first_epoch import hastened


def a_learner(**said):
    return SimpleNamespace(optimizer=keras.optimizers.Adam(learning_rate=0.01), **said)


def batches(count, slices):
    return np.split(np.arange(count * slices), count)


def test_within_there_are_halves_and_larger_steps_and_after_it_what_there_was():
    learner = a_learner(takes_any_batch=True)
    given = batches(8, 64)
    with hastened(learner, given) as chosen:
        assert [len(each) for each in chosen] == [32] * 16
        np.testing.assert_array_equal(np.concatenate(chosen), np.concatenate(given))
        assert float(learner.optimizer.learning_rate) == pytest.approx(0.015)
        assert learner.optimizer.beta_1 == 0.8
        assert learner.towards_spread
    assert float(learner.optimizer.learning_rate) == pytest.approx(0.01)
    assert learner.optimizer.beta_1 == 0.9
    assert not learner.towards_spread


def test_an_interrupt_leaves_the_learner_as_it_was():
    learner = a_learner(takes_any_batch=True)
    with pytest.raises(KeyboardInterrupt), hastened(learner, batches(8, 64)):
        raise KeyboardInterrupt
    assert float(learner.optimizer.learning_rate) == pytest.approx(0.01)
    assert learner.optimizer.beta_1 == 0.9
    assert not learner.towards_spread


@pytest.mark.parametrize(
    ("count", "slices", "said"),
    [(7, 64, {"takes_any_batch": True}), (8, 63, {"takes_any_batch": True}), (8, 64, {})],
)
def test_few_updates_small_batches_and_what_is_compiled_for_one_size_stay(count, slices, said):
    learner, given = a_learner(**said), batches(count, slices)
    with hastened(learner, given) as chosen:
        assert chosen is given
        assert not hasattr(learner, "towards_spread")
        assert float(learner.optimizer.learning_rate) == pytest.approx(0.01)
        assert learner.optimizer.beta_1 == 0.9


@pytest.mark.parametrize(("network", "sizes"), [("lstm", [32] * 16 + [64] * 8), ("gru", [64] * 16)])
def test_a_large_group_is_trained_so_once(network, sizes, monkeypatch):
    monkeypatch.setattr(module, "_kept", {})
    seen, learner_of = [], training.learner_of

    def watched(*given, **settings):
        learner = learner_of(*given, **settings)
        train_on_batch = learner.train_on_batch
        learner.train_on_batch = lambda x, y: seen.append(len(x)) or train_on_batch(x, y)
        return learner

    monkeypatch.setattr(training, "learner_of", watched)
    rng, rows = np.random.default_rng(1), 8 * 64 * 60 + 60
    windows = make_windows(
        rng.normal(size=(rows, 2)).astype("float32"),
        rng.normal(size=(rows, 1)).astype("float32"),
        pd.bdate_range("1900-01-01", periods=rows),
        lookback=5,
        feature_names=["a", "b"],
    )
    fitted = training.fit(
        windows,
        windows.take(np.arange(200)),
        network=network,
        units=(2,),
        dropout=0.1,
        l2=0.0,
        learning_rate=0.001,
        epochs=2,
        patience=2,
        seed=1,
    )
    assert seen == sizes
    faster = 1.5 if network == "lstm" else 1.0
    assert fitted.learning_rate == pytest.approx([0.001 * faster, 0.001])
