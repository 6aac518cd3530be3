"""What a network learns of each ticker, and tickers that count the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.features.windows import concatenate, make_windows, with_column
from forecast.networks.architectures import build
from forecast.networks.batches import training_slices, training_windows
from forecast.networks.forward import read_forward
from forecast.networks.training import fit, infer

LOOKBACK = 5
SPREADS = (1.0, 4.0)


def noise(rows, *, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return make_windows(
        rng.normal(size=(rows, 1)).astype("float32"),
        rng.normal(scale=spread, size=(rows, 1)),
        pd.date_range("2000-01-03", periods=rows, freq="B"),
        lookback=LOOKBACK,
        feature_names=["nothing"],
    )


def numbered(seed):
    return concatenate(
        [
            with_column(noise(600, spread=spread, seed=seed + number), "ticker", number)
            for number, spread in enumerate(SPREADS, start=1)
        ]
    )


@pytest.fixture(scope="module")
def fitted():
    return fit(
        numbered(1),
        numbered(11),
        network="gru",
        units=(4,),
        dropout=0.0,
        l2=0.0,
        learning_rate=0.03,
        epochs=60,
        patience=60,
        seed=1,
        embedding=2,
    )


def width(model, number):
    windows = with_column(noise(100, seed=5), "ticker", number)
    outputs = infer(model, windows)
    return float((outputs[..., -1] - outputs[..., 1]).mean())


def test_each_ticker_has_its_own_spread(fitted):
    # From the 5 % to the 95 % quantile of a normal: 3.29 standard deviations.
    assert width(fitted.model, 1) == pytest.approx(3.29, rel=0.15)
    assert width(fitted.model, 2) == pytest.approx(4 * 3.29, rel=0.15)


def test_a_ticker_never_seen_is_the_mean_of_those_seen(fitted):
    (kernel,) = fitted.model.get_layer("tickers").get_weights()
    assert kernel.shape == (3, 2)
    np.testing.assert_allclose(kernel[0], kernel[1:].mean(axis=0), rtol=1e-6)
    assert width(fitted.model, 1) < width(fitted.model, 0) < width(fitted.model, 2)


def test_no_linear_slope_on_the_number(fitted):
    (slopes,) = fitted.model.get_layer("linear").get_weights()
    assert slopes[0] == 0


def test_a_saved_one_is_computed_without_keras(fitted, tmp_path):
    fitted.model.save(tmp_path / "network.keras")
    windows = numbered(3).gather(np.arange(0, 1100, 50))
    np.testing.assert_allclose(
        read_forward(tmp_path / "network.keras").predict_on_batch(windows),
        fitted.model.predict_on_batch(windows),
        atol=1e-5,
        rtol=0,
    )


def test_on_every_step_each_row_knows_its_ticker():
    shape = {"n_features": 3, "horizon": 1, "units": (4,), "embedding": (3, 2)}
    many, one = build("lstm", **shape, scored=4), build("lstm", **shape)
    one.set_weights(many.get_weights())
    rows = np.random.default_rng(1).normal(size=(2, 9, 3)).astype("float32")
    rows[..., 0] = [[1], [2]]
    np.testing.assert_allclose(
        many.predict_on_batch(rows)[:, 0], one.predict_on_batch(rows[:, :6]), atol=1e-6
    )


def long_and_short():
    """800 rows of one ticker, 100 of another."""
    return concatenate([noise(800), noise(100, seed=1)])


def test_balanced_slices_are_as_many_of_each_ticker():
    windows, rng = long_and_short(), np.random.default_rng(0)
    for balanced in (False, True):
        starts = np.concatenate(
            training_slices(windows, scored=10, batch=2, balanced=balanced, rng=rng)
        )
        long = int((starts < 800).sum())
        # About 80 tiles of the one and 10 of the other either way.
        assert abs(len(starts) - 91) < 3
        assert long == pytest.approx(len(starts) / 2 if balanced else 80, abs=2)


def test_balanced_windows_are_as_many_of_each_ticker():
    windows, rng = long_and_short(), np.random.default_rng(0)
    (plain,) = training_windows(windows, batch=2000, balanced=False, rng=rng)
    np.testing.assert_array_equal(np.sort(plain), np.arange(len(windows)))
    (drawn,) = training_windows(windows, batch=2000, balanced=True, rng=rng)
    first_of_short = int(np.searchsorted(windows.starts, 800))
    assert (drawn < first_of_short).sum() == len(drawn) / 2
    # Every window of the short one, several times.
    assert set(range(first_of_short, len(windows))) <= set(drawn.tolist())
