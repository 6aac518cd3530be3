"""Other Keras backends and several devices run the same code."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.slow

_TRAIN = """
import numpy as np
from forecast.features.inputs import fit_inputs
from forecast.features.sets import DEFAULT_FEATURES
from forecast.market.bars import derive_bars
from forecast.market.sources import sample
from forecast.networks.training import fit, infer

bars = derive_bars(sample.fetch("AAPL").quotes)
inputs, split = fit_inputs(
    bars, ticker="AAPL", feature_names=DEFAULT_FEATURES["return"], lookback=20, horizon=1,
    target="return",
)
windows = inputs.windows(bars, ticker="AAPL")
for network in {networks}:
    fitted = fit(
        windows.take(split.train), windows.take(split.validation), network=network, units=(8, 8),
        dropout=0.1, l2=0.0, learning_rate=3e-3, epochs=2, patience=10, seed=1,
        precision={precision!r},
    )
    outputs = infer(fitted.model, windows.take(split.test))
    print(network, fitted.validation_loss[-1], outputs.mean())
"""


def _losses(*, networks=("lstm", "gru"), before="", precision="float32", **variables):
    script = before + _TRAIN.format(networks=networks, precision=precision)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [float(line.split()[1]) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def expected():
    return _losses()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_trains_the_same_networks(backend, expected):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    # Other random numbers, the same task.
    assert _losses(KERAS_BACKEND=backend) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_command_line_runs_on_another_backend_without_loading_tensorflow(backend, tmp_path):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    script = """
import sys
from forecast.cli import main
try:
    main()
finally:
    print("tensorflow" in sys.modules, file=sys.stderr)
"""
    asked = ["train", "AAPL", "--source=sample", "--epochs=1", f"--home={tmp_path}", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", script, *asked],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "False")


def test_two_devices_share_a_batch(expected):
    two = """
import tensorflow as tf
from forecast.networks import devices, learner
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
whole = devices.strategy
learner.strategy = lambda: whole("CPU")
learner.devices = lambda: [devices.Device("GPU", "a core")]
"""
    assert _losses(before=two) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_gives_the_same_losses(precision, expected):
    assert _losses(precision=precision) == pytest.approx(expected, rel=0.005)
