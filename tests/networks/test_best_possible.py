"""Every network on series whose best forecast is known: how near it comes, and noise stays noise.

The best forecast of an AR(1) follows from its last value. That of a sine under noise, by someone
who knows the wave and sees a window, is the mean over its phases, each as likely as it makes the
window.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.features.windows import Windows, make_windows
from forecast.networks.architectures import NETWORKS
from forecast.networks.heads import POINT
from forecast.networks.training import fit, infer

pytestmark = pytest.mark.slow

LOOKBACK, HORIZON = 40, 2
PARTS = (6000, 1500, 2500)
PHI, PERIOD = 0.8, 20
QUICK = ("gru", "dlinear")
EACH = pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.trial) for name in NETWORKS],
)
WAVE = np.sqrt(2.0) * np.sin(2 * np.pi * np.arange(PERIOD) / PERIOD)


def parts_of(series: np.ndarray) -> list[Windows]:
    """Training, validation and test part; known of each step ahead is its number."""
    targets = np.full((len(series), HORIZON), np.nan)
    for step in range(1, HORIZON + 1):
        targets[:-step, step - 1] = series[step:]
    ahead = np.tile(np.arange(1, HORIZON + 1) / HORIZON, (len(series), 1))
    windows = make_windows(
        np.column_stack([series, ahead]),
        targets,
        pd.bdate_range("1980-01-01", periods=len(series)),
        lookback=LOOKBACK,
        feature_names=["value"],
        known=1,
    )
    edges = np.cumsum([0, *PARTS])
    return [
        windows.take(np.arange(first, min(last, len(windows)) - HORIZON))
        for first, last in pairwise(edges)
    ]


def white_noise() -> np.ndarray:
    return np.random.default_rng(1).normal(size=sum(PARTS))


def autoregression() -> np.ndarray:
    series = white_noise()
    for row in range(1, len(series)):
        series[row] += PHI * series[row - 1]
    return series


def best_of_autoregression(windows: Windows) -> np.ndarray:
    return windows.gather(slice(None))[:, -1, :1] * PHI ** np.arange(1, HORIZON + 1)


def sine() -> np.ndarray:
    noise = white_noise()
    return WAVE[np.arange(len(noise)) % PERIOD] + noise


def best_of_sine(windows: Windows) -> np.ndarray:
    phases = np.arange(PERIOD)[:, None]
    waves = WAVE[(phases + np.arange(1 - LOOKBACK, 1)) % PERIOD]
    seen = windows.gather(slice(None))[..., 0].astype("float64")
    # All phases have one sum of squares over whole periods: only the product tells them apart.
    likely = np.exp(seen @ waves.T - (waves**2).sum(axis=1) / 2)
    coming = WAVE[(phases + np.arange(1, HORIZON + 1)) % PERIOD]
    return (likely / likely.sum(axis=1, keepdims=True)) @ coming


def trained(parts: list[Windows], network: str) -> Any:
    return fit(
        *parts[:2],
        network=network,
        head=POINT,
        # One block of convolutions sees nine rows only.
        units=(32, 32) if network == "tcn" else (32,),
        dropout=0.0,
        l2=0.0,
        learning_rate=5e-3,
        batch=8 if NETWORKS[network].causal else 256,
        epochs=30,
        patience=6,
        seed=3,
        centred=False,
    ).model


def gains(parts: list[Windows], model: Any) -> np.ndarray:
    """How much smaller the squared error is than that of the training mean, one step ahead."""
    train, _, test = parts
    errors = (test.y - infer(model, test, head=POINT)[..., 0])[:, 0]
    return (test.y[:, 0] - train.y[:, 0].mean()) ** 2 - errors**2


@pytest.mark.parametrize(
    ("series", "best"),
    [(autoregression, best_of_autoregression), (sine, best_of_sine)],
    ids=["AR(1)", "sine"],
)
@EACH
def test_comes_within_five_percent_of_the_best_possible_loss(network, series, best):
    parts = parts_of(series())
    test, model = parts[2], trained(parts, network)
    loss = np.mean((test.y - infer(model, test, head=POINT)[..., 0]) ** 2)
    assert loss < 1.05 * np.mean((test.y - best(test)) ** 2)


@EACH
def test_finds_nothing_in_white_noise(network):
    parts = parts_of(white_noise())
    gain = gains(parts, trained(parts, network))
    assert gain.mean() < 1.64 * gain.std() / np.sqrt(len(gain))
