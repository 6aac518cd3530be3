"""Every head: what it answers, what it loses, where it starts, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight

from forecast.features.targets import LEVELS, class_shares
from forecast.features.windows import Windows, make_windows
from forecast.networks.architectures import build
from forecast.networks.forward import Forward, load_network
from forecast.networks.heads import HEADS, classes, head_of, heads_for
from forecast.networks.heads.classes import (
    balanced_weights,
    both_of,
    sigmoid_loss,
    softmax,
    softmax_loss,
)
from forecast.networks.heads.student_t import (
    point_and_quantiles_of,
    student_t_biases,
    student_t_loss,
)
from forecast.networks.training import fit, infer, load_model, prepare_backend

HEAD = pytest.mark.parametrize("head", list(HEADS))
SMALL = {
    "units": (6,),
    "dropout": 0.0,
    "l2": 0.0,
    "learning_rate": 1e-2,
    "patience": 50,
    "seed": 5,
    "centred": False,
}


@pytest.fixture(scope="module", autouse=True)
def backend():
    prepare_backend(1)


def windows_of(rows, targets, *, lookback=4) -> Windows:
    """Windows of plain arrays; the last row's outcome is not known."""
    import pandas as pd

    sessions = pd.bdate_range("2001-01-01", periods=len(rows))
    names = [f"x{column}" for column in range(rows.shape[1])]
    return make_windows(rows, targets, sessions, lookback=lookback, feature_names=names)


