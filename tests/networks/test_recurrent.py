from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from forecast.errors import TrainingError
from forecast.features.inputs import fit_inputs
from forecast.features.targets import LEVELS
from forecast.networks.architectures import build
from forecast.networks.batches import gather_slices, slice_starts, training_context
from forecast.networks.epochs import Epoch
from forecast.networks.heads import OUTPUTS, point_and_quantile_loss
from forecast.networks.linear import fit_linear, without
from forecast.networks.training import fit, prepare_backend

FEATURES = ["return_1", "volatility_20", "rsi_14"]
SMALL = {
    "units": (6, 5),
    "dropout": 0.0,
    "l2": 0.0,
    "learning_rate": 3e-3,
    "patience": 50,
    "seed": 5,
}


@pytest.fixture(scope="module", autouse=True)
def backend():
    prepare_backend(1)


@pytest.fixture
def parts(walk):
    inputs, split = fit_inputs(
        walk, ticker="T", feature_names=FEATURES, lookback=10, horizon=2, target="return"
    )
    windows = inputs.windows(walk, ticker="T")
    return windows.take(split.train), windows.take(split.validation)


def layers_of(model):
    for layer in model.layers:
        yield from (
            (layer.forward_layer, layer.backward_layer)
            if hasattr(layer, "backward_layer")
            else (layer,)
        )


@pytest.mark.parametrize("network", ["simple_rnn", "lstm", "gru", "bilstm", "bigru"])
def test_every_layer_may_use_the_fused_gpu_kernels(network):
    from keras import activations, layers

    model = build(network, n_features=3, horizon=1, units=(6, 5), dropout=0.2, l2=1e-3)
    recurrent = [
        layer
        for layer in layers_of(model)
        if isinstance(layer, layers.LSTM | layers.GRU | layers.SimpleRNN)
    ]
    assert len(recurrent) == (4 if network.startswith("bi") else 2)
    for layer in recurrent:
        assert layer.activation is activations.tanh
        assert layer.use_bias
        assert not layer.unroll
        assert layer.recurrent_dropout == 0
        if not isinstance(layer, layers.SimpleRNN):
            assert layer.recurrent_activation is activations.sigmoid
            assert layer.use_cudnn == "auto"
        if isinstance(layer, layers.GRU):
            assert layer.reset_after


def test_constant_weights_give_literal_outputs():
    model = build("lstm", n_features=1, horizon=1, units=(1,))
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    point, *quantiles = model.predict_on_batch(np.ones((1, 5, 1)))[0, 0]
    # All zero: the median is 0 and each gap is softplus(0) = log 2.
    gap = np.log(2)
    assert point == 0
    np.testing.assert_allclose(quantiles, gap * np.arange(-3, 4), rtol=1e-6)


def test_loss_by_hand():
    forecast = np.array([[[2.0, *np.arange(-3.0, 4.0)]]], dtype="float32")
    outcome = np.array([[[1.0]]], dtype="float32")
    errors = 1.0 - np.arange(-3.0, 4.0)
    pinball = np.mean([max(q * e, (q - 1) * e) for q, e in zip(LEVELS, errors, strict=True)])
    # Error of the point: 1, squared. Not centred: no pull towards zero.
    loss = point_and_quantile_loss(centred=False)(outcome, forecast)
    np.testing.assert_allclose(loss, pinball + 1.0, rtol=1e-6)
    # The pull: the square of the point (2), and 0.2 times that of the median (0).
    pulled = point_and_quantile_loss(centred=True)(outcome, forecast)
    np.testing.assert_allclose(pulled, pinball + 0.1 + 4.0, rtol=1e-6)


def test_slices_score_each_origin_and_none_beyond_its_run(parts):
    train, _ = parts
    lookback, scored = train.lookback, 16
    known = set(train.starts.tolist())
    for seed in range(20):
        starts = slice_starts(train, scored=scored, rng=np.random.default_rng(seed))
        covered = {int(start) + step for start in starts for step in range(scored)}
        assert covered == known
    features, targets = gather_slices(train, starts[:3], scored=scored)
    assert features.shape == (3, lookback - 1 + scored, 3)
    assert not np.isnan(targets).any()
    first = int(starts[0])
    np.testing.assert_array_equal(
        targets[0, :, :, 0], train.targets[first + lookback - 1 :][:scored]
    )
    np.testing.assert_array_equal(features[0], train.features[first:][: lookback - 1 + scored])
    context = training_context(lookback, scored)
    assert 0 < context < lookback - 1
    shorter, same = gather_slices(train, starts[:3], scored=scored, context=context)
    np.testing.assert_array_equal(shorter, features[:, -context - scored :])
    np.testing.assert_array_equal(same, targets)


