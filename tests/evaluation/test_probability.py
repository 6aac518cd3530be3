from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from forecast.evaluation.probability import probability_up
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