def parts_of(head, *, n=400, seed=1) -> tuple[Windows, Windows]:
    """A class, or a number, that follows from the newest row; training and validation part."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 2))
    count = HEADS[head].classes
    if count:
        edges = np.linspace(-1, 1, count + 1)[1:-1]
        targets = np.searchsorted(edges, rows[:, :1]).astype("float64")
    else:
        targets = rows[:, :1] + 0.1 * rng.normal(size=(n, 1))
    targets[-1] = np.nan
    whole = windows_of(rows, targets)
    return whole.take(range(n - 100)), whole.take(range(n - 90, len(whole)))


@HEAD
def test_every_head_saves_loads_and_runs_without_keras(head, tmp_path):
    model = build("gru", head=head, n_features=3, horizon=2, units=(5, 4))
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    windows = rng.normal(0, 2, (20, 12, 3)).astype("float32")
    expected = model.predict_on_batch(windows)
    assert expected.shape == (20, 2, HEADS[head].outputs)
    path = tmp_path / "network.keras"
    model.save(path)
    np.testing.assert_array_equal(load_model(path).predict_on_batch(windows), expected)
    ours = load_network(path)
    assert isinstance(ours, Forward)
    np.testing.assert_allclose(ours.predict_on_batch(windows), expected, atol=1e-5, rtol=0)


@HEAD
def test_answers_are_quantiles_that_never_cross_or_probabilities(head):
    outputs = build("lstm", head=head, n_features=2, horizon=3, units=(4,)).predict_on_batch(
        np.random.default_rng(0).normal(0, 5, (7, 6, 2))
    )
    answer = HEADS[head].answer(outputs.astype("float64"))
    if HEADS[head].classes:
        assert answer.shape == (7, 3, HEADS[head].classes)
        assert (answer > 0).all()
        np.testing.assert_allclose(answer.sum(axis=-1), 1.0, rtol=1e-12)
    else:
        assert answer.shape == (7, 3, 1 + len(LEVELS))
        assert (np.diff(answer[..., 1:], axis=-1) >= 0).all()


@HEAD
@pytest.mark.parametrize("scored", [None, 3], ids=["last step", "every step"])
def test_loss_has_one_value_a_step_ahead_on_every_step_and_the_last(head, scored):
    ending = HEADS[head]
    model = build("gru", head=head, n_features=2, horizon=2, units=(4,), scored=scored)
    outputs = model.predict_on_batch(np.zeros((5, 6, 2)))
    loss = ending.loss(centred=False)(np.zeros((*outputs.shape[:-1], 1), "float32"), outputs)
    assert tuple(loss.shape) == outputs.shape[:-1]


@HEAD
def test_the_loss_falls_and_the_answer_follows_the_newest_row(head):
    train, validation = parts_of(head)
    fitted = fit(train, validation, network="gru", head=head, epochs=40, **SMALL)
    assert fitted.validation_loss[fitted.kept_epoch - 1] < fitted.validation_loss[0] - 0.05
    answer = infer(fitted.model, validation, head=head)[:, 0]
    newest = validation.gather(slice(None))[:, -1, 0]
    told = answer @ np.arange(HEADS[head].classes) if HEADS[head].classes else answer[:, 0]
    assert np.corrcoef(told, newest)[0, 1] > 0.7


@HEAD
def test_an_untrained_network_answers_what_the_training_part_answers(head):
    train, _ = parts_of(head)
    ending = HEADS[head]
    model = build(
        "lstm", head=head, n_features=2, horizon=1, units=(4,), start=ending.start(train.y)
    )
    answer = ending.answer(model.predict_on_batch(np.zeros((1, 4, 2))).astype("float64"))[0, 0]
    if ending.classes:
        shares = [(train.y == number).mean() for number in range(ending.classes)]
        np.testing.assert_allclose(answer, shares, atol=0.005)
    else:
        np.testing.assert_allclose(answer[1:], np.quantile(train.y, LEVELS), atol=0.25)


def test_every_target_has_a_head_of_its_own():
    own = {target: heads_for(target)[0] for target in ("return", "price", "direction", "move")}
    assert own == {
        "return": "quantiles",
        "price": "quantiles",
        "direction": "direction",
        "move": "move",
    }


def test_student_t_loss_is_scipy_s_negative_log_likelihood():
    rng = np.random.default_rng(3)
    y, location = rng.normal(0, 3, (2, 50))
    scale, freedom = rng.uniform(0.2, 3, 50), rng.uniform(2.001, 60, 50)
    outputs = np.stack([location, scale, freedom], axis=-1)[:, None].astype("float32")
    loss = np.asarray(student_t_loss(centred=False)(y[:, None, None].astype("float32"), outputs))
    expected = -stats.t.logpdf(y, freedom, location, scale)
    np.testing.assert_allclose(loss[:, 0], expected, rtol=2e-5, atol=2e-5)
    pulled = np.asarray(student_t_loss(centred=True)(y[:, None, None].astype("float32"), outputs))
    np.testing.assert_allclose(pulled[:, 0], expected + 5 * location**2, rtol=2e-5, atol=2e-5)


def test_student_t_quantiles_are_scipy_s():
    outputs = np.array([[[0.5, 2.0, 3.0], [-1.0, 0.1, 20.0]]])
    answer = point_and_quantiles_of(outputs)[0]
    for row, (location, scale, freedom) in zip(answer, outputs[0], strict=True):
        assert row[0] == location
        np.testing.assert_allclose(row[1:], stats.t.ppf(LEVELS, freedom, location, scale))


def test_student_t_starts_where_the_outcomes_are():
    y = stats.t.rvs(5, loc=0.3, scale=2.0, size=(20_000, 1), random_state=1)
    location, scale, freedom = student_t_biases(y)[0]
    assert location == pytest.approx(0.3, abs=0.05)
    assert np.log1p(np.exp(scale)) == pytest.approx(2.0, rel=0.1)
    assert 3 <= 2 + np.log1p(np.exp(freedom)) < 8
    still = student_t_biases(np.zeros((50, 2)))
    assert np.isfinite(still).all()


def test_softmax_loss_is_scikit_learn_s_log_loss():
    rng = np.random.default_rng(4)
    came, odds = rng.integers(0, 6, 40), rng.normal(0, 2, (40, 1, 6)).astype("float32")
    loss = np.asarray(classes(6).loss(centred=False)(came[:, None, None].astype("float32"), odds))
    expected = log_loss(came, softmax(odds.astype("float64"))[:, 0], labels=range(6))
    assert loss.mean() == pytest.approx(expected, rel=1e-5)
    weights = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    weighted = np.asarray(
        softmax_loss(classes=6, weights=weights)(came[:, None, None].astype("float32"), odds)
    )
    np.testing.assert_allclose(weighted[:, 0], loss[:, 0] * (came + 1), rtol=1e-5)


def test_sigmoid_loss_by_hand_however_sure_the_network_is():
    came = np.array([1.0, 0.0, 1.0, 0.0], dtype="float32")[:, None, None]
    odds = np.array([0.0, np.log(3), 200.0, 200.0], dtype="float32")[:, None, None]
    loss = np.asarray(sigmoid_loss()(came, odds))[:, 0]
    np.testing.assert_allclose(loss, [np.log(2), np.log(4), 0.0, 200.0], atol=1e-5)
    weighted = np.asarray(sigmoid_loss(weights=(2.0, 0.5))(came, odds))[:, 0]
    np.testing.assert_allclose(weighted, [0.5 * np.log(2), 2 * np.log(4), 0.0, 400.0], atol=1e-5)


def test_both_of_gives_the_two_probabilities():
    np.testing.assert_allclose(both_of(np.array([[[np.log(3)]]])), [[[0.25, 0.75]]])
    np.testing.assert_array_equal(both_of(np.array([[[2000.0]]])), [[[0.0, 1.0]]])


def test_shares_never_are_zero_and_weights_are_scikit_learn_s():
    y = np.array([[0], [0], [0], [1]])
    np.testing.assert_allclose(class_shares(y, 3), [[4 / 7, 2 / 7, 1 / 7]])
    many = np.repeat([0, 1, 2], [6000, 3000, 1000])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=many)
    np.testing.assert_allclose(balanced_weights(many[:, None], 3), expected, rtol=2e-3)


@pytest.mark.parametrize("head", ["direction", "move"])
def test_class_weights_change_the_training_and_are_taken_out_of_the_probabilities(head):
    rng = np.random.default_rng(6)
    count = HEADS[head].classes
    shares = [0.9, 0.1] if count == 2 else [0.8, 0.15, 0.05]
    targets = rng.choice(count, (600, 1), p=shares).astype("float64")
    whole = windows_of(rng.normal(size=(600, 2)), targets)
    train, validation = whole.take(range(450)), whole.take(range(460, 590))
    fitted = [
        fit(train, validation, network="gru", head=head, epochs=3, class_weight=weight, **SMALL)
        for weight in ("none", "balanced")
    ]
    plain, weighted = (infer(one.model, validation, head=head)[:, 0] for one in fitted)
    # The weighted loss of a balanced world is that of no knowledge of the classes.
    assert fitted[1].loss[0] == pytest.approx(np.log(count), abs=0.1)
    np.testing.assert_allclose(weighted.mean(axis=0), plain.mean(axis=0), atol=0.05)


def test_fewer_than_two_classes_are_refused_and_a_head_needs_no_name():
    with pytest.raises(ValueError, match=r"at least 2 classes\. Received 1"):
        classes(1)
    assert classes(6) is classes(6)
    assert head_of(classes(6)).outputs == 6


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("head", [name for name, head in HEADS.items() if head.gradient])
def test_a_gradient_that_is_written_out_is_the_loss_s(head, centred):
    ending, rng = head_of(head), np.random.default_rng(1)
    # Far from zero too, where an exponential would overflow.
    raw = rng.normal(size=(40, ending.outputs), scale=[[1.0]] * 20 + [[30.0]] * 20)
    raw, y = raw.astype("float32"), rng.normal(size=40).astype("float32")
    given = tf.constant(raw)
    with tf.GradientTape() as tape:
        tape.watch(given)
        answers = ending.finish(given[:, None], None)
        expected = tf.reduce_mean(ending.loss(centred=centred)(y[:, None, None], answers))
    mean, gradient = ending.gradient(centred)(raw, y)
    assert mean == pytest.approx(float(expected), rel=1e-6)
    np.testing.assert_allclose(gradient, tape.gradient(expected, given), rtol=1e-5, atol=1e-6)


def test_widening_makes_all_gaps_larger_by_the_same_share():
    raw = np.random.default_rng(1).normal(size=(20, 8)) * 3.0
    ending = HEADS["quantiles"]
    before, after = (
        np.asarray(ending.finish(tf.constant(each)))
        for each in (raw, raw + 1e-4 * ending.widening(raw))
    )
    np.testing.assert_allclose(np.diff(after[:, 1:]), np.diff(before[:, 1:]) * 1.0001, rtol=1e-6)
    np.testing.assert_array_equal(after[:, [0, 4]], before[:, [0, 4]])
