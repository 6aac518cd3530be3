"""The fast layers against Keras's own."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from forecast.networks.fast import fast_layer, written_out
from forecast.networks.training import prepare_backend


@pytest.mark.parametrize("units", [7, 64])  # 64 are computed with spare units
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_outputs_and_gradients_are_those_of_keras(cell, compiled, every_step, backwards, units):
    prepare_backend(1)
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(1)
    inputs = tf.constant(rng.normal(size=(3, 11, 5)).astype("float32"))
    above = tf.constant(
        rng.normal(size=(3, 11, units) if every_step else (3, units)).astype("float32")
    )
    form = {"return_sequences": every_step, "go_backwards": backwards}
    kerass = getattr(keras.layers, cell)(units, **form)
    own = (written_out(cell) if compiled else partial(fast_layer, cell))(units, **form)
    kerass.build(inputs.shape)
    own.build(inputs.shape)
    for one, other in zip(kerass.weights, own.weights, strict=True):
        one.assign(rng.normal(size=one.shape) / np.sqrt(units))
        other.assign(one)

    def both(layer):
        weights = [weight.value for weight in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(outputs * above)
        return outputs, tape.gradient(loss, [inputs, *weights])

    expected, expected_gradients = both(kerass)
    outputs, gradients = tf.function(both, jit_compile=compiled)(own)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_saved_form_is_the_plain_layer(cell):
    prepare_backend(1)
    own = fast_layer(cell, 3, return_sequences=True, name="one")
    import keras

    plain = getattr(keras.layers, cell)(3, return_sequences=True, name="one")
    assert own.get_config() == plain.get_config()


@pytest.mark.parametrize("units", [7, 64])
def test_an_lstm_is_started_from_states_and_gives_them(units):
    prepare_backend(1)
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(1)
    inputs = tf.constant(rng.normal(size=(3, 11, 5)).astype("float32"))
    start = [tf.constant(rng.normal(size=(3, units)).astype("float32")) for _ in range(2)]
    kerass = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    own = fast_layer("LSTM", units, given=True, states=True, return_sequences=True)
    for layer in (kerass, own):
        layer.build(inputs.shape)
    own.set_weights(kerass.get_weights())

    def both(layer):
        with tf.GradientTape() as tape:
            tape.watch([inputs, *start])
            outputs = layer(inputs, initial_state=start, training=True)
            loss = sum(tf.reduce_sum(tf.square(each)) for each in outputs)
        return outputs, tape.gradient(loss, [inputs, *start])

    for one, other in zip(both(own), both(kerass), strict=True):
        for part, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(part, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("steps", [60, 75])
def test_the_last_rows_are_those_of_a_slice_and_so_is_their_gradient(steps, known):
    prepare_backend(1)
    import tensorflow as tf

    from forecast.networks.fast.block import last_rows

    rows = tf.constant(np.random.default_rng(1).normal(size=(3, steps, 5)).astype("float32"))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((3, steps if known else None, 5))])
    def both(rows):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            last = last_rows(rows, 60)
            loss = tf.reduce_sum(tf.square(last))
        return last, tape.gradient(loss, rows)

    last, gradient = both(rows)
    np.testing.assert_array_equal(last, rows[:, -60:])
    np.testing.assert_array_equal(gradient[:, : steps - 60], 0.0)
    np.testing.assert_array_equal(gradient[:, -60:], 2 * rows[:, -60:])


def test_wide_layers_of_a_width_that_misses_the_cache_get_spare_units():
    from forecast.networks.fast.block import spare_units

    assert [spare_units(units) for units in (7, 32, 50, 64, 66, 96, 100, 128)] == [
        *(0, 0, 0, 2, 0, 2, 0, 2)
    ]
