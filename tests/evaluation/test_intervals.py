from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from forecast.evaluation.forecasts import outcomes
from forecast.evaluation.intervals import PACE, Calibration, calibrate, from_document, start
from forecast.evaluation.metrics import pinball
from forecast.features.targets import LEVELS, Prediction, log_returns_ahead

UNIT = norm.ppf(LEVELS)


def normal(n, horizon=1, *, sigma=0.01, seed=0, scale=1.0):
    """Forecasts of normal returns, `scale` times too wide, and what came."""
    returns = np.random.default_rng(seed).normal(0, sigma, n + horizon)
    sessions = pd.bdate_range("2010-01-01", periods=n + horizon + 1, name="session")
    bars = pd.DataFrame({"close": 100 * np.exp(np.r_[0, returns].cumsum())}, index=sessions)
    origins = sessions[:n]
    width = scale * sigma * np.sqrt(np.arange(1, horizon + 1))
    quantiles = np.tile(width[:, None] * UNIT, (n, 1, 1))
    actual = log_returns_ahead(bars["close"], horizon=horizon)[:n]
    known, _ = outcomes(bars, origins, horizon=horizon)
    return Prediction(np.zeros((n, horizon)), quantiles), actual, origins, known


def run(prediction, actual, origins, sessions, state=None):
    horizon = prediction.point.shape[1]
    return calibrate(
        prediction, actual, origins=origins, sessions=sessions, state=state or start(horizon)
    )


def held(prediction, actual, step=1):
    quantiles, y = prediction.quantiles[:, step - 1], actual[:, step - 1]
    return np.mean((quantiles[:, 1] <= y) & (y <= quantiles[:, 5]))


def test_first_moves_by_hand():
    # Quantiles -3 -2 -1 0 1 2 3; outcomes 2.5 (outside 80 and 50 %), 0.5 (inside all).
    quantiles = np.tile(np.arange(-3.0, 4.0), (3, 1, 1))
    sessions = pd.bdate_range("2024-01-01", periods=4)
    result, state = run(
        Prediction(np.zeros((3, 1)), quantiles),
        np.array([[2.5], [0.5], [9.0]]),
        sessions[:3],
        sessions.to_numpy()[1:, None],
    )
    # Nothing is known at the first origin.
    np.testing.assert_array_equal(result.quantiles[0], quantiles[0])
    misses = np.array([-0.1, 0.8, 0.5])  # held by the 90 % interval only
    first = PACE * (misses + misses.mean()) / 2
    f90, f80, f50 = np.exp(first)
    np.testing.assert_allclose(
        result.quantiles[1, 0], [-3 * f90, -2 * f80, -f50, 0, f50, 2 * f80, 3 * f90]
    )
    hits = np.array([-0.1, -0.2, -0.5])
    second = first + PACE * (hits + hits.mean()) / 2
    np.testing.assert_allclose(result.quantiles[2, 0, 4:], np.exp(second)[::-1] * [1, 2, 3])
    np.testing.assert_allclose(state.logs, [second])
    # The third outcome is not known at the last origin.
    assert state.known_until == sessions[2]


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.4])
def test_repairs_coverage_and_keeps_or_lowers_the_loss(scale):
    prediction, actual, origins, sessions = normal(1500, scale=scale)
    result, _ = run(prediction, actual, origins, sessions)
    late = Prediction(prediction.point[500:], prediction.quantiles[500:])
    calibrated = Prediction(result.point[500:], result.quantiles[500:])
    y = actual[500:]
    assert held(calibrated, y) == pytest.approx(0.8, abs=0.012)
    before, after = (pinball(y[:, 0], p.quantiles[:, 0]) for p in (late, calibrated))
    assert after < before * (1.003 if scale == 1.0 else 0.99)


def test_follows_a_change_of_the_market():
    prediction, actual, origins, sessions = normal(2000, seed=4)
    actual[1000:] *= 2
    result, _ = run(prediction, actual, origins, sessions)
    late = Prediction(result.point[1200:], result.quantiles[1200:])
    raw = Prediction(prediction.point[1200:], prediction.quantiles[1200:])
    assert held(raw, actual[1200:]) < 0.55
    assert held(late, actual[1200:]) == pytest.approx(0.8, abs=0.02)


