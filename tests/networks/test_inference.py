"""Inference by the fast layers, in halves, against Keras's own."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.networks.architectures import build
from forecast.networks.inference import predictor
from forecast.networks.training import load_model, prepare_backend


def a_model(network="lstm", **shape):
    prepare_backend(1)
    return build(network, n_features=3, horizon=2, lookback=9, units=(4, 4), **shape)


def windows(samples):
    return np.random.default_rng(1).normal(size=(samples, 9, 3)).astype("float32")


@pytest.mark.parametrize("network", ["lstm", "gru", "bilstm", "seq2seq_lstm", "tcn"])
def test_outputs_are_those_of_keras(network):
    model = a_model(network, linear=[[0.1, 0.2]] * 3)
    predict = predictor(model)
    for samples in (1, 2, 5, 8):
        x = windows(samples)
        np.testing.assert_allclose(predict(x), model.predict_on_batch(x), atol=1e-6)


def test_weights_set_later_are_used():
    model = a_model()
    before = predictor(model)(windows(4))
    model.set_weights([weight * 2 for weight in model.get_weights()])
    after = predictor(model)(windows(4))
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, model.predict_on_batch(windows(4)), atol=1e-6)


def test_what_is_saved_afterwards_is_the_plain_network(tmp_path):
    model = a_model()
    plain = model.to_json()
    expected = predictor(model)(windows(4))
    assert model.to_json() == plain
    model.save(tmp_path / "network.keras")
    again = load_model(tmp_path / "network.keras")
    assert {type(layer).__name__ for layer in again.layers} >= {"LSTM"}
    np.testing.assert_array_equal(predictor(again)(windows(4)), expected)
