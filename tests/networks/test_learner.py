"""Training in two halves, compiled once."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from forecast.errors import TrainingError
from forecast.features.windows import Windows, make_windows
from forecast.networks import batches, epochs
from forecast.networks import learner as module
from forecast.networks.architectures import build
from forecast.networks.averaging import Average
from forecast.networks.batches import validation_batches
from forecast.networks.heads import HEADS
from forecast.networks.learner import learner_of
from forecast.networks.training import fit, prepare_backend

SHAPE = {"n_features": 3, "horizon": 2, "units": (4, 4), "l2": 1e-3}


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(module, "_kept", {})


def noise(seed):
    rng = np.random.default_rng(seed)
    return make_windows(
        rng.normal(size=(120, 3)).astype("float32"),
        rng.normal(size=(120, 1)).astype("float32"),
        pd.bdate_range("2020-01-01", periods=120),
        lookback=5,
        feature_names=["a", "b", "c"],
    )


def fitted(windows, **settings):
    given = {"network": "lstm", "units": (4,), "dropout": 0.1, "l2": 0.0, "learning_rate": None}
    given |= {"epochs": 2, "patience": 5, "seed": 1}
    return fit(windows, windows, **{**given, **settings})


def same_weights(one, other):
    pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


def a_learner(
    seed,
    *,
    network="lstm",
    dropout=0.0,
    learning_rate=1e-2,
    scored=5,
    batch=6,
    centred=True,
    head="quantiles",
    **shape,
):
    prepare_backend(seed)
    return learner_of(
        network,
        scored=scored,
        centred=centred,
        learning_rate=learning_rate,
        precision="float32",
        batch=batch,
        head=head,
        start=None,
        dropout=dropout,
        **{**SHAPE, **shape},
    )


def a_batch(slices, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(slices, 9, 3)).astype("float32")
    return x, rng.normal(size=(slices, 5, 2, 1)).astype("float32")


def undivided(patch):
    """Let Keras train what is built, whole batches, by its own tape and optimizer."""
    module._kept.clear()
    patch.setattr(module, "in_halves", lambda network, **_: network)
    patch.setattr(module, "_written_out", lambda *_, **__: None)


def updated(learner, batches):
    """Losses and averaged weights after some updates."""
    if getattr(learner, "averages_itself", False):
        losses = [learner.train_on_batch(*batch) for batch in batches]
    else:
        average, losses = Average(learner), []
        with average.training():
            for batch in batches:
                losses.append(float(learner.train_on_batch(*batch)))
                average.updated()
    return losses, [np.array(weight) for weight in learner.get_weights()]


@pytest.mark.parametrize("slices", [6, 5, 1])
@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("units", [(4, 4), (64,)])
def test_two_halves_update_as_the_whole_batch_does(slices, l2, units, monkeypatch):
    """Without `l2` by the gradient that is written out, with it by the one that is traced."""
    batches = [a_batch(slices, seed) for seed in (1, 2)]
    losses, weights = updated(a_learner(1, l2=l2, units=units), batches)
    undivided(monkeypatch)
    expected_losses, expected = updated(a_learner(1, l2=l2, units=units), batches)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_weights_that_are_not_trained_are_the_same_in_both_halves(monkeypatch):
    """DLinear's moving average is such a weight."""
    batches = [(x, y[:, -1]) for x, y in (a_batch(6, seed) for seed in (1, 2))]
    shape = {"network": "dlinear", "scored": None, "lookback": 9}
    losses, weights = updated(a_learner(1, **shape), batches)
    undivided(monkeypatch)
    expected_losses, expected = updated(a_learner(1, **shape), batches)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({}, True),
        ({"dropout": 0.4, "units": (64,)}, True),
        ({"l2": 1e-3}, False),
        ({"network": "gru"}, False),
        ({"head": "student_t"}, False),
        ({"embedding": (2, 1)}, False),
    ],
)
def test_what_is_written_out_is_the_defaults_network_alone(settings, written):
    assert hasattr(a_learner(1, **{"l2": 0.0, **settings}), "loss_on_batch") == written


