from __future__ import annotations

import numpy as np
import pytest

from forecast.features.inputs import fit_inputs
from forecast.networks.architectures import NETWORKS, build
from forecast.networks.heads import HEADS, POINT, head_of
from forecast.networks.training import fit, infer, load_model, prepare_backend


@pytest.fixture(scope="module", autouse=True)
def backend():
    prepare_backend(1)


def test_a_head_goes_by_its_name_or_as_itself():
    assert head_of("quantiles") is HEADS["quantiles"]
    assert head_of(POINT) is POINT


@pytest.mark.parametrize("centred", [True, False])
def test_loss_is_the_squared_error(centred):
    y = np.array([[[1.0], [2.0]]], dtype="float32")
    given = np.array([[[1.5], [0.0]]], dtype="float32")
    loss = POINT.loss(centred=centred)(y, given)
    np.testing.assert_allclose(np.asarray(loss), [[0.25, 4.0]])


# A transformer's rows differ even where their features do not.
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "transformer"])
def test_untrained_it_gives_the_mean_of_the_training_part(network):
    start = POINT.start(np.array([[1.0, 10.0], [3.0, 30.0]])).tolist()
    assert start == [[2.0], [20.0]]
    # A network that decodes has one layer that answers for every step ahead.
    expected = [[11.0], [11.0]] if NETWORKS[network].decodes else start
    model = build(network, head=POINT, n_features=3, horizon=2, lookback=5, units=(4,), start=start)
    outputs = model.predict_on_batch(np.zeros((1, 5, 3)))
    np.testing.assert_allclose(outputs, [expected], atol=1e-6)


def test_a_linear_part_is_added():
    model = build("gru", head=POINT, n_features=2, horizon=1, units=(4,), linear=[[3.0], [-1.0]])
    window = np.zeros((1, 5, 2))
    without = model.predict_on_batch(window)
    window[0, -1] = [1e-3, 1e-3]  # too little to move the recurrent part
    np.testing.assert_allclose(model.predict_on_batch(window) - without, [[[2e-3]]], atol=5e-5)


def test_trains_and_comes_back_the_same_from_its_file(walk, tmp_path):
    inputs, split = fit_inputs(
        walk, ticker="T", feature_names=["return_1"], lookback=10, horizon=2, target="return"
    )
    windows = inputs.windows(walk, ticker="T")
    fitted = fit(
        windows.take(split.train),
        windows.take(split.validation),
        network="lstm",
        head=POINT,
        units=(4,),
        dropout=0.0,
        l2=0.0,
        learning_rate=3e-3,
        epochs=2,
        patience=2,
        seed=1,
    )
    outputs = infer(fitted.model, windows)
    assert outputs.shape == (len(windows), 2, 1)
    fitted.model.save(tmp_path / "point.keras")
    np.testing.assert_array_equal(infer(load_model(tmp_path / "point.keras"), windows), outputs)