def test_several_steps_each_hold():
    prediction, actual, origins, sessions = normal(1500, 5, scale=0.7, seed=6)
    result, _ = run(prediction, actual, origins, sessions)
    late = Prediction(result.point[500:], result.quantiles[500:])
    for step in range(1, 6):
        assert held(late, actual[500:], step) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("horizon", [1, 3])
def test_learns_only_from_what_is_known_at_the_origin(horizon):
    prediction, actual, origins, sessions = normal(200, horizon)
    before, _ = run(prediction, actual, origins, sessions)
    for row in (0, 57, 120):
        poisoned = actual.copy()
        later = sessions > origins[row].to_datetime64()
        poisoned[later] = 5.0
        after, _ = run(prediction, poisoned, origins, sessions)
        np.testing.assert_array_equal(after.quantiles[: row + 1], before.quantiles[: row + 1])
        poisoned[later] = np.nan
        after, _ = run(prediction, poisoned, origins, sessions)
        np.testing.assert_array_equal(after.quantiles[: row + 1], before.quantiles[: row + 1])
    # And it does learn from an outcome as soon as it is known.
    poisoned = actual.copy()
    held_before = abs(actual[100 - horizon, horizon - 1]) < 0.016
    poisoned[100 - horizon, horizon - 1] = 5.0 if held_before else 0.0
    after, _ = run(prediction, poisoned, origins, sessions)
    assert not np.array_equal(after.quantiles[100], before.quantiles[100])
    np.testing.assert_array_equal(after.quantiles[:100], before.quantiles[:100])


@pytest.mark.parametrize("horizon", [1, 3])
def test_goes_on_from_a_saved_state_bit_for_bit(horizon):
    prediction, actual, origins, sessions = normal(300, horizon, scale=0.8)
    whole, last = run(prediction, actual, origins, sessions)
    cut = 200

    def part(rows):
        return (
            Prediction(prediction.point[rows], prediction.quantiles[rows]),
            actual[rows],
            origins[rows],
            sessions[rows],
        )

    _, state = run(*part(slice(None, cut)))
    saved = from_document(json.loads(json.dumps(state.as_document())))
    # The last `horizon` origins come again: their outcomes were not all known.
    again, end = run(*part(slice(cut - horizon, None)), state=saved)
    np.testing.assert_array_equal(again.quantiles[horizon:], whole.quantiles[cut:])
    np.testing.assert_array_equal(end.logs, last.logs)
    assert end.known_until == last.known_until


def test_point_and_median_stay_and_quantiles_never_cross():
    rng = np.random.default_rng(3)
    n = 400
    quantiles = np.sort(rng.standard_t(3, (n, 1, 7)) * 0.01, axis=-1)
    sessions = pd.bdate_range("2010-01-01", periods=n + 1)
    prediction = Prediction(rng.normal(size=(n, 1)), quantiles)
    result, _ = run(
        prediction, rng.normal(0, 0.05, (n, 1)), sessions[:n], sessions.to_numpy()[1:, None]
    )
    np.testing.assert_array_equal(result.point, prediction.point)
    assert (np.diff(result.quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(result.quantiles[..., 3], quantiles[..., 3], atol=1e-15)


def test_closes_that_stand_still_teach_nothing():
    prediction, actual, origins, sessions = normal(300)
    prediction.quantiles[100:200] = 0.0
    actual[100:200] = 0.0
    result, _ = run(prediction, actual, origins, sessions)
    np.testing.assert_array_equal(result.quantiles[101:200], 0.0)
    widths = result.quantiles[:, 0, 5]
    assert widths[200] == pytest.approx(widths[100 - 1], rel=0.1)


def test_no_origin_and_wrong_shapes():
    state = Calibration(np.ones((2, 3)))
    empty = Prediction(np.zeros((0, 2)), np.zeros((0, 2, 7)))
    none = pd.DatetimeIndex([])
    result, after = run(empty, np.zeros((0, 2)), none, np.zeros((0, 2), "datetime64[s]"), state)
    assert result is empty
    assert after is state
    prediction, actual, origins, sessions = normal(10)
    with pytest.raises(ValueError, match="shapes must be"):
        run(prediction, actual, origins, sessions, state)
    with pytest.raises(ValueError, match="increasing"):
        run(prediction, actual, origins[::-1], sessions)
