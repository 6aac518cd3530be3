"""Direction and move: classes by hand, the threshold, and what is not known."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.features.inputs import fit_inputs
from forecast.features.sets import DEFAULT_FEATURES
from forecast.features.targets import (
    CLASSES,
    TARGETS,
    DirectionTarget,
    MoveTarget,
    fit_target,
    load_target,
)

UNIT, CLOSE = np.array([0.01, 0.02, 0.01]), np.full(3, 50.0)


def test_direction_by_hand_and_unchanged_is_not_up():
    returns = np.array([[0.01, -0.02], [0.0, 1e-9], [np.nan, -1e-9]])
    encoded = DirectionTarget().encode(returns, unit=UNIT, close=CLOSE)
    np.testing.assert_array_equal(encoded, [[1, 0], [0, 1], [np.nan, 0]])
    np.testing.assert_array_equal(DirectionTarget().edges(UNIT, horizon=2), np.zeros((3, 2, 1)))


def test_move_by_hand_the_threshold_itself_is_flat():
    target = MoveTarget(0.5)
    edge = 0.5 * 0.01
    returns = np.array([[edge, np.sqrt(2) * edge + 1e-9], [-0.0101, 0.0], [-edge, np.nan]])
    encoded = target.encode(returns, unit=UNIT, close=CLOSE)
    np.testing.assert_array_equal(encoded, [[1, 2], [0, 1], [1, np.nan]])
    np.testing.assert_allclose(
        target.edges(UNIT, horizon=2)[1], [[-0.01, 0.01], [-0.01 * 2**0.5, 0.01 * 2**0.5]]
    )


@pytest.mark.parametrize("target", [DirectionTarget(), MoveTarget(0.43)])
def test_saved_and_loaded(target):
    assert load_target(target.as_document()) == target


def test_threshold_is_a_third_of_the_sizes_that_are_known():
    unit = np.full(7, 0.01)
    returns = 0.01 * np.array([1, -2, 3, -4, 5, -6, np.nan])[:, None]
    target = fit_target("move", np.ones(7), returns=returns, unit=unit)
    assert target == MoveTarget(pytest.approx(1 + 5 / 3))
    still = fit_target("move", np.ones(7), returns=np.zeros((7, 1)), unit=unit)
    assert still.encode(np.zeros((1, 1)), unit=unit[:1], close=CLOSE[:1]) == 1


@pytest.mark.parametrize("horizon", [1, 5])
def test_each_class_takes_about_a_third_of_the_training_part(walk, horizon):
    inputs, split = fit_inputs(
        walk,
        ticker="T",
        feature_names=DEFAULT_FEATURES["move"],
        lookback=20,
        horizon=horizon,
        target="move",
    )
    y = inputs.windows(walk, ticker="T").take(split.train).y
    shares = [(y == number).mean() for number in range(3)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.1)


def test_no_later_bar_changes_the_threshold(walk):
    asked = {
        "ticker": "T",
        "feature_names": DEFAULT_FEATURES["move"],
        "lookback": 20,
        "horizon": 3,
        "target": "move",
    }
    inputs, split = fit_inputs(walk, **asked)
    last = inputs.windows(walk, ticker="T").take(split.train).origin[-1]
    changed = walk.copy()
    changed.loc[changed.index > last, ["open", "high", "low", "close"]] *= 3.0
    assert fit_inputs(changed, **asked)[0].target == inputs.target


def test_classes_have_no_way_back_to_a_return(walk):
    inputs, _ = fit_inputs(
        walk,
        ticker="T",
        feature_names=DEFAULT_FEATURES["direction"],
        lookback=20,
        horizon=1,
        target="direction",
    )
    with pytest.raises(ValueError, match="a direction is no return"):
        inputs.decode(np.zeros((1, 1, 2)), walk, walk.index[-1:])


def test_every_class_target_is_a_target():
    assert set(CLASSES) < set(TARGETS)
    assert all(fitted.classes == CLASSES[name] for name, fitted in _fitted().items())


def _fitted():
    known = {"returns": np.ones((3, 1)), "unit": UNIT}
    return {name: fit_target(name, CLOSE, **known) for name in CLASSES}
