from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation.forecasts import forecast_frame, outcomes
from forecast.evaluation.lag import lag_test
from forecast.features.targets import Prediction

N = 400
SHOCKS = np.random.default_rng(8).normal(0, 0.01, N + 1)


def frame_of(returns, points, *, horizon=1):
    """Frame of `net` and `last_close`; `points` are log returns, shape (n,)."""
    sessions = pd.bdate_range("2015-01-01", periods=len(returns) + 1, name="session")
    bars = pd.DataFrame({"close": 50 * np.exp(np.r_[0, returns].cumsum())}, index=sessions)
    n = len(returns) + 1 - horizon
    origins = sessions[:n]
    known, actual = outcomes(bars, origins, horizon=horizon)
    parts = []
    for name, values in (("last_close", np.zeros(n)), ("net", points[:n])):
        point = np.tile(values[:, None], (1, horizon))
        parts.append(
            forecast_frame(
                Prediction(point, np.tile(point[..., None], 7)),
                ticker="T",
                model=name,
                close=bars["close"].to_numpy()[:n],
                origins=origins,
                sessions=known,
                actual=actual,
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_last_close_is_persistence():
    result = lag_test(frame_of(SHOCKS, np.zeros(N + 1)), model="last_close")
    assert result.persistence
    assert result.correlations["line"].idxmax() == 1
    assert result.correlations.loc[1, "line"] == pytest.approx(1)
    assert abs(result.correlations.loc[0, "line"]) < 0.15
    assert result.correlations["forecast"].isna().all()  # it never forecasts a move
    assert (result.slope, result.r2) == (pytest.approx(1), pytest.approx(1))
    assert result.intercept == pytest.approx(0, abs=1e-9)
    assert result.text.startswith(
        "This is persistence: last_close repeats the last close, 1 session"
    )
    assert list(result.correlations.index) == list(range(-5, 6))
    json.dumps(result.persistence)


def test_noise_on_the_last_close_is_persistence():
    noise = np.random.default_rng(1).normal(0, 0.002, N + 1)
    result = lag_test(frame_of(SHOCKS, noise), model="net")
    assert result.persistence
    assert "This is persistence" in result.text


def test_correlations_by_hand():
    points = np.random.default_rng(1).normal(0, 0.01, N + 1)
    result = lag_test(frame_of(SHOCKS, points), model="net")
    actual = SHOCKS[1:]  # session to session, of the sessions forecast
    line = SHOCKS[:-1] + np.diff(points)
    for lag in (-3, 0, 2):
        pairs = [(i, i - lag) for i in range(N) if 0 <= i - lag < N]
        ours, theirs = zip(*((line[i], actual[j]) for i, j in pairs), strict=True)
        assert result.correlations.loc[lag, "line"] == pytest.approx(
            np.corrcoef(ours, theirs)[0, 1]
        )
        ahead = [points[1:][i] for i, _ in pairs]
        assert result.correlations.loc[lag, "forecast"] == pytest.approx(
            np.corrcoef(ahead, theirs)[0, 1]
        )


def test_foresight_is_no_persistence():
    result = lag_test(frame_of(SHOCKS, 0.9 * SHOCKS), model="net")
    assert not result.persistence
    assert result.correlations["line"].idxmax() == 0
    assert result.text.startswith("No sign of a shifted price")


def test_a_small_but_real_signal_is_not_called_persistence():
    result = lag_test(frame_of(SHOCKS, 0.1 * SHOCKS), model="net")
    assert result.correlations["line"].idxmax() == 1
    assert not result.persistence
    assert "what it adds is significant" in result.text


def test_several_steps_lag_by_the_step():
    result = lag_test(frame_of(SHOCKS, np.zeros(N + 1), horizon=7), model="last_close", step=7)
    assert result.persistence
    assert result.correlations["line"].idxmax() == 7
    assert "7 sessions late" in result.text


@pytest.mark.parametrize("returns", [SHOCKS[:20], np.zeros(200)])
def test_no_answer(returns):
    result = lag_test(frame_of(returns, np.zeros(len(returns))), model="net")
    assert not result.persistence
    assert result.text.endswith("no answer.")


@pytest.mark.parametrize(("outcomes", "answered"), [(29, False), (30, True)])
def test_thirty_outcomes_are_enough(outcomes, answered):
    frame = frame_of(SHOCKS[:outcomes], np.zeros(outcomes))
    result = lag_test(frame, model="last_close")
    assert len(frame) == 2 * outcomes
    assert result.persistence is answered
    assert result.text.endswith("no answer.") is not answered
    assert result.correlations["line"].notna().all() == answered


def test_one_ticker_and_a_known_model():
    frame = frame_of(SHOCKS, np.zeros(N + 1))
    with pytest.raises(ValueError, match="must hold gru"):
        lag_test(frame, model="gru")
    with pytest.raises(ValueError, match="one ticker"):
        lag_test(pd.concat([frame, frame.assign(ticker="U")]), model="net")
