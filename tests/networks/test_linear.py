from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated import autoregression

from forecast.features.inputs import fit_inputs
from forecast.features.windows import make_windows
from forecast.networks.architectures import build
from forecast.networks.linear import fit_linear, without


def windows_of(rows, slope, *, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 2))
    targets = slope * features[:, :1] + rng.normal(size=(rows, 1))
    targets[-1] = np.nan
    sessions = pd.bdate_range("2000-01-03", periods=rows)
    return make_windows(features, targets, sessions, lookback=5, feature_names=["a", "b"])


def test_a_planted_slope_is_found_and_shrunk():
    train, validation = windows_of(4000, 0.3, seed=1), windows_of(1000, 0.3, seed=2)
    slopes = fit_linear(train, validation)
    assert slopes.shape == (2, 1)
    # 4,000 rows against a penalty of 2 / 0.01: 0.95 of 0.3, and a third of it.
    assert slopes[0, 0] == pytest.approx(0.3 * 4000 / 4200 / 3, rel=0.15)
    assert abs(slopes[1, 0]) < 0.02


def test_a_slope_that_the_validation_part_contradicts_is_dropped():
    train, validation = windows_of(4000, 0.3, seed=1), windows_of(1000, -0.3, seed=2)
    np.testing.assert_array_equal(fit_linear(train, validation), 0)


def test_an_autoregression_is_found_before_any_training():
    bars = autoregression(3000, phi=0.2, seed=4)
    inputs, split = fit_inputs(
        bars, ticker="T", feature_names=["return_1"], lookback=10, horizon=1, target="return"
    )
    windows = inputs.windows(bars, ticker="T")
    slopes = fit_linear(windows.take(split.train), windows.take(split.validation))
    # Feature and target both have a standard deviation of one: the slope is a third of phi, and
    # somewhat less.
    assert 0.1 < 3 * slopes[0, 0] < 0.25


def test_what_is_left_has_no_slope():
    train, validation = windows_of(4000, 0.3, seed=1), windows_of(1000, 0.3, seed=2)
    slopes = np.array([[0.3], [0.0]])
    assert abs(fit_linear(without([train], slopes)[0], validation)[0, 0]) < 0.02


def test_what_is_left_is_bounded_and_what_is_usual_is_left_alone():
    windows = windows_of(100, 0.0, seed=1)
    windows.targets[[50, 51]] = [[1e5], [-1e5]]
    left = without([windows], np.zeros((2, 1)))[0].targets
    np.testing.assert_array_equal(left[[50, 51]], [[15], [-15]])
    usual = np.abs(windows.targets) < 9
    np.testing.assert_array_equal(left[usual], windows.targets[usual])
    # What is not known yet stays so; what is scored stays as it was.
    assert np.isnan(left[-1]).all()
    assert windows.targets[50] == 1e5


@pytest.mark.parametrize("scored", [None, 3])
def test_the_linear_part_moves_point_and_quantiles_alike_and_is_not_trained(scored):
    rows = np.random.default_rng(0).normal(size=(2, 8, 2)).astype("float32")
    slopes = [[0.5, -1.0], [0.0, 2.0]]
    plain = build("gru", n_features=2, horizon=2, units=(3,), scored=scored)
    model = build("gru", n_features=2, horizon=2, units=(3,), scored=scored, linear=slopes)
    weights = iter(plain.get_weights())
    model.set_weights(
        [np.array(slopes) if w.shape == (2, 2) else next(weights) for w in model.get_weights()]
    )
    moved = model.predict_on_batch(rows) - plain.predict_on_batch(rows)
    last = rows[:, -3:] if scored else rows[:, -1]
    expected = np.broadcast_to((last @ np.array(slopes))[..., None], moved.shape)
    np.testing.assert_allclose(moved, expected, atol=1e-5)
    assert not model.get_layer("linear").trainable_weights
