"""Devices on a machine that may have no GPU: the rules, and several devices made of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from forecast.networks import devices
from forecast.networks.architectures import NETWORKS, build


def reasons(model):
    return [devices.unfused(layer) for layer in devices._recurrent_layers(model)]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_but_the_plain_one_keeps_to_what_cudnn_asks_for(network):
    found = reasons(build(network, n_features=2, horizon=1, lookback=8, units=(4, 3), dropout=0.1))
    recurrent = {
        **dict.fromkeys(["tcn", "transformer", "dlinear"], 0),
        **dict.fromkeys(["bilstm", "bigru", "seq2seq_lstm", "seq2seq_gru"], 4),
        **dict.fromkeys(["seq2seq_bilstm", "seq2seq_bigru"], 6),
    }
    assert len(found) == recurrent.get(network, 2)
    if network == "simple_rnn":
        assert found == ["cuDNN has fused kernels for LSTM and GRU only"] * 2
    else:
        assert found == [None] * len(found)


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("LSTM", {"activation": "relu"}, "activation must be tanh"),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "must be sigmoid"),
        ("LSTM", {"use_bias": False}, "bias"),
        ("LSTM", {"unroll": True}, "unrolled"),
        ("LSTM", {"recurrent_dropout": 0.1}, "recurrent inputs"),
        ("LSTM", {"use_cudnn": False}, "off"),
        ("GRU", {"reset_after": False}, "reset_after"),
    ],
)
def test_what_keeps_a_layer_from_the_fused_kernels_is_named(kind, options, reason):
    import keras

    layer = getattr(keras.layers, kind)(4, **options)
    assert reason in devices.unfused(layer)


def test_a_network_without_recurrent_layers_needs_no_fused_kernels():
    assert devices.fused_kernels("tcn", (8,)) == (None, "it has no recurrent layers")


def test_the_loop_that_trains_an_lstm_is_told_with_the_reason(monkeypatch):
    if any(device.kind == "GPU" for device in devices.devices()):
        assert devices.cpu_loop("lstm", (16,)) == (None, False)
        return
    monkeypatch.setattr(devices.library, "missing", lambda: None)
    assert devices.cpu_loop("gru", (16,)) == (None, False)
    assert devices.cpu_loop("lstm", (16,)) == ("the default lstm is trained by compiled C", False)
    told, compiler = devices.cpu_loop("lstm", (16, 10))
    assert told.endswith("TensorFlow's operation: compiled C is for units in multiples of 16")
    assert not compiler
    monkeypatch.setattr(devices.library, "missing", lambda: devices.library.NOT_COMPILED)
    told, compiler = devices.cpu_loop("lstm", (16,))
    assert "no C compiler" in told
    assert compiler


def test_without_a_gpu_that_is_the_reason():
    found = devices.devices()
    if any(device.kind == "GPU" for device in found):
        assert devices.fused_kernels("lstm", (8, 8))[0]
        assert not devices.fused_kernels("simple_rnn", (8,))[0]
    else:
        assert found == [devices.Device("CPU", "CPU")]
        assert devices.fused_kernels("lstm", (8, 8)) == (False, "there is no GPU")


@pytest.mark.parametrize("precision", devices.PRECISIONS)
def test_precision_is_of_what_is_computed_and_not_of_the_weights(precision):
    import keras

    try:
        devices.set_precision(precision)
        layer = keras.layers.LSTM(2)
        layer.build((None, 3, 1))
        assert layer.compute_dtype == precision.removeprefix("mixed_")
        assert layer.variable_dtype == "float32"
    finally:
        devices.set_precision("float32")
    with pytest.raises(ValueError, match="float32, mixed_float16, mixed_bfloat16"):
        devices.set_precision("float64")


def test_one_device_needs_no_strategy():
    with devices.strategy("CPU") as count:
        assert count == 1


TWO_DEVICES = """
import numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from forecast.networks.devices import strategy
from forecast.networks.architectures import build

rng = np.random.default_rng(0)
x, y = rng.normal(size=(16, 5, 2)).astype("float32"), rng.normal(size=(16, 1, 8)).astype("float32")
def trained(devices):
    keras.utils.set_random_seed(1)
    with devices as count:
        model = build("lstm", n_features=2, horizon=1, units=(3,))
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return count, np.concatenate([weight.ravel() for weight in model.get_weights()])
two, shared = trained(strategy("CPU"))
one, alone = trained(strategy())
assert (two, one) == (2, 1), (two, one)
np.testing.assert_allclose(shared, alone, rtol=0, atol=1e-6)
print("same weights")
"""


@pytest.mark.slow
def test_two_devices_share_a_batch_and_learn_the_same():
    result = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False
    )
    assert "same weights" in result.stdout, result.stderr[-2000:]
