"""LSTMs and a dense layer written out against Keras's own layers and TensorFlow's tape."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from forecast.networks.fast import compiled, library
from forecast.networks.fast.chain import Chain

STEPS, SCORED, BATCH, FEATURES, OUTPUTS, DROPOUT = 9, 4, 5, 3, 8, 0.4


def a_chain(units, dropout=DROPOUT):
    return Chain(FEATURES, units, OUTPUTS, scored=SCORED, dropout=dropout)


def runs_compiled():
    """Also with AVX-512, where it is not used."""
    return library.PATH.exists() and {"avx2", "fma"} <= library._processor()


@pytest.fixture(params=["operation", "compiled"])
def loop(request, monkeypatch):
    """Both loops, whichever this machine would use."""
    if request.param == "compiled" and not runs_compiled():
        pytest.skip("no compiled loop here")
    monkeypatch.setattr(compiled, "computes", lambda units: request.param == "compiled")
    return request.param


def units_of(loop, units):
    return tuple(16 * each for each in units) if loop == "compiled" else units


def keras_network(units):
    keras.utils.set_random_seed(3)
    inputs = hidden = keras.Input((STEPS, FEATURES))
    for width in units:
        hidden = keras.layers.LSTM(width, return_sequences=True, bias_initializer="normal")(hidden)
        hidden = keras.layers.Dropout(DROPOUT, noise_shape=(None, 1, None))(hidden)
    outputs = keras.layers.Dense(OUTPUTS, bias_initializer="normal")(hidden[:, -SCORED:])
    return keras.Model(inputs, outputs)


def rows():
    return np.random.default_rng(1).normal(size=(BATCH, STEPS, FEATURES)).astype("float32")


def by_step(array):
    return np.ascontiguousarray(np.asarray(array).swapaxes(0, 1))


@pytest.mark.parametrize("units", [(4,), (64,), (4, 6), (64, 5), (5, 64), (64, 64), (1, 2, 3)])
def test_outputs_and_gradients_are_those_of_kerass_layers(units, loop):
    """64 units have spare ones in TensorFlow's operation, four have none."""
    units = units if units == (64, 64) else units_of(loop, units)
    network, chain, x = keras_network(units), a_chain(units), rows()
    own = [np.asarray(each.value) for each in network.trainable_variables]
    vector = chain.vector(own)
    seeds = [
        np.asarray(each.seed_generator.state.value).astype("int32")
        for each in network.layers
        if isinstance(each, keras.layers.Dropout)
    ]
    towards = np.random.default_rng(2).normal(size=(BATCH, SCORED, OUTPUTS)).astype("float32")
    with tf.GradientTape() as tape:
        expected = network(x, training=True)
        sum_ = tf.reduce_sum(expected * towards)
    gradients = tape.gradient(sum_, [each.value for each in network.trainable_variables])

    weights = chain.weights(vector)
    passed = chain.forward(by_step(x), weights, chain.masks(BATCH, seeds))
    found = chain.dense(passed.rows, weights).reshape(SCORED, BATCH, OUTPUTS)
    np.testing.assert_allclose(found, by_step(expected), atol=1e-6)
    raw = by_step(towards).reshape(-1, OUTPUTS)
    last, back = chain.dense_gradient(passed.rows, weights, raw)
    whole = np.concatenate([chain.gradient(passed, back), last])
    for one, other in zip(chain.own(whole), gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    # What is left of the vector are the spare units', which stay zero.
    np.testing.assert_array_equal(whole, chain.vector(chain.own(whole)))


def test_without_masks_nothing_is_dropped(loop):
    units = units_of(loop, (4, 4))
    network, chain, x = keras_network(units), a_chain(units), rows()
    vector = chain.vector([np.asarray(each.value) for each in network.trainable_variables])
    weights = chain.weights(vector)
    expected = by_step(network(x, training=False))
    for keep in (True, False):
        found = chain.dense(chain.forward(by_step(x), weights, keep=keep).rows, weights)
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-6)


