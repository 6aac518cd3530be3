"""LSTMs and a dense layer written out against Keras's own layers and TensorFlow's tape."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from forecast.networks.fast.chain import Chain

STEPS, SCORED, BATCH, FEATURES, OUTPUTS, DROPOUT = 9, 4, 5, 3, 8, 0.4


def a_chain(units, dropout=DROPOUT):
    return Chain(FEATURES, units, OUTPUTS, scored=SCORED, dropout=dropout)


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


@pytest.mark.parametrize("units", [(4,), (64,), (4, 6), (64, 5), (5, 64), (64, 64)])
def test_outputs_and_gradients_are_those_of_kerass_layers(units):
    """64 units have spare ones, four have none."""
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


def test_without_masks_nothing_is_dropped():
    network, chain, x = keras_network((4, 4)), a_chain((4, 4)), rows()
    vector = chain.vector([np.asarray(each.value) for each in network.trainable_variables])
    weights = chain.weights(vector)
    found = chain.dense(chain.forward(by_step(x), weights).rows, weights)
    expected = by_step(network(x, training=False))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-6)


def test_weights_come_back_from_the_vector_as_they_were():
    chain = a_chain((64, 6))
    own = [
        np.random.default_rng(1).normal(size=shape).astype("float32")
        for shape in [(3, 256), (64, 256), (256,), (64, 24), (6, 24), (24,), (6, 8), (8,)]
    ]
    vector = chain.vector(own)
    for one, other in zip(chain.own(vector), own, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.shares_memory(one, vector)
    assert np.count_nonzero(vector) == sum(each.size for each in own)


def test_no_dropout_has_no_masks():
    assert a_chain((4, 4), dropout=0.0).masks(BATCH, []) == []
