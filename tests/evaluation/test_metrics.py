from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy.stats import norm
from sklearn import metrics as peer

from forecast.evaluation import metrics
from forecast.evaluation.metrics import METRICS, TAIL, Outcomes
from forecast.features.targets import LEVELS

RNG = np.random.default_rng(5)
N = 400
CLOSE = RNG.uniform(20, 200, N)
RETURNS = RNG.normal(0, 0.02, N)
CENTRE = RNG.normal(0, 0.005, N)
QUANTILES = CENTRE[:, None] + 0.02 * norm.ppf(LEVELS)
SAMPLE = Outcomes(
    CLOSE,
    CLOSE * np.exp(RETURNS),
    CLOSE * np.exp(CENTRE),
    CLOSE[:, None] * np.exp(QUANTILES),
)


def five():
    """Close 100; outcomes +10, -10, 0, +1, -1; forecasts +5, +5, +5, -1, -1."""
    close = np.full(5, 100.0)
    actual = np.array([110.0, 90.0, 100.0, 101.0, 99.0])
    predicted = np.array([105.0, 105.0, 105.0, 99.0, 99.0])
    quantiles = np.tile([92.0, 94.0, 98.0, 100.0, 101.0, 106.0, 108.0], (5, 1))
    return Outcomes(close, actual, predicted, quantiles)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse_price", (25 + 225 + 25 + 4 + 0) / 5),
        ("mae_price", (5 + 15 + 5 + 2 + 0) / 5),
        ("rmse_price", (279 / 5) ** 0.5),
        ("mape", 100 * (5 / 110 + 15 / 90 + 5 / 100 + 2 / 101) / 5),
        # The unchanged close is missed by a forecast of up.
        ("direction_accuracy", 2 / 5),
        ("coverage_50", 3 / 5),
        ("coverage_80", 3 / 5),
        ("coverage_90", 3 / 5),
        # 92 * (92 / 94) ** 0.867 = 90.3 and 108 * (108 / 106) ** 0.867 = 109.8
        ("coverage_95", 3 / 5),
    ],
)
def test_by_hand(name, expected):
    assert METRICS[name](five()) == pytest.approx(expected)


def test_pinball_by_hand():
    # One outcome, 0.01 above the upper four and below the other three quantiles.
    quantiles = np.array([[-0.03, -0.02, -0.01, 0.0, 0.02, 0.03, 0.04]])
    losses = metrics.pinball_losses(np.array([0.01]), quantiles)[0]
    np.testing.assert_allclose(
        losses,
        [0.05 * 0.04, 0.1 * 0.03, 0.25 * 0.02, 0.5 * 0.01, 0.25 * 0.01, 0.1 * 0.02, 0.05 * 0.03],
    )
    assert metrics.pinball(np.array([0.01]), quantiles) == pytest.approx(losses.mean())


def test_interval_score_by_hand():
    y, lower, upper = np.array([0.0, 3.0, -2.0]), np.full(3, -1.0), np.full(3, 1.0)
    score = metrics.interval_score(y, lower, upper, coverage=0.8)
    assert score == pytest.approx((2 + (2 + 10 * 2) + (2 + 10 * 1)) / 3)


def test_point_metrics_agree_with_scikit_learn():
    s = SAMPLE
    expected = {
        "mse_price": peer.mean_squared_error(s.actual, s.predicted),
        "mae_price": peer.mean_absolute_error(s.actual, s.predicted),
        "rmse_price": peer.root_mean_squared_error(s.actual, s.predicted),
        "mape": 100 * peer.mean_absolute_percentage_error(s.actual, s.predicted),
        "mse_return": peer.mean_squared_error(RETURNS, CENTRE),
        "mae_return": peer.mean_absolute_error(RETURNS, CENTRE),
        "r2_return": peer.r2_score(RETURNS, CENTRE),
        "direction_accuracy": peer.accuracy_score(np.sign(RETURNS), np.sign(CENTRE)),
        "pinball": np.mean(
            [
                peer.mean_pinball_loss(RETURNS, QUANTILES[:, k], alpha=level)
                for k, level in enumerate(LEVELS)
            ]
        ),
    }
    for name, value in expected.items():
        assert METRICS[name](s) == pytest.approx(value, rel=1e-9), name


def test_spread_metrics_agree_with_scoringrules():
    for k, level in enumerate(LEVELS):
        np.testing.assert_allclose(
            metrics.pinball_losses(RETURNS, QUANTILES)[:, k],
            scoringrules.quantile_score(RETURNS, QUANTILES[:, k], level),
        )
    winkler = scoringrules.interval_score(RETURNS, QUANTILES[:, 1], QUANTILES[:, 5], 0.2)
    assert METRICS["winkler_80"](SAMPLE) == pytest.approx(winkler.mean())


def test_crps_is_near_the_exact_one_of_a_normal_forecast():
    exact = scoringrules.crps_normal(RETURNS, CENTRE, 0.02).mean()
    assert METRICS["crps"](SAMPLE) == pytest.approx(exact, rel=0.05)
    # Twice the plain mean over the crowded levels is much further off.
    assert abs(2 * METRICS["pinball"](SAMPLE) - exact) > 0.15 * exact


def test_crps_by_hand():
    quantiles = np.zeros((1, 7))
    # The pinball loss of an outcome of 1 at level t is t.
    weights = np.array([0.05, 0.1, 0.2, 0.25, 0.2, 0.1, 0.05])
    assert metrics.crps(np.array([1.0]), quantiles) == pytest.approx(2 * weights @ LEVELS)


def test_the_tail_of_coverage_95_is_normal():
    assert norm.ppf(0.95) + TAIL * (norm.ppf(0.95) - norm.ppf(0.9)) == pytest.approx(1.959963985)
    rng = np.random.default_rng(0)
    n = 40_000
    close = np.full(n, 50.0)
    quantiles = np.tile(50 * np.exp(0.02 * norm.ppf(LEVELS)), (n, 1))
    sample = Outcomes(close, 50 * np.exp(rng.normal(0, 0.02, n)), close, quantiles)
    for name, nominal in [
        ("coverage_50", 0.5),
        ("coverage_80", 0.8),
        ("coverage_90", 0.9),
        ("coverage_95", 0.95),
    ]:
        assert METRICS[name](sample) == pytest.approx(nominal, abs=0.01)


def test_no_answer_is_nan():
    still = Outcomes(*(np.full(3, 10.0),) * 3, np.full((3, 7), 10.0))
    assert np.isnan(METRICS["direction_accuracy"](still))
    assert np.isnan(METRICS["r2_return"](still))
    assert METRICS["coverage_95"](still) == 1.0
