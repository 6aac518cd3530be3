"""Adam over one vector against Keras's."""

from __future__ import annotations

import keras
import numpy as np

from forecast.networks.adam import Vector
from forecast.networks.averaging import share_of


def test_it_updates_as_keras_does_with_short_and_long_gradients():
    rng = np.random.default_rng(1)
    start = rng.normal(size=50).astype("float32")
    optimizer = keras.optimizers.Adam(learning_rate=0.01, global_clipnorm=1.0)
    theirs = keras.Variable(start.copy())
    ours, average = Vector(start.copy()), None
    for done, size in enumerate((3.0, 0.001, 0.1, 5.0, 0.0), start=1):
        gradient = size * rng.normal(size=50).astype("float32")
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
        ours.update(gradient.copy(), optimizer)
        np.testing.assert_allclose(ours.trained, theirs.numpy(), atol=1e-6)
        average = ours.trained if average is None else average
        average = average + share_of(done) * (ours.trained - average)
        np.testing.assert_allclose(ours.average, average, atol=1e-6)


def test_another_learning_rate_counts_from_the_next_update():
    optimizer = keras.optimizers.Adam(learning_rate=0.01, global_clipnorm=1.0)
    vector = Vector(np.zeros(1, "float32"))
    vector.update(np.ones(1, "float32"), optimizer)
    before = vector.trained.copy()
    optimizer.learning_rate = 0.0
    vector.update(np.ones(1, "float32"), optimizer)
    np.testing.assert_array_equal(vector.trained, before)


def test_with_another_momentum_a_lasting_gradient_still_gives_steps_of_the_rate():
    optimizer = keras.optimizers.Adam(learning_rate=0.01, beta_1=0.8, global_clipnorm=1.0)
    vector = Vector(np.zeros(1, "float32"))
    for done in range(1, 5):
        vector.update(np.ones(1, "float32"), optimizer)
        np.testing.assert_allclose(vector.trained, -0.01 * done, rtol=1e-5)
        optimizer.beta_1 = 0.9