def test_weights_come_back_from_the_vector_as_they_were(loop):
    chain = a_chain((64, 64) if loop == "compiled" else (64, 6))
    own = [np.random.default_rng(1).normal(size=shape).astype("float32") for shape in chain._own]
    vector = chain.vector(own)
    for one, other in zip(chain.own(vector), own, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.shares_memory(one, vector)
    assert np.count_nonzero(vector) == sum(each.size for each in own)


@pytest.mark.parametrize("batch", [1, 2, 7, 8])
@pytest.mark.parametrize("features", [1, 15, 16, 35])
def test_both_loops_agree_for_any_batch_and_inputs(batch, features, monkeypatch):
    if not runs_compiled():
        pytest.skip("no compiled loop here")
    rng = np.random.default_rng(5)
    x = rng.normal(size=(STEPS, batch, features)).astype("float32")
    back = rng.normal(size=(SCORED * batch, 32)).astype("float32")
    found = []
    for use in (False, True):
        monkeypatch.setattr(compiled, "computes", lambda units, use=use: use)
        chain = Chain(features, (32, 32), OUTPUTS, scored=SCORED, dropout=0.0)
        rng = np.random.default_rng(6)
        own = [0.2 * rng.normal(size=shape).astype("float32") for shape in chain._own]
        passed = chain.forward(x, chain.weights(chain.vector(own)))
        end = np.zeros(32 * OUTPUTS + OUTPUTS, "float32")
        found.append([passed.rows, *chain.own(np.concatenate([chain.gradient(passed, back), end]))])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


def test_the_compiled_loop_saturates_and_keeps_what_is_no_number(monkeypatch):
    if not runs_compiled():
        pytest.skip("no compiled loop here")
    monkeypatch.setattr(compiled, "computes", lambda units: True)
    chain, network = a_chain((16,), dropout=0.0), keras_network((16,))
    own = [np.asarray(each.value) for each in network.trainable_variables]
    weights = chain.weights(chain.vector(own))
    for scale in (1e3, 1e30):
        x = scale * rows()
        found = chain.dense(chain.forward(by_step(x), weights).rows, weights)
        expected = by_step(network(x, training=False))
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-5)
    x = by_step(rows())
    x[STEPS - 2, 1, 0] = np.nan
    found = chain.forward(x, weights).rows.reshape(SCORED, BATCH, 16)
    seen = np.isnan(found).any(axis=2)
    assert seen[-2:, 1].all()
    assert seen.sum() == 2


def test_the_loop_was_compiled_where_there_is_a_compiler():
    if not library.FITS or shutil.which("cc") is None:
        pytest.skip("there is none")
    assert library.PATH.exists(), "make install"


@pytest.mark.parametrize(
    ("flags", "there", "reason"),
    [
        ({"avx2", "fma"}, True, None),
        ({"avx2", "fma"}, False, "no C compiler"),
        ({"avx2", "fma", "avx512f"}, True, "AVX-512"),
        ({"sse2"}, True, "AVX2"),
    ],
)
def test_tensorflows_operation_stands_in_with_a_reason(flags, there, reason, monkeypatch, tmp_path):
    if not library.PATH.exists():
        pytest.skip("no compiled loop here")
    monkeypatch.setattr(library, "_processor", lambda: flags)
    if not there:
        monkeypatch.setattr(library, "PATH", tmp_path / "none.so")
    said = library.missing.__wrapped__()
    assert said is None if reason is None else reason in said


def test_a_damaged_library_is_no_error(monkeypatch, tmp_path):
    torn = tmp_path / "torn.so"
    torn.write_bytes(b"torn")
    monkeypatch.setattr(library, "PATH", torn)
    monkeypatch.setattr(library, "FITS", True)
    monkeypatch.setattr(library, "_processor", lambda: {"avx2", "fma"})
    assert "does not load" in library.missing.__wrapped__()


def test_no_dropout_has_no_masks():
    assert a_chain((4, 4), dropout=0.0).masks(BATCH, []) == []
