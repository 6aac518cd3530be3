"""The network without Keras beside the network in Keras."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from forecast.networks.architectures import NETWORKS, build
from forecast.networks.forward import Forward, load_network, read_forward
from forecast.networks.forward.layers import UnknownPart
from forecast.networks.training import load_model, prepare_backend

N_FEATURES = 3
IN_NUMPY = [name for name in NETWORKS if name != "transformer"]
WINDOWS = np.random.default_rng(0).normal(0, 3, (40, 20, N_FEATURES)).astype("float32")


@pytest.fixture(scope="module", autouse=True)
def backend():
    prepare_backend(1)


def saved(tmp_path, network, **settings):
    """A network with weights of the size that training gives, in a file."""
    model = build(network, n_features=N_FEATURES, lookback=20, **settings)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    path = tmp_path / "network.keras"
    model.save(path)
    return path


@pytest.mark.parametrize(
    "settings",
    [
        {"horizon": 1, "units": (8,)},
        {"horizon": 5, "units": (6, 5), "dropout": 0.2, "l2": 1e-3},
        {"horizon": 2, "units": (4, 9, 3), "linear": [[0.1, -0.2]] * N_FEATURES},
    ],
    ids=["one layer", "two layers, five steps", "three layers, linear part"],
)
@pytest.mark.parametrize("network", list(NETWORKS))
def test_every_network_gives_what_keras_gives(network, settings, tmp_path):
    path = saved(tmp_path, network, **settings)
    ours = load_network(path)
    theirs = np.asarray(load_model(path)(WINDOWS))
    assert isinstance(ours, Forward) == (network in IN_NUMPY)
    assert ours.predict_on_batch(WINDOWS).shape == theirs.shape
    np.testing.assert_allclose(ours.predict_on_batch(WINDOWS), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("network", IN_NUMPY)
def test_a_window_alone_gives_what_it_gives_among_five_hundred(network, tmp_path):
    model = read_forward(saved(tmp_path, network, horizon=2, units=(6, 5)))
    many = np.random.default_rng(1).normal(0, 3, (500, 20, N_FEATURES))
    together = model.predict_on_batch(many)
    alone = np.concatenate(
        [model.predict_on_batch(many[row : row + 1]) for row in range(0, 500, 50)]
    )
    np.testing.assert_allclose(alone, together[::50], atol=1e-12, rtol=0)
    np.testing.assert_array_equal(model.predict_on_batch(many), together)


def test_a_window_of_another_length_and_extreme_inputs(tmp_path):
    path = saved(tmp_path, "gru", horizon=1, units=(5,))
    extreme = np.full((1, 3, N_FEATURES), 1e4, dtype="float32")
    np.testing.assert_allclose(
        load_network(path).predict_on_batch(extreme),
        load_model(path).predict_on_batch(extreme),
        atol=1e-5,
        rtol=0,
    )


def unknown_layer(layers, inputs):
    return layers.LayerNormalization()(layers.LSTM(4)(inputs))


def unknown_activation(layers, inputs):
    return layers.LSTM(4, activation="selu")(inputs)


def older_gru(layers, inputs):
    return layers.GRU(4, reset_after=False)(inputs)


def unknown_operation(layers, inputs):
    import keras

    return keras.ops.exp(layers.LSTM(4)(inputs))


def half_precision(layers, inputs):
    return layers.LSTM(4, dtype="mixed_float16")(inputs)


def shared_layer(layers, inputs):
    layer = layers.LSTM(3)
    return layers.Concatenate()([layer(inputs), layer(inputs)])


def kept_state(layers, inputs):
    hidden, *state = layers.LSTM(4, return_state=True, return_sequences=True)(inputs)
    return layers.LSTM(4)(hidden, initial_state=state)


@pytest.mark.parametrize(
    "part",
    [
        unknown_layer,
        unknown_activation,
        older_gru,
        unknown_operation,
        half_precision,
        shared_layer,
        kept_state,
    ],
    ids=lambda part: part.__name__,
)
def test_what_is_not_known_goes_to_keras(part, tmp_path):
    import keras

    inputs = keras.Input((None, N_FEATURES))
    model = keras.Model(inputs, keras.layers.Dense(2)(part(keras.layers, inputs)))
    path = tmp_path / "network.keras"
    model.save(path)
    with pytest.raises(UnknownPart):
        read_forward(path)
    np.testing.assert_array_equal(
        load_network(path).predict_on_batch(WINDOWS), model.predict_on_batch(WINDOWS)
    )


def test_neither_keras_nor_tensorflow_is_imported(tmp_path):
    path = saved(tmp_path, "lstm", horizon=1, units=(4,))
    script = (
        "import sys; from pathlib import Path; import numpy as np; "
        "from forecast.networks.forward import load_network; "
        "load_network(Path(sys.argv[1])).predict_on_batch(np.zeros((1, 5, 3))); "
        "sys.exit(', '.join({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
