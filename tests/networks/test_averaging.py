"""Weights averaged over the updates."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from forecast.networks.averaging import Average, share_of


@pytest.fixture
def learner():
    """One weight, which each update moves to what it is told."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[5.0]])])
    return model


def put(learner, value):
    learner.set_weights([np.array([[float(value)]])])


def shown(learner):
    return float(learner.get_weights()[0][0, 0])


def test_the_first_update_is_all_of_the_average_then_each_counts_by_its_lateness(learner):
    average, seen, expected = Average(learner), [3.0, 1.0, 4.0, 1.5], None
    with average.training():
        for done, value in enumerate(seen, start=1):
            put(learner, value)
            average.updated()
            share = 9.0 / (done + 8.0)
            expected = value if done == 1 else (1 - share) * expected + share * value
    assert share_of(1) == 1.0
    assert shown(learner) == pytest.approx(expected, rel=1e-6)


def test_weights_that_stand_still_are_their_average(learner):
    average = Average(learner)
    with average.training():
        for _ in range(50):
            put(learner, 2.0)
            average.updated()
    assert shown(learner) == pytest.approx(2.0, rel=1e-6)


def test_training_goes_on_from_the_weights_that_are_trained_not_from_their_average(learner):
    average = Average(learner)
    with average.training():
        for value in (0.0, 10.0):
            put(learner, value)
            average.updated()
    assert shown(learner) == pytest.approx(9.0)
    with average.training():
        assert shown(learner) == 10.0


def test_an_interrupted_epoch_leaves_the_average(learner):
    average = Average(learner)
    with pytest.raises(KeyboardInterrupt), average.training():
        put(learner, 7.0)
        average.updated()
        put(learner, 8.0)
        raise KeyboardInterrupt
    assert shown(learner) == pytest.approx(7.0)
