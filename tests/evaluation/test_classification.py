"""Scores of classes by hand and beside scikit-learn; the table, the verdict, the file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from forecast.errors import ArtifactError
from forecast.evaluation.class_calibration import (
    ClassCalibration,
    class_calibration_from,
    fit_class_calibration,
    pooled_calibration,
)
from forecast.evaluation.class_forecasts import (
    ClassPrediction,
    class_frame,
    read_class_forecasts,
    write_class_forecasts,
)
from forecast.evaluation.class_pooled import class_losses_by_day, pooled_class_scores
from forecast.evaluation.class_scores import (
    class_score_table,
    class_scores_by,
    class_scores_by_year,
    confusion_of,
)
from forecast.evaluation.class_verdict import class_verdict
from forecast.evaluation.classification import CLASS_METRICS, ClassOutcomes, confusion_matrix
from forecast.evaluation.pooled import pool
from forecast.evaluation.reliability import reliability, reliability_text
from forecast.features.targets import CLASSES

TWO = ClassOutcomes(
    np.array([[0.4, 0.6], [0.8, 0.2], [0.3, 0.7], [0.9, 0.1]]),
    np.array([1, 0, 1, 0]),
    np.array([1, 0, 0, 1]),
)


def test_two_classes_by_hand():
    found = {name: metric(TWO) for name, metric in CLASS_METRICS.items()}
    assert found == pytest.approx(
        {
            "accuracy": 0.5,
            "balanced_accuracy": 0.5,
            "precision": 0.5,
            "recall": 0.5,
            "f1": 0.5,
            # Of the four pairs of an up and a not up, one is in the right order.
            "roc_auc": 0.25,
            "log_loss": -np.log([0.6, 0.8, 0.3, 0.1]).mean(),
            "brier": (0.4**2 + 0.2**2 + 0.7**2 + 0.9**2) / 4,
        }
    )
    assert confusion_matrix(TWO).tolist() == [[1, 1], [1, 1]]


def drawn(n=300, seed=1, classes=3):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), n)
    came = np.array([rng.choice(classes, p=row) for row in probabilities])
    return ClassOutcomes(probabilities, probabilities.argmax(axis=1), came)


def test_three_classes_are_scikit_learn_s():
    one = drawn()
    came, called, odds = one.came, one.called, one.probabilities
    expected = {
        "accuracy": metrics.accuracy_score(came, called),
        "balanced_accuracy": metrics.balanced_accuracy_score(came, called),
        "precision": metrics.precision_score(came, called, average="macro"),
        "recall": metrics.recall_score(came, called, average="macro"),
        "f1": metrics.f1_score(came, called, average="macro"),
        "roc_auc": metrics.roc_auc_score(came, odds, multi_class="ovr"),
        "log_loss": metrics.log_loss(came, odds),
        "brier": metrics.brier_score_loss(came, odds, scale_by_half=False),
    }
    assert {name: metric(one) for name, metric in CLASS_METRICS.items()} == pytest.approx(expected)


def test_two_classes_are_scikit_learn_s():
    one = drawn(classes=2)
    assert CLASS_METRICS["brier"](one) == pytest.approx(
        metrics.brier_score_loss(one.came, one.probabilities[:, 1])
    )
    assert CLASS_METRICS["roc_auc"](one) == pytest.approx(
        metrics.roc_auc_score(one.came, one.probabilities[:, 1])
    )


def test_a_class_that_never_came_or_was_never_named_is_no_error():
    only = ClassOutcomes(np.full((5, 3), 1 / 3), np.zeros(5, int), np.zeros(5, int))
    found = {name: metric(only) for name, metric in CLASS_METRICS.items()}
    assert found["accuracy"] == found["balanced_accuracy"] == found["f1"] == 1.0
    assert np.isnan(found["roc_auc"])
    never = ClassOutcomes(np.full((4, 2), 0.5), np.zeros(4, int), np.array([0, 1, 0, 1]))
    assert np.isnan(CLASS_METRICS["precision"](never))
    assert CLASS_METRICS["recall"](never) == 0.0
    sure = ClassOutcomes(np.array([[1.0, 0.0]]), np.array([0]), np.array([1]))
    assert np.isfinite(CLASS_METRICS["log_loss"](sure))


def frame_of(models, came, *, kind="direction", ticker="T", horizon=1, first="2010-01-04"):
    """Class forecasts of several models: name → (probabilities, called)."""
    n = len(came)
    origins = pd.bdate_range(first, periods=n).as_unit("s")
    sessions = np.stack([origins + pd.offsets.BDay(step + 1) for step in range(horizon)], axis=1)
    return pd.concat(
        [
            class_frame(
                ClassPrediction(*answer),
                classes=CLASSES[kind],
                ticker=ticker,
                model=name,
                origins=origins,
                sessions=sessions,
                actual=came,
            )
            for name, answer in models.items()
        ],
        ignore_index=True,
    )


def answer(odds):
    """Probabilities of shape (n, classes) as an answer one step ahead."""
    return odds[:, None], odds.argmax(axis=1)[:, None]


def noise(seed=2, n=500):
    """Outcomes of a coin, a model that guesses, and the base rates."""
    rng = np.random.default_rng(seed)
    came = rng.integers(0, 2, (n, 1)).astype("float64")
    up = rng.uniform(0.4, 0.6, n)
    flat = np.full((n, 2), [0.49, 0.51])
    models = {"lstm": answer(np.stack([1 - up, up], axis=1)), "majority": answer(flat)}
    return models, came


def knowing(seed=3, n=500):
    """Outcomes, a model that knows their probabilities, and the base rates."""
    rng = np.random.default_rng(seed)
    up = rng.uniform(0.1, 0.9, n)
    came = (rng.uniform(size=(n, 1)) < up[:, None]).astype("float64")
    models = {
        "lstm": answer(np.stack([1 - up, up], axis=1)),
        "majority": answer(np.full((n, 2), [0.49, 0.51])),
    }
    return models, came


def test_the_table_has_the_metrics_and_the_majority_as_reference():
    models, came = knowing()
    came[-1] = np.nan
    table = class_score_table(frame_of(models, came)).set_index("model")
    assert list(table.index) == ["lstm", "majority"]
    assert (table["origins"] == 499).all()
    odds, called = models["lstm"]
    known = came[:-1, 0].astype(int)
    assert table.loc["lstm", "log_loss"] == pytest.approx(metrics.log_loss(known, odds[:-1, 0]))
    assert table.loc["lstm", "accuracy"] == (called[:-1, 0] == known).mean()
    assert table.loc["lstm", "direction_accuracy"] == table.loc["lstm", "accuracy"]
    assert table.loc["majority", "roc_auc"] == 0.5
    base = table["log_loss"]["majority"]
    assert table.loc["lstm", "skill_log_loss"] == pytest.approx(
        1 - table["log_loss"]["lstm"] / base
    )
    low, high = table.loc["lstm", ["skill_log_loss_low", "skill_log_loss_high"]]
    assert 0 < low < table.loc["lstm", "skill_log_loss"] < high
    assert np.isnan(table.loc["majority", "dm_p_log_loss"])


def test_who_knows_the_odds_beats_and_who_guesses_does_not():
    known = class_verdict(class_score_table(frame_of(*knowing())), model="lstm")
    assert (known.price, known.uncertainty) == ("beats", "beats")
    assert "better than always naming the commonest class" in known.text
    praised = [
        class_verdict(class_score_table(frame_of(*noise(seed))), model="lstm") for seed in range(10)
    ]
    assert not any(one.uncertainty == "beats" for one in praised)
    assert sum(one.price == "beats" for one in praised) <= 1


def test_always_right_beside_never_right_is_no_tie():
    """A price that stands still: `flat` comes every time, and the commonest class was another."""
    flat, up = np.tile([0.1, 0.8, 0.1], (50, 1)), np.tile([0.3, 0.3, 0.4], (50, 1))
    frame = frame_of({"lstm": answer(flat), "majority": answer(up)}, np.ones((50, 1)), kind="move")
    found = class_verdict(class_score_table(frame), model="lstm")
    assert (found.price, found.uncertainty) == ("beats", "beats")
    assert (
        "names the right class 100.0 % of the time, the commonest class of the training part came "
        "0.0 % (p < 0.001): better than always naming the commonest class"
    ) in found.text


def test_a_model_without_the_majority_or_its_origins_is_refused():
    models, came = knowing()
    alone = frame_of({"lstm": models["lstm"]}, came)
    with pytest.raises(ValueError, match="must hold majority"):
        class_score_table(alone)
    frame = frame_of(models, came)
    with pytest.raises(ValueError, match="the same origins"):
        class_score_table(frame.drop(index=0))
    with pytest.raises(ValueError, match="the table must hold gru"):
        class_verdict(class_score_table(frame), model="gru")


def test_the_confusion_matrix_and_the_years_add_up():
    models, came = knowing()
    frame = frame_of(models, came)
    assert confusion_of(frame, model="lstm", step=1).sum() == 500
    years = class_scores_by_year(frame, model="lstm", step=1)
    assert list(years["year"]) == [2010, 2011]
    assert years["origins"].sum() == 500


def test_scores_of_each_group_are_those_of_its_rows_alone():
    models, came = knowing()
    frame = frame_of(models, came)
    halves = (frame["origin"] > frame["origin"].median()).rename("half")
    table = class_scores_by(frame, halves)
    for half in (False, True):
        alone = class_score_table(frame[halves == half]).set_index("model")
        own = table[table["half"] == half].set_index("model")
        assert list(own.index) == list(alone.index)
        for name in (*CLASS_METRICS, "skill_error", "dm_p_error", "skill_log_loss", "origins"):
            np.testing.assert_array_equal(own[name], alone[name])


@pytest.mark.parametrize("kind", list(CLASSES))
def test_the_file_gives_back_the_very_floats(kind, tmp_path):
    count = len(CLASSES[kind])
    odds = np.random.default_rng(5).dirichlet(np.ones(count), (6, 2))
    came = np.array([[0, 1]] * 5 + [[1, np.nan]])
    frame = frame_of({"majority": (odds, odds.argmax(axis=-1))}, came, kind=kind, horizon=2)
    write_class_forecasts(tmp_path / "probabilities.csv", frame)
    pd.testing.assert_frame_equal(read_class_forecasts(tmp_path / "probabilities.csv"), frame)
    assert frame["actual"].iloc[-1] == ""
    (tmp_path / "probabilities.csv").write_text("ticker,origin\n")
    with pytest.raises(ArtifactError, match="forecast train TICKER"):
        read_class_forecasts(tmp_path / "probabilities.csv")


def test_calibration_finds_the_temperature_and_leaves_what_holds():
    rng = np.random.default_rng(7)
    true = rng.dirichlet(np.full(3, 2.0), (20_000, 1))
    came = np.array([rng.choice(3, p=row[0]) for row in true])[:, None]
    shares = np.full((1, 3), 1 / 3)
    sharp = true**2 / (true**2).sum(axis=-1, keepdims=True)
    found = fit_class_calibration(sharp, came, shares)
    assert found.slopes[0] == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(found.apply(sharp), true, atol=0.03)
    same = fit_class_calibration(true, came, shares)
    assert same.slopes[0] == pytest.approx(1.0, abs=0.05)
    assert class_calibration_from(same.as_document()).apply(true).tolist() == (
        same.apply(true).tolist()
    )
    np.testing.assert_allclose(pooled_calibration([found, same, same]).slopes, same.slopes)


def test_shares_of_a_ticker_never_seen_add_up_to_one():
    parts = [
        ClassCalibration(np.log([shares]), np.ones(1), np.zeros((1, 3)))
        for shares in ([0.2, 0.6, 0.2], [0.5, 0.2, 0.3])
    ]
    pooled = pooled_calibration(parts)
    assert np.exp(pooled.priors).sum() == pytest.approx(1.0)
    assert np.exp(pooled.priors)[0, 1] > 0.35


def test_calibration_of_guesses_goes_back_to_the_shares():
    rng = np.random.default_rng(8)
    shares = np.array([[0.2, 0.8]])
    came = (rng.uniform(size=(20_000, 1)) < 0.8).astype(int)
    up = rng.uniform(0.3, 0.99, (20_000, 1))
    found = fit_class_calibration(np.stack([1 - up, up], axis=-1), came, shares)
    assert found.slopes[0] < 0.05
    np.testing.assert_allclose(found.apply(np.array([[[0.6, 0.4]]])), [[[0.2, 0.8]]], atol=0.03)


def test_few_outcomes_hardly_move_the_calibration():
    odds = np.tile([0.5, 0.5], (30, 1, 1))
    found = fit_class_calibration(odds, np.ones((30, 1)), np.full((1, 2), 0.5))
    assert 0.5 < found.apply(odds)[0, 0, 1] < 0.57


def test_reliability_of_true_odds_holds_and_of_wrong_ones_does_not():
    models, came = knowing(n=2000)
    held = reliability(frame_of(models, came), model="lstm", step=1)
    assert list(held["class"].unique()) == ["up"]
    assert held["forecasts"].sum() == 2000
    inside = (held["low"] <= held["said"]) & (held["said"] <= held["high"])
    assert inside.sum() >= 8
    assert "percentage points apart" in reliability_text(held)
    turned = {
        "lstm": (models["lstm"][0][..., ::-1], models["lstm"][1]),
        **{"majority": models["majority"]},
    }
    wrong = reliability(frame_of(turned, came), model="lstm", step=1)
    assert ((wrong["said"] < wrong["low"]) | (wrong["high"] < wrong["said"])).sum() >= 8


def test_tickers_are_pooled_by_day():
    frames = [frame_of(*knowing(seed), ticker=name) for seed, name in ((3, "A"), (4, "B"))]
    days = pool([class_losses_by_day(frame, step=1) for frame in frames])
    both = class_score_table(pd.concat(frames)).set_index("model")
    scores = pooled_class_scores(days, model="lstm", step=1, tickers=2)
    row = scores.scores.set_index("model").loc["lstm"]
    for name in ("accuracy", "log_loss", "skill_log_loss", "dm_p_log_loss", "skill_error"):
        assert row[name] == pytest.approx(both.loc["lstm", name])
    assert (scores.price, scores.uncertainty, scores.forecasts, scores.days) == (
        "beats",
        "beats",
        1000,
        500,
    )
    assert scores.text.startswith("2 tickers together, 1,000 forecasts on 500 days. Calls: lstm")
    with pytest.raises(ValueError, match="the model must be one of"):
        pooled_class_scores(days, model="gru", step=1, tickers=2)