@pytest.mark.parametrize("centred", [True, False])
def test_what_is_written_out_trains_as_what_is_traced_drawing_the_same_dropout(
    centred, monkeypatch
):
    batches = [a_batch(6, seed) for seed in range(5)]
    shape = {"dropout": 0.4, "l2": 0.0, "centred": centred}
    losses, weights = updated(a_learner(1, **shape), batches)
    module._kept.clear()
    monkeypatch.setattr(module, "_written_out", lambda *_, **__: None)
    expected_losses, expected = updated(a_learner(1, **shape), batches)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_the_halves_drop_different_units(l2):
    x, y = a_batch(1)
    twice = np.concatenate([x, x]), np.concatenate([y, y])
    (whole,), _ = updated(a_learner(1, dropout=0.5, l2=l2), [twice])
    module._kept.clear()
    (half,), _ = updated(a_learner(1, dropout=0.5, l2=l2), [(x, y)])
    # Were the masks the same, the mean over both copies would be the loss of one.
    assert abs(whole - half) > 1e-6


def test_a_batch_of_another_size_is_trained_as_if_it_were_the_first():
    """A search may try several; each is halved, whatever came before."""
    batches = [a_batch(4, seed) for seed in (1, 2)]
    first = a_learner(1, dropout=0.2, batch=4)
    _, expected = updated(first, batches)
    updated(a_learner(1, dropout=0.2), [a_batch(6)])
    again = a_learner(1, dropout=0.2, batch=4)
    assert again is not first
    _, weights = updated(again, batches)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_a_learner_begins_as_one_before_it_began(l2):
    batches = [a_batch(6, seed) for seed in (1, 2)]
    first = a_learner(1, dropout=0.2, l2=l2)
    _, expected = updated(first, batches)
    updated(a_learner(2, dropout=0.2, l2=l2, learning_rate=0.1), batches)
    again = a_learner(1, dropout=0.2, l2=l2)
    assert (again is first) == (l2 > 0.0)
    _, weights = updated(again, batches)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def loss_of_its_weights(learner, x, y):
    """By Keras's layers, without dropout."""
    network = build("lstm", **SHAPE, scored=5)
    for own, trained in zip(network.trainable_variables, learner.trainable_variables, strict=True):
        own.assign(trained)
    loss = HEADS["quantiles"].loss(centred=True, weights=None)
    return float(np.mean(loss(y, network(x, training=False))))


@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("slices", [6, 5, 1])
def test_what_validates_sees_the_weights_after_the_first_update(l2, slices):
    """It is traced, and tried, while that update runs."""
    learner = a_learner(1, dropout=0.5, learning_rate=0.1, l2=l2)
    x, y = a_batch(6)
    before = loss_of_its_weights(learner, x, y)
    learner.train_on_batch(x, y)
    x, y = x[:slices], y[:slices]
    validated = epochs.loss_of(learner)(x, y)
    assert validated == pytest.approx(loss_of_its_weights(learner, x, y), rel=2e-6)
    assert abs(validated - before) > 1e-4


def test_best_weights_that_are_put_back_are_those_that_it_has():
    learner, batch = a_learner(1, l2=0.0), a_batch(6)
    best = learner.get_weights()
    loss = epochs.loss_of(learner)(*batch)
    updated(learner, [batch, batch])
    assert epochs.loss_of(learner)(*batch) < loss
    learner.set_weights(best)
    assert epochs.loss_of(learner)(*batch) == loss
    assert all(map(np.array_equal, learner.trainable_variables, best))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("units", [(4,), (64, 5)])
def test_what_is_written_out_begins_as_keras_would(dropout, units):
    """With the weights of the same seed, and what dropout draws from."""
    learner = a_learner(3, l2=0.0, units=units, dropout=dropout)
    prepare_backend(3)
    network = build("lstm", **{**SHAPE, "units": units}, scored=5, dropout=dropout)
    pairs = zip(learner.trainable_variables, network.trainable_variables, strict=True)
    for own, theirs in pairs:
        np.testing.assert_array_equal(own, np.asarray(theirs.value))
    drops = [each for each in network.layers if "dropout" in each.name]
    states = [np.asarray(each.seed_generator.state.value) for each in drops]
    np.testing.assert_array_equal(learner._seeds, states)
    assert len(states) == (len(units) if dropout else 0)


