from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from forecast.features.probability import probability_above, probability_up
from forecast.features.targets import LEVELS

SCORES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])


@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.0, 0.2, 1.4, 3.0])
def test_exact_for_a_normal_distribution(mean):
    assert probability_up(mean + 0.7 * SCORES) == pytest.approx(
        NormalDist(mean, 0.7).cdf(0) * -1 + 1
    )


def test_a_spread_without_width():
    assert probability_up(np.zeros(7)) == 0.5
    assert probability_up(np.full(7, 0.01)) == 1.0
    assert probability_up(np.full(7, -0.01)) == 0.0


def test_above_any_edge_row_by_row():
    quantiles = np.array([0.1 + 0.7 * SCORES, 0.3 * SCORES, np.zeros(7), np.full(7, 0.2)])
    edges = np.array([1.5, -0.2, 0.0, 0.1])
    expected = [1 - NormalDist(0.1, 0.7).cdf(1.5), 1 - NormalDist(0, 0.3).cdf(-0.2), 0.5, 1.0]
    np.testing.assert_allclose(probability_above(quantiles, edges), expected)
