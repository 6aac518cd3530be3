"""Encoder and decoder: who reads what, and where the decoder starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.features.inputs import fit_inputs
from forecast.networks.architectures import NETWORKS, build
from forecast.networks.linear import fit_linear
from forecast.networks.seq2seq import CONTEXTS
from forecast.networks.training import fit, infer, load_model, prepare_backend

OWN, HORIZON, KNOWN = 3, 3, 2
NETWORK = [name for name, kind in NETWORKS.items() if kind.decodes]
BOTH = pytest.mark.parametrize("context", CONTEXTS)
EACH = pytest.mark.parametrize("network", NETWORK)


@pytest.fixture(scope="module", autouse=True)
def backend():
    prepare_backend(1)


def model_of(network, context, **settings):
    shape = {"n_features": OWN + HORIZON * KNOWN, "horizon": HORIZON, "known": KNOWN}
    model = build(network, context=context, **{**shape, "units": (5, 4), **settings})
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    return model


def rows(count=4, seed=0):
    shape = (count, 7, OWN + HORIZON * KNOWN)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def changed(windows, row, columns):
    other = windows.copy()
    other[:, row, columns] += 5.0
    return other


@BOTH
@EACH
def test_a_step_sees_the_window_and_the_known_inputs_up_to_it(network, context):
    model, windows = model_of(network, context), rows()
    before = model.predict_on_batch(windows)
    # Any row of the window reaches every step.
    for row in (0, -1):
        after = model.predict_on_batch(changed(windows, row, slice(OWN)))
        assert (after != before).any(axis=-1).all()
    # The known inputs of step 2 reach steps 2 and 3, and not step 1.
    second = slice(OWN + KNOWN, OWN + 2 * KNOWN)
    after = model.predict_on_batch(changed(windows, -1, second))
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, 1:] != before[:, 1:]).any(axis=-1).all()
    # What was known of the sessions ahead at earlier rows is not read.
    after = model.predict_on_batch(changed(windows, slice(0, -1), slice(OWN, None)))
    np.testing.assert_array_equal(after, before)


def test_the_decoder_starts_from_the_last_state_of_the_encoder():
    import keras

    model, windows = model_of("seq2seq_gru", "initial", units=(5,)), rows()
    encoder, decoder = (model.get_layer(f"{part}_gru_1") for part in ("encoder", "decoder"))
    read = np.asarray(encoder(windows[..., :OWN])[0])
    decoded = decoder(
        windows[:, -1, OWN:].reshape(-1, HORIZON, KNOWN), initial_state=keras.ops.array(read)
    )
    hidden = keras.Model(model.inputs, decoder.output).predict_on_batch(windows)
    np.testing.assert_allclose(hidden, decoded, atol=1e-6)
    kernel, bias = model.get_layer("head").get_weights()
    assert kernel.shape == (5, 8)  # one answer for all steps
    assert bias.shape == (8,)


def test_the_context_stands_beside_the_known_inputs_of_every_step():
    import keras

    model, windows = model_of("seq2seq_lstm", "every", units=(5,)), rows()
    encoder, decoder = (model.get_layer(f"{part}_lstm_1") for part in ("encoder", "decoder"))
    read = np.repeat(np.asarray(encoder(windows[..., :OWN]))[:, None], HORIZON, axis=1)
    ahead = windows[:, -1, OWN:].reshape(-1, HORIZON, KNOWN)
    hidden = keras.Model(model.inputs, decoder.output).predict_on_batch(windows)
    expected = decoder(np.concatenate([ahead, read], axis=-1))
    np.testing.assert_allclose(hidden, expected, atol=1e-6)


def test_a_decoder_with_nothing_to_read_is_refused():
    with pytest.raises(ValueError, match="each step must have inputs"):
        build("seq2seq_gru", n_features=3, horizon=2, context="initial")


@pytest.fixture
def parts(walk):
    inputs, split = fit_inputs(
        walk,
        ticker="T",
        feature_names=["return_1", "volatility_20"],
        lookback=10,
        horizon=2,
        target="return",
        ahead=True,
    )
    windows = inputs.windows(walk, ticker="T")
    return windows.take(split.train), windows.take(split.validation)


def test_the_linear_part_leaves_the_sessions_ahead_alone(parts):
    train, validation = parts
    slopes = fit_linear(train, validation)
    assert slopes.shape == (2 + 2 * 4, 2)
    assert not slopes[2:].any()
    own = [replace(part, features=part.features[:, :2], known=0) for part in parts]
    np.testing.assert_allclose(slopes[:2], fit_linear(*own), rtol=1e-12)


@BOTH
def test_trains_and_comes_back_the_same_from_its_file(context, parts, tmp_path):
    fitted = fit(
        *parts,
        network="seq2seq_lstm",
        context=context,
        units=(4, 3),
        dropout=0.1,
        l2=1e-4,
        learning_rate=3e-3,
        epochs=2,
        patience=5,
        seed=1,
    )
    path = tmp_path / "network.keras"
    fitted.model.save(path)
    np.testing.assert_array_equal(infer(load_model(path), parts[1]), infer(fitted.model, parts[1]))