@pytest.mark.parametrize(("lookback", "scored"), [(60, 60), (120, 60), (20, 60), (60, 7), (1, 60)])
def test_training_reads_less_than_a_window_first_and_a_whole_one_in_the_end(lookback, scored):
    context = training_context(lookback, scored)
    assert lookback // 4 <= context < lookback
    assert context + scored >= lookback


IN_A_PROCESS = """
import hashlib, sys
import numpy as np
sys.path.insert(0, "tests")
from simulated import random_walk
from forecast.features.inputs import fit_inputs
from forecast.networks.training import fit, infer
walk = random_walk(700, seed=3)
inputs, split = fit_inputs(walk, ticker="T", feature_names=["return_1"], lookback=10, horizon=1,
                           target="return")
windows = inputs.windows(walk, ticker="T")
fitted = fit(windows.take(split.train), windows.take(split.validation), network="lstm",
             units=(8,), dropout=0.2, l2=0.0, learning_rate=3e-3, epochs=3, patience=9, seed=1)
print(hashlib.sha256(infer(fitted.model, windows).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_train_the_same_bits(pytestconfig):
    hashes = {
        subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            cwd=pytestconfig.rootpath,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == hashlib.sha256().digest_size * 2


def test_the_best_epoch_is_kept_and_training_stops_early(parts):
    train, validation = parts
    epochs: list[Epoch] = []
    fitted = fit(
        train,
        validation,
        network="gru",
        epochs=60,
        on_epoch=epochs.append,
        **SMALL | {"patience": 4, "learning_rate": 5e-2},
    )
    # Without a better validation loss the rate falls, and then training stops.
    assert fitted.learning_rate[-1] < fitted.learning_rate[0]
    assert len(fitted.loss) == len(fitted.validation_loss) == len(epochs) < 60
    assert fitted.kept_epoch == 1 + int(np.argmin(fitted.validation_loss))
    assert len(fitted.loss) == fitted.kept_epoch + 4
    # What was kept is that epoch's network: its loss, of what the linear part leaves, comes out
    # again.
    linear = fit_linear(train, validation)
    model = build("gru", n_features=3, horizon=2, units=(6, 5), scored=60)
    for layer in model.layers:
        layer.set_weights(fitted.model.get_layer(layer.name).get_weights())
    starts = slice_starts(validation, scored=60, rng=None)
    features, targets = gather_slices(without([validation], linear)[0], starts, scored=60)
    loss = point_and_quantile_loss()(targets, model.predict_on_batch(features))
    assert float(np.mean(loss)) == pytest.approx(min(fitted.validation_loss), rel=1e-5)


@pytest.mark.parametrize("network", ["lstm", "tcn"])
def test_without_a_learning_rate_a_network_begins_with_its_own(parts, network):
    fitted = fit(*parts, network=network, epochs=1, **SMALL | {"learning_rate": None})
    assert fitted.learning_rate == [pytest.approx({"lstm": 0.008, "tcn": 0.003}[network])]


def test_a_loss_that_is_no_number_stops_with_a_clear_error(parts):
    with pytest.raises(TrainingError, match=r"finite number.*epoch [12]\b"):
        fit(*parts, network="lstm", epochs=5, **SMALL | {"learning_rate": 1e38})


def test_tensorboard_logs_are_written_when_asked_for(parts, tmp_path):
    fit(*parts, network="lstm", epochs=1, logs=tmp_path / "logs", **SMALL)
    assert list((tmp_path / "logs").rglob("events.out.tfevents.*"))


def test_a_saved_network_is_plain_keras(tmp_path):
    path = tmp_path / "network.keras"
    build("bilstm", n_features=3, horizon=2, units=(6,)).save(path)
    script = (
        "import keras, json, sys; m = keras.saving.load_model(sys.argv[1]); "
        "assert not any(n.startswith('forecast') for n in sys.modules); "
        "print(json.dumps([int(x) for x in m.output_shape[1:]]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) == [2, OUTPUTS]
