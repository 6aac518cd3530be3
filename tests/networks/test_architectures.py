"""What every network holds to, whatever it is made of."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from forecast.features.inputs import fit_inputs
from forecast.features.targets import LEVELS
from forecast.networks.architectures import NETWORKS, build
from forecast.networks.heads import OUTPUTS, point_and_quantile_loss
from forecast.networks.tcn import kernels
from forecast.networks.training import (
    default_batch,
    fit,
    infer,
    load_model,
    prepare_backend,
)

EVERY = pytest.mark.parametrize("network", list(NETWORKS))
CAUSAL = [name for name, kind in NETWORKS.items() if kind.causal]
OTHERS = [name for name in NETWORKS if name not in CAUSAL]
OTHER_KINDS = ["seq2seq_lstm", "tcn", "transformer", "dlinear"]
FEATURES = ["return_1", "volatility_20", "rsi_14"]


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


def with_large_weights(model):
    """Weights of the size that long training gives: what a row changes is seen at once."""
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    return model


@EVERY
def test_shape_and_quantiles_that_never_cross(network):
    model = build(network, n_features=3, horizon=4, lookback=10, units=(6, 5))
    outputs = np.asarray(model(np.random.default_rng(0).normal(0, 9, (8, 10, 3))))
    assert model.name == network
    assert outputs.shape == (8, 4, OUTPUTS)
    assert (np.diff(outputs[..., 1:], axis=-1) >= 0).all()


@EVERY
def test_an_untrained_network_gives_nearly_a_standard_normal(network):
    import keras

    keras.utils.set_random_seed(1)
    model = build(network, n_features=3, horizon=2, lookback=10, units=(6,))
    outputs = model.predict_on_batch(np.zeros((1, 10, 3)))[0]
    normal = [0.0, *(NormalDist().inv_cdf(level) for level in LEVELS)]
    # A transformer's rows differ even where their features do not.
    near = 0.1 if network == "transformer" else 1e-5
    np.testing.assert_allclose(outputs, [normal, normal], atol=near)


@pytest.mark.parametrize("network", CAUSAL)
def test_no_step_of_a_causal_network_depends_on_a_later_row(network):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4, 14, 3)).astype("float32")
    model = with_large_weights(
        build(network, n_features=3, horizon=1, lookback=9, units=(6, 5), scored=6)
    )
    outputs = model.predict_on_batch(rows)
    for known in range(9, 14):
        other = rows.copy()
        other[:, known:] = rng.normal(0, 50, other[:, known:].shape)
        steps = known - 8  # the first scored step is row 8
        found = model.predict_on_batch(other)
        np.testing.assert_array_equal(found[:, :steps], outputs[:, :steps])
        assert (found[:, steps:] != outputs[:, steps:]).any()


@pytest.mark.parametrize("network", CAUSAL)
def test_training_on_every_step_gives_what_plain_windows_of_the_same_rows_give(network):
    rows = np.random.default_rng(1).normal(size=(1, 12, 3)).astype("float32")
    many = build(network, n_features=3, horizon=1, lookback=9, units=(6, 5), scored=4)
    one = build(network, n_features=3, horizon=1, lookback=9, units=(6, 5))
    one.set_weights(with_large_weights(many).get_weights())
    outputs = many.predict_on_batch(rows)[0]
    assert outputs.shape == (4, 1, OUTPUTS)
    for step in range(4):
        np.testing.assert_allclose(
            one.predict_on_batch(rows[:, : 9 + step])[0], outputs[step], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("network", OTHERS)
def test_networks_that_are_not_causal_refuse_training_on_every_step(network):
    with pytest.raises(ValueError, match="sees later rows"):
        build(network, n_features=3, horizon=1, lookback=9, scored=4)


@pytest.mark.parametrize("network", [name for name in NETWORKS if NETWORKS[name].takes("lookback")])
def test_a_network_of_one_length_asks_for_it(network):
    with pytest.raises(ValueError, match="needs a lookback"):
        build(network, n_features=3, horizon=1)


@pytest.mark.parametrize("lookback", [2, 5, 10, 60, 2000])
@pytest.mark.parametrize("blocks", [1, 2, 3, 6])
def test_no_convolution_reaches_beyond_the_lookback_nor_skips_a_row(blocks, lookback):
    field = 1
    for kernel, dilation in kernels(blocks, lookback=lookback):
        assert kernel == 1 or 1 <= dilation <= field
        field += 2 * (kernel - 1) * dilation
    assert field <= lookback
    if blocks > 1 and 5 <= lookback <= 60:
        assert field >= 0.9 * lookback


@EVERY
def test_overfits_sixteen_windows(network):
    import keras

    rng = np.random.default_rng(0)
    windows, outcome = rng.normal(size=(16, 10, 2)), rng.normal(size=(16, 1, 1))
    model = build(network, n_features=2, horizon=1, lookback=10, units=(32,))
    loss = point_and_quantile_loss(centred=False)
    model.compile(optimizer=keras.optimizers.Adam(2e-2), loss=loss)
    for step in range(250):
        model.train_on_batch(windows, outcome)
        if step % 25 == 24:
            point, *quantiles = np.moveaxis(np.asarray(model(windows))[:, 0], -1, 0)
            missed = [np.mean((one - outcome[:, 0, 0]) ** 2) for one in (point, quantiles[3])]
            if max(missed) < 0.05 * np.var(outcome):
                return
    pytest.fail(f"after 250 updates it still misses by {missed}")


@EVERY
def test_save_and_load_predicts_bit_identically(network, parts, tmp_path):
    _, validation = parts
    model = build(network, n_features=3, horizon=2, lookback=10, units=(6, 5), dropout=0.2, l2=1e-3)
    path = tmp_path / "network.keras"
    model.save(path)
    np.testing.assert_array_equal(infer(load_model(path), validation), infer(model, validation))


@pytest.mark.parametrize("network", [*CAUSAL[:2], "bigru", *OTHER_KINDS])
def test_same_seed_same_bits_other_seed_other_bits(network, parts):
    first, second, other = [
        infer(
            fit(
                *parts,
                network=network,
                units=(6,),
                dropout=0.3,
                l2=0.0,
                learning_rate=3e-3,
                epochs=2,
                patience=50,
                seed=seed,
            ).model,
            parts[1],
        )
        for seed in (5, 5, 6)
    ]
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_a_causal_network_can_be_trained_on_the_last_step_alone(parts):
    """Then the number of windows decides an epoch's updates, and the network is the same."""
    settings = {"units": (4,), "dropout": 0.0, "l2": 0.0, "learning_rate": 1e-2, "patience": 9}
    every, last, others = [
        fit(*parts, network=network, outputs=outputs, epochs=1, seed=1, **settings)
        for network, outputs in (("gru", "every"), ("gru", "last"), ("bigru", None))
    ]
    shapes = [weight.shape for weight in every.model.get_weights()]
    assert [weight.shape for weight in last.model.get_weights()] == shapes
    assert (infer(every.model, parts[1]) != infer(last.model, parts[1])).any()
    assert default_batch("gru", "last") == default_batch("bigru") > default_batch("gru")
    # Scored on the same windows as a network that has no choice: losses of one size.
    assert last.validation_loss[0] == pytest.approx(others.validation_loss[0], rel=0.1)
    with pytest.raises(ValueError, match="sees later rows"):
        fit(*parts, network="bigru", outputs="every", epochs=1, seed=1, **settings)
