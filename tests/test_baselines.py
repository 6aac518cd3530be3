from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from forecast.baselines import BASELINES
from forecast.baselines.ewma import DECAY, ewma
from forecast.baselines.garch import fit_garch, garch
from forecast.baselines.har import har
from forecast.baselines.naive import drift, last_close
from forecast.baselines.ridge import ridge
from forecast.errors import NotEnoughBars
from forecast.features.targets import LEVELS
from forecast.features.volatility import range_volatility
from forecast.market.bars import derive_bars
from forecast.market.sources import sample


def bars_from(closes, *, spread=0.01, volume=1000.0):
    close = np.asarray(closes, dtype="float64")
    index = pd.bdate_range("2020-01-01", periods=len(close), name="session").as_unit("s")
    return pd.DataFrame(
        {
            "open": close,
            "high": close * (1 + spread),
            "low": close * (1 - spread),
            "close": close,
            "volume": volume,
        },
        index=index,
    )


def random_bars(n, *, seed=0, sigma=0.015):
    steps = np.random.default_rng(seed).normal(0, sigma, n)
    return bars_from(100 * np.exp(steps.cumsum()))


def calm_and_wild_bars(n):
    """Quiet months and loud ones: how far the last moves went tells how far the next will."""
    return random_bars(n, sigma=np.where(np.arange(n) // 25 % 2, 0.03, 0.005))


def features_of(bars):
    returns = np.log(bars["close"]).diff()
    return pd.DataFrame({"return": returns, "week": returns.rolling(5).mean()}).dropna()


def run(name, bars, origins, *, horizon, fitted_until):
    return BASELINES[name](
        bars, origins, horizon=horizon, fitted_until=fitted_until, features=features_of(bars)
    )


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("name", BASELINES)
def test_shapes_and_order_of_quantiles(name, horizon):
    bars = random_bars(300)
    origins = bars.index[220:290]
    forecast = run(name, bars, origins, horizon=horizon, fitted_until=bars.index[200])
    assert forecast.point.shape == (70, horizon)
    assert forecast.quantiles.shape == (70, horizon, len(LEVELS))
    assert np.isfinite(forecast.point).all()
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    width = forecast.quantiles[..., -1] - forecast.quantiles[..., 0]
    assert (width > 0.01).all()
    assert (width < 0.3).all()


@pytest.mark.parametrize("name", BASELINES)
def test_no_later_bar_changes_a_forecast(name):
    # Without it a fit may find, or not, that the last moves don't count: by the last bit.
    bars = calm_and_wild_bars(330)
    origins, fitted_until = bars.index[205:300], bars.index[200]
    before = run(name, bars, origins, horizon=3, fitted_until=fitted_until)
    poisoned = bars.copy()
    after = poisoned.index > origins[-1]
    poisoned.loc[after, ["open", "high", "low", "close"]] *= 7.0
    poisoned.loc[after, "volume"] = 0.0
    for changed in (poisoned, bars.loc[: origins[-1]]):
        again = run(name, changed, origins, horizon=3, fitted_until=fitted_until)
        np.testing.assert_array_equal(again.point, before.point)
        np.testing.assert_array_equal(again.quantiles, before.quantiles)
    # And the other way round: a bar between the training part and the origin does count.
    moved = bars.copy()
    moved.loc[origins[40], "close"] *= 1.005
    again = run(name, moved, origins, horizon=3, fitted_until=fitted_until)
    np.testing.assert_array_equal(again.quantiles[:40], before.quantiles[:40])
    assert (name in ("last_close", "drift")) == np.array_equal(again.quantiles, before.quantiles)


@pytest.mark.parametrize("name", BASELINES)
def test_closes_that_stand_still(name):
    bars = bars_from(np.full(200, 42.0), spread=0.0, volume=0.0)
    forecast = run(name, bars, bars.index[150:190], horizon=2, fitted_until=bars.index[140])
    np.testing.assert_allclose(forecast.point, 0, atol=1e-12)
    np.testing.assert_allclose(forecast.quantiles, 0, atol=1e-12)


@pytest.mark.parametrize("name", BASELINES)
def test_a_halt_in_the_middle_and_a_crash(name):
    closes = random_bars(400)["close"].to_numpy().copy()
    closes[100:160] = closes[100]
    closes[300:] *= 0.4
    forecast = run(
        name,
        bars_from(closes),
        bars_from(closes).index[250:390],
        horizon=1,
        fitted_until=bars_from(closes).index[240],
    )
    assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize("name", BASELINES)
def test_a_training_part_of_few_sessions(name):
    bars = random_bars(40)
    forecast = run(name, bars, bars.index[20:30], horizon=2, fitted_until=bars.index[11])
    assert np.isfinite(forecast.quantiles).all()
    with pytest.raises(NotEnoughBars, match="training part"):
        run(name, bars, bars.index[20:30], horizon=10, fitted_until=bars.index[10])


@pytest.mark.parametrize("name", BASELINES)
def test_an_origin_that_is_no_session(name):
    bars = random_bars(60)
    with pytest.raises(ValueError, match="every origin"):
        run(name, bars, pd.DatetimeIndex(["1999-01-01"]), horizon=1, fitted_until=bars.index[40])


def test_last_close_by_hand():
    bars = bars_from([100, 110, 99, 99, 108.9, 500, 1])
    until = bars.index[4]
    forecast = last_close(bars, bars.index[5:7], horizon=1, fitted_until=until)
    returns = np.log([1.1, 0.9, 1.0, 1.1])
    median = (np.log(1.1) + np.log(1.0)) / 2
    np.testing.assert_array_equal(forecast.point, np.zeros((2, 1)))
    np.testing.assert_allclose(
        forecast.quantiles[1, 0], np.quantile(returns, LEVELS) - median, atol=1e-15
    )
    assert forecast.quantiles[0, 0, 3] == pytest.approx(0, abs=1e-15)


def test_drift_by_hand():
    bars = bars_from([100, 110, 99, 99, 108.9, 500, 1])
    forecast = drift(bars, bars.index[5:7], horizon=2, fitted_until=bars.index[4])
    mean = np.log(1.089) / 4
    np.testing.assert_allclose(forecast.point, [[mean, 2 * mean]] * 2)
    two = np.log([0.99, 0.9, 1.1])
    np.testing.assert_allclose(
        forecast.quantiles[0, 1], np.quantile(two, LEVELS) - two.mean() + 2 * mean
    )


def test_ewma_by_hand():
    bars = bars_from([100, 110, 99, 99, 108.9])
    forecast = ewma(bars, bars.index[3:], horizon=1, fitted_until=bars.index[3])
    r1, r2, r3, r4 = np.log([1.1, 0.9, 1.0, 1.1])
    v0 = (r1**2 + r2**2 + r3**2) / 3
    v1 = 0.94 * v0 + 0.06 * r1**2
    v2 = 0.94 * v1 + 0.06 * r2**2
    v3 = 0.94 * v2 + 0.06 * r3**2
    v4 = 0.94 * v3 + 0.06 * r4**2
    standard = np.quantile([r1 / v0**0.5, r2 / v1**0.5, r3 / v2**0.5], LEVELS)
    np.testing.assert_allclose(forecast.quantiles[0, 0], v3**0.5 * standard)
    np.testing.assert_allclose(forecast.quantiles[1, 0], v4**0.5 * standard)
    np.testing.assert_array_equal(forecast.point, 0)
    assert DECAY == 0.94


def simulated_garch(n, *, seed):
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(6, n) * np.sqrt(4 / 6)
    variance, returns = 1e-4, np.empty(n)
    for i in range(n):
        returns[i] = np.sqrt(variance) * shocks[i]
        variance = 2e-6 + 0.08 * returns[i] ** 2 + 0.9 * variance
    return returns


def test_garch_finds_a_simulated_process():
    fitted = fit_garch(simulated_garch(8000, seed=1))
    assert fitted.shock == pytest.approx(0.08, abs=0.02)
    assert fitted.persistence == pytest.approx(0.9, abs=0.03)
    assert fitted.freedom == pytest.approx(6, abs=1.2)
    assert fitted.constant == pytest.approx(2e-6, rel=0.5)


def test_garch_agrees_with_arch_filtered_and_forecast_by_arch():
    from arch import arch_model

    returns = simulated_garch(1500, seed=2)
    bars = bars_from(100 * np.exp(np.r_[0, returns].cumsum()))
    origins = bars.index[1200:1210]
    forecast = garch(bars, origins, horizon=3, fitted_until=bars.index[1000])
    fitted = fit_garch(np.diff(np.log(bars["close"].to_numpy()))[:1000])
    scale = 100.0
    peer = arch_model(
        returns * scale, mean="Constant", vol="GARCH", p=1, q=1, dist="t", rescale=False
    )
    values = [
        fitted.mean * scale,
        fitted.constant * scale**2,
        fitted.shock,
        fitted.persistence,
        fitted.freedom,
    ]
    variance = (
        peer.fix(values)
        .forecast(horizon=3, start=1199, reindex=False)
        .variance.to_numpy()[:10]
        .cumsum(axis=1)
    )
    unit = student.ppf(LEVELS, fitted.freedom) * np.sqrt((fitted.freedom - 2) / fitted.freedom)
    expected = (
        fitted.mean * np.array([1, 2, 3])[:, None] + np.sqrt(variance)[..., None] / scale * unit
    )
    np.testing.assert_allclose(forecast.quantiles, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("closes", [np.full(300, 10.0), 100 * 1.01 ** (np.arange(60) % 7)])
def test_garch_repeats_ewma_where_nothing_can_be_fitted(closes, caplog):
    bars = bars_from(closes)
    until, origins = bars.index[len(bars) // 2], bars.index[-20:]
    with caplog.at_level(logging.WARNING):
        ours = garch(bars, origins, horizon=2, fitted_until=until)
    theirs = ewma(bars, origins, horizon=2, fitted_until=until)
    np.testing.assert_array_equal(ours.quantiles, theirs.quantiles)
    assert "ewma" in caplog.text


def test_range_volatility_reaches_over_the_gap():
    bars = bars_from([100.0, 120.0, 120.0])
    bars["high"], bars["low"] = [101.0, 121.0, 120.0], [99.0, 119.0, 120.0]
    half = 1 / (2 * np.sqrt(np.log(2)))
    expected = np.array([np.log(101 / 99), np.log(121 / 100), 0]) * half
    expected[2] = 1e-4  # no range at all
    np.testing.assert_allclose(range_volatility(bars), expected)


def test_har_regresses_on_day_week_and_month():
    bars = derive_bars(sample.fetch("IBM").quotes).iloc[:900]
    length, horizon = 700, 2
    origins = bars.index[[750, 800]]
    forecast = har(bars, origins, horizon=horizon, fitted_until=bars.index[length - 1])
    logs = np.log(range_volatility(bars)).reset_index(drop=True)
    inputs = pd.DataFrame({span: logs.rolling(span, min_periods=1).mean() for span in (1, 5, 22)})
    inputs.insert(0, "one", 1.0)
    target = logs.rolling(horizon).mean().shift(-horizon).iloc[: length - horizon]
    weights = np.linalg.lstsq(inputs.iloc[: length - horizon], target, rcond=None)[0]
    volatility = np.exp(inputs.to_numpy() @ weights)
    closes = np.log(bars["close"].to_numpy())
    ahead = closes[horizon:length] - closes[: length - horizon]
    standard = np.quantile(ahead / volatility[: length - horizon], LEVELS)
    np.testing.assert_allclose(
        forecast.quantiles[:, 1], volatility[[750, 800], None] * standard, rtol=1e-9
    )


def test_ridge_finds_a_planted_signal():
    rng = np.random.default_rng(3)
    signal = rng.normal(0, 0.01, 1500)
    returns = np.r_[0, signal[:-1] + rng.normal(0, 0.005, 1499)]
    bars = bars_from(100 * np.exp(returns.cumsum()))
    features = pd.DataFrame({"signal": signal, "noise": rng.normal(size=1500)}, index=bars.index)
    origins = bars.index[1100:1400]
    forecast = ridge(bars, origins, horizon=1, fitted_until=bars.index[1000], features=features)
    slope = np.polyfit(signal[1100:1400], forecast.point[:, 0], 1)[0]
    assert slope == pytest.approx(1, abs=0.05)
    inside = forecast.quantiles[:, 0, 1] <= returns[1101:1401]
    assert 0.85 < inside.mean() < 0.95


def test_ridge_needs_features():
    bars = random_bars(60)
    with pytest.raises(ValueError, match="needs the features"):
        ridge(bars, bars.index[50:], horizon=1, fitted_until=bars.index[40])
    features = features_of(bars).iloc[:-2]
    with pytest.raises(ValueError, match="must have features"):
        ridge(bars, bars.index[-1:], horizon=1, fitted_until=bars.index[40], features=features)


@pytest.mark.parametrize("horizon", [5, 20])
def test_ridge_does_not_take_the_overlap_of_outcomes_for_a_signal(horizon):
    """Slow features and a price of noise: at a small penalty they explain the training part."""
    worse = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        bars = bars_from(100 * np.exp(rng.normal(0, 0.01, 1500).cumsum()))
        slow = 0.97 ** np.arange(200)
        noise = rng.normal(size=(1699, 12))
        features = pd.DataFrame(
            {f"x{k}": np.convolve(noise[:, k], slow, "valid") for k in range(12)}, index=bars.index
        )
        origins = bars.index[1000 + horizon : 1500 - horizon]
        point = ridge(
            bars, origins, horizon=horizon, fitted_until=bars.index[1000], features=features
        ).point[:, -1]
        closes = np.log(bars["close"])
        came = (closes.shift(-horizon) - closes).loc[origins].to_numpy()
        worse.append(np.mean((came - point) ** 2) / np.mean(came**2))
    assert np.mean(worse) < 1.06, worse


def test_ridge_of_very_few_rows_keeps_near_the_mean():
    bars = random_bars(60)
    features = features_of(bars)
    origins = bars.index[50:52]
    forecast = ridge(bars, origins, horizon=8, fitted_until=bars.index[40], features=features)
    assert np.isfinite(forecast.quantiles).all()
