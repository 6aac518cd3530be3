"""A step of the last layer towards the spread that a regression would set."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from forecast.networks.spread import RIDGE, SHARE, spread_step

N, WIDTH = 500, 6


def given(horizon, seed=1):
    """Inputs that move together, and a gradient that partly follows from them."""
    rng = np.random.default_rng(seed)
    rows = 0.3 + rng.normal(size=(N, 3)) @ rng.normal(size=(3, WIDTH)) * 0.2
    rows += 0.01 * rng.normal(size=rows.shape)
    gradient = rng.normal(size=(N, horizon, 8)) - rows[:, :1, None]
    widening = rng.uniform(1.0, 2.0, size=(horizon, 8))
    widening[:, :2] = 0.0
    return (each.astype("float32") for each in (rows, gradient, widening))


@pytest.mark.parametrize("horizon", [1, 3])
def test_the_step_is_a_share_of_a_ridge_regression_that_leaves_the_mean(horizon):
    rows, gradient, widening = given(horizon)
    kernel, bias = spread_step(rows, gradient, widening)
    assert kernel.dtype == bias.dtype == np.float32
    towards = -(gradient * widening).sum(axis=-1)
    towards /= np.sqrt((towards**2).mean(axis=0))
    ridge = Ridge(alpha=RIDGE * N * rows.var(axis=0).mean()).fit(rows, towards)
    slopes = np.reshape(ridge.coef_, (horizon, WIDTH)).T
    expected = (SHARE * slopes[..., None] * widening).reshape(WIDTH, -1)
    np.testing.assert_allclose(kernel, expected, rtol=2e-3, atol=1e-5)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose((rows @ kernel + bias).mean(axis=0), 0.0, atol=1e-5)


def test_point_and_median_stay_and_so_does_what_spare_units_count_for():
    rows, gradient, widening = given(2)
    rows[:, -2:] = 0.0
    kernel, bias = spread_step(rows, gradient, widening)
    assert not kernel[-2:].any()
    assert not kernel.reshape(WIDTH, 2, 8)[..., :2].any()
    assert not bias.reshape(2, 8)[:, :2].any()
    assert kernel[:-2].reshape(-1, 2, 8)[..., 2:].all()


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_inputs_that_never_change_say_nothing(value):
    _, gradient, widening = given(1)
    kernel, bias = spread_step(np.full((N, WIDTH), value, "float32"), gradient, widening)
    np.testing.assert_allclose(kernel, 0.0, atol=1e-4)
    np.testing.assert_allclose(bias, 0.0, atol=1e-4)


def test_what_is_no_number_stays_none():
    """A training that diverges ends with an error of its own."""
    rows, gradient, widening = given(1)
    rows[3] = np.nan
    assert np.isnan(spread_step(rows, gradient, widening)[0]).any()