def test_the_validation_loss_is_that_of_all_batches(monkeypatch):
    """Keras's `test_on_batch` forgets the batches before."""
    learner = a_learner(1)
    rng = np.random.default_rng(1)
    windows = Windows(
        rng.normal(size=(60, 3)).astype("float32"),
        rng.normal(size=(60, 2)).astype("float32"),
        starts=np.arange(50),
        lookback=5,
        horizon=2,
        origin=pd.bdate_range("2020-01-01", periods=50),
        feature_names=("a", "b", "c"),
    )

    def validated():
        chosen = validation_batches(windows, scored=5)
        return epochs.validate(learner, windows, chosen, scored=5, check=lambda: None)

    whole = validated()
    for slices in (4, 3):
        monkeypatch.setattr(batches, "INFERENCE_SLICES", slices)
        assert validated() == pytest.approx(whole, rel=1e-6)


def test_half_precision_begins_with_its_own_scale_of_the_loss_again():
    first = fitted(noise(1), precision="mixed_float16")
    again = fitted(noise(1), precision="mixed_float16")
    assert again.loss == first.loss
    assert same_weights(again, first)


def test_a_training_that_diverged_leaves_nothing_behind():
    first = fitted(noise(1))
    endless = noise(1)
    endless.targets[60] = np.nan
    with pytest.raises(TrainingError, match="finite"):
        fitted(endless)
    assert same_weights(fitted(noise(1)), first)


def test_steps_towards_the_spread_find_it_sooner():
    """Of both sessions ahead, where the size of an outcome follows from the row before it."""
    rng, batches, losses = np.random.default_rng(2), [], []
    for _ in range(15):
        x, noise = a_batch(64, seed=int(rng.integers(1 << 30)))
        size = np.exp(x[:, -5:, :1, None] * [[1.0], [-1.0]])
        batches.append((x, (noise * size).astype("float32")))
    for towards in (False, True):
        learner = a_learner(2, batch=64, l2=0.0)
        learner.towards_spread = towards
        for batch in batches:
            learner.train_on_batch(*batch)
        losses.append(learner.loss_on_batch(*batches[-1]))
    without, with_steps = losses
    assert with_steps < 0.99 * without


def test_an_epoch_with_such_steps_that_diverges_says_so():
    learner = a_learner(1, batch=64, l2=0.0)
    learner.towards_spread = True
    x, y = a_batch(64)
    y[0, 0] = np.nan
    losses = [learner.train_on_batch(x, y) for _ in range(3)]
    assert np.isnan(losses).all()


def test_two_threads_train_their_own_networks():
    alone = [fitted(noise(seed)) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(fitted, [noise(1), noise(2)]))
    assert all(same_weights(*pair) for pair in zip(beside, alone, strict=True))


def test_an_interrupt_while_compiling_leaves_no_learner(monkeypatch):
    import keras

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "compile", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            a_learner(1)
    updated(a_learner(1), [a_batch(6)])


def test_the_validation_loss_has_no_penalty_of_the_weights():
    """Else half precision would stop at another epoch than the CPU."""
    losses = [
        fitted(noise(1), l2=10.0, learning_rate=1e-6, precision=precision).validation_loss
        for precision in ("float32", "mixed_bfloat16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_of_a_price_any_fall_of_the_loss_keeps_the_learning_rate():
    windows = noise(1)
    windows.targets[:, 0] = 1e-3 * windows.features[:, 0]
    one = fitted(windows, centred=False, dropout=0.0, epochs=12, patience=3, learning_rate=3e-4)
    falls = np.diff(one.validation_loss)
    assert (falls < 0).all()
    assert (falls > -1e-4).any()
    assert one.learning_rate == [one.learning_rate[0]] * 12
