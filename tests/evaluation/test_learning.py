from __future__ import annotations

import numpy as np
import pytest
from statsmodels.api import OLS

from forecast.evaluation.learning import LEARNT, learning
from forecast.features.targets import LEVELS, NORMAL

N = 1500
WIDTH = np.exp(0.3 * np.random.default_rng(0).normal(size=N))


def outcomes(seed):
    """Normal, of the width that is known."""
    return WIDTH * np.random.default_rng(seed).normal(size=N)


def quantiles(width):
    return width[:, None] * np.array(NORMAL)


def test_who_knows_the_width_has_learnt_and_a_little_of_it_is_enough():
    whole = learning(quantiles(WIDTH), outcomes(1), step=1)
    little = learning(quantiles(WIDTH**0.02), outcomes(1), step=1)
    assert whole > 2 * LEARNT
    assert little == pytest.approx(whole, rel=0.15)
    assert learning(quantiles(1 / WIDTH), outcomes(1), step=1) < -LEARNT


def test_who_knows_the_middle_has_learnt():
    middle = 0.3 * np.random.default_rng(2).normal(size=N)
    moved = quantiles(np.ones(N)) + middle[:, None]
    assert learning(moved, outcomes(3) + middle, step=1) > LEARNT


def test_constants_have_learnt_nothing():
    rounded = np.random.default_rng(6).uniform(1 - 1e-7, 1 + 1e-7, N)
    for width in (np.ones(N), rounded):
        assert learning(quantiles(width), outcomes(1), step=1) == 0.0


@pytest.mark.parametrize("step", [1, 5])
def test_moves_at_random_are_told_from_learning(step):
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        noise = np.convolve(rng.normal(size=N + step - 1), np.ones(step) / step, "valid")
        came = np.convolve(rng.normal(size=N + step - 1), np.ones(step), "valid")
        found.append(learning(quantiles(np.exp(0.1 * noise)), came, step=step))
    assert abs(np.mean(found)) < 0.3
    assert 0.8 < np.std(found) < 1.35
    assert max(found) < LEARNT


def test_t_is_that_of_newey_and_west():
    came, given = outcomes(5)[:300], quantiles(WIDTH[:300])
    gain = np.zeros(300)
    for k, level in enumerate(LEVELS):
        constant = np.quantile(came, level)
        for row in range(300):
            slope = level - (1.0 if came[row] < constant else 0.0)
            gain[row] += (given[row, k] - given[:, k].mean()) * slope
    expected = OLS(gain, np.ones(300)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": False}
    )
    assert learning(given, came, step=1) == pytest.approx(float(expected.tvalues[0]))
