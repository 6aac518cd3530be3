"""The score table beside Nixtla's utilsforecast, on the same forecasts of two tickers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from utilsforecast import losses

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.metrics import METRICS, Outcomes
from forecast.evaluation.scores import naive_scale
from forecast.features.targets import LEVELS

N = 300
LEVEL = {80: ("p10", "p90"), 50: ("p25", "p75"), 90: ("p05", "p95")}


def ticker(name, seed):
    """Forecasts in prices, and the log returns that they stand for."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, N)))
    actual = close * np.exp(rng.standard_t(4, N) * 0.015)
    predicted = close * np.exp(rng.normal(0, 0.005, N))
    width = 0.02 * np.exp(rng.normal(0, 0.3, (N, 1)))
    quantiles = close[:, None] * np.exp(width * norm.ppf(LEVELS))
    return name, Outcomes(close, actual, predicted, quantiles)


SAMPLES = dict([ticker("AAPL", 1), ticker("IBM", 2)])


def long(actual, predicted, quantiles):
    """The frame that utilsforecast takes, of both tickers."""
    parts = []
    for name, sample in SAMPLES.items():
        part = pd.DataFrame(quantiles(sample), columns=QUANTILE_COLUMNS)
        part = part.assign(unique_id=name, y=actual(sample), lstm=predicted(sample))
        part["ds"] = pd.bdate_range("2024-01-01", periods=N)
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    for level, (low, high) in LEVEL.items():
        frame[f"lstm-lo-{level}"], frame[f"lstm-hi-{level}"] = frame[low], frame[high]
    return frame


PRICES = long(lambda s: s.actual, lambda s: s.predicted, lambda s: s.quantiles)
RETURNS = long(
    lambda s: s.actual_return, lambda s: s.predicted_return, lambda s: s.quantile_returns
)


def ours(name):
    return {ticker: METRICS[name](sample) for ticker, sample in SAMPLES.items()}


def theirs(table, column="lstm"):
    return table.set_index("unique_id")[column].to_dict()


@pytest.mark.parametrize(
    ("name", "loss", "frame", "factor"),
    [
        ("mse_price", losses.mse, PRICES, 1),
        ("mae_price", losses.mae, PRICES, 1),
        ("rmse_price", losses.rmse, PRICES, 1),
        ("mape", losses.mape, PRICES, 100),
        ("mse_return", losses.mse, RETURNS, 1),
        ("mae_return", losses.mae, RETURNS, 1),
    ],
)
def test_point_metrics(name, loss, frame, factor):
    expected = theirs(loss(frame, ["lstm"]))
    assert ours(name) == pytest.approx({key: factor * value for key, value in expected.items()})


def test_pinball():
    table = losses.mqloss(RETURNS, {"lstm": QUANTILE_COLUMNS}, np.array(LEVELS))
    assert ours("pinball") == pytest.approx(theirs(table))


@pytest.mark.parametrize("level", list(LEVEL))
def test_coverage(level):
    assert ours(f"coverage_{level}") == pytest.approx(
        theirs(losses.coverage(PRICES, ["lstm"], level))
    )


def test_scale_of_mase():
    training = PRICES.rename(columns={"lstm": "unused"})[["unique_id", "ds", "y"]]
    table = losses.mase(PRICES, ["lstm"], seasonality=1, train_df=training)
    scales = {
        name: naive_scale(part["y"].reset_index(drop=True))
        for name, part in training.groupby("unique_id")
    }
    expected = {name: value / scales[name] for name, value in ours("mae_price").items()}
    assert theirs(table) == pytest.approx(expected)
