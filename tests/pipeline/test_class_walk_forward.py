"""`forecast evaluate` with a target of classes: its files, its scores, where it goes on."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import simulated
from sklearn import metrics

from forecast.cli import main
from forecast.config import Settings
from forecast.evaluation.class_forecasts import (
    classes_of,
    probability_columns,
    read_class_forecasts,
)
from forecast.evaluation.classification import CLASS_METRICS
from forecast.evaluation.significance import diebold_mariano
from forecast.features.targets import CLASSES
from forecast.pipeline.evaluate import evaluate
from forecast.pipeline.watch import Watch

EVERY = pytest.mark.parametrize("target", list(CLASSES))
BASELINES = {"direction": ["majority", "momentum", "ewma", "garch"]}
BASELINES["move"] = ["majority", "ewma", "garch"]


def home_with(folder, bars):
    (folder / "csv").mkdir(parents=True)
    bars.to_csv(folder / "csv" / "XYZ.csv", index_label="Date")
    return folder


def settings_for(home, target, **changes):
    quick = {"network": "dlinear", "units": (4,), "lookback": 10, "epochs": 1, "horizon": 2}
    more = {"source": f"csv:{home / 'csv'}", "target": target, "folds": 2, "seeds": 2}
    return Settings(**{**quick, **more, **changes})


def run(home, target, *, stages=None, **changes):
    watch = Watch() if stages is None else Watch(stage=stages.append)
    settings = settings_for(home, target, **changes)
    (one,) = evaluate(["XYZ"], home=home, settings=settings, watch=watch)
    return one


@pytest.fixture(scope="module")
def history():
    return simulated.random_walk(620, seed=3)


@pytest.fixture(scope="module")
def home(tmp_path_factory, history):
    return home_with(tmp_path_factory.mktemp("walked"), history)


@pytest.fixture(scope="module")
def walked(home):
    return {
        "direction": run(home, "direction"),
        "move": run(home, "move", class_weight="balanced"),
    }


@pytest.fixture
def copied(walked, home, tmp_path):
    """A copy of the one of directions, to be spoilt."""
    return shutil.copytree(home, tmp_path / "home")


def folder_of(home, one):
    return (home / one.document["report"]).parent


def of_fold(frame, fold):
    inside = frame["origin"].between(pd.Timestamp(fold["first"]), pd.Timestamp(fold["last"]))
    return frame[inside & (frame["step"] == 2)]


def parts_of(folder, seed):
    return [read_class_forecasts(folder / f"fold-{fold:02d}-seed-{seed}.csv") for fold in (1, 2)]


def trainings(stages):
    return [stage for stage in stages if "training" in stage]


@EVERY
def test_every_score_follows_from_the_pooled_probabilities(target, walked, home):
    document, folder = walked[target].document, folder_of(home, walked[target])
    table = read_class_forecasts(folder / "probabilities.csv")
    assert {row["model"] for row in document["scores"]} == {"dlinear", *BASELINES[target]}
    last = {row["model"]: row for row in document["scores"] if row["step"] == 2}
    at_last = table[table["step"] == 2]
    own, usual = (
        at_last[at_last["model"] == model].reset_index() for model in ("dlinear", "majority")
    )
    row = last["dlinear"]
    assert row["origins"] == len(own) == sum(fold["origins"] for fold in document["folds"])
    assert row["accuracy"] == metrics.accuracy_score(own["actual"], own["called"])
    came = own["actual"].map(classes_of(table).index).to_numpy()
    losses = [
        -np.log(frame[probability_columns(classes_of(table))].to_numpy()[range(len(came)), came])
        for frame in (own, usual)
    ]
    assert row["log_loss"] == pytest.approx(losses[0].mean(), rel=1e-12)
    assert row["skill_log_loss"] == pytest.approx(1 - losses[0].mean() / losses[1].mean())
    assert row["dm_p_log_loss"] == pytest.approx(diebold_mariano(*losses, step=2))
    assert row["mse_price"] is row["pinball"] is None
    counts = pd.crosstab(own["actual"], own["called"])
    for line in document["confusion"]["rows"]:
        for name in classes_of(table):
            wanted = counts.get(name, pd.Series(dtype=int)).get(line["came"], 0)
            assert line[name] == wanted


@EVERY
def test_every_fold_has_its_own_scores_test_and_matrix(target, walked, home):
    document, folder = walked[target].document, folder_of(home, walked[target])
    table = read_class_forecasts(folder / "probabilities.csv")
    wanted = {*CLASS_METRICS, "skill_error", "dm_p_error", "skill_log_loss", "dm_p_log_loss"}
    for fold in document["folds"]:
        assert wanted <= fold.keys()
        own = of_fold(table, fold)
        named = dict(iter(own.groupby("model")))
        right = {model: (part["called"] == part["actual"]).mean() for model, part in named.items()}
        assert fold["accuracy"] == pytest.approx(right["dlinear"])
        assert fold["usual"] == pytest.approx(right["majority"])
        matrix = fold["confusion"]["rows"]
        assert sum(sum(row[name] for name in classes_of(table)) for row in matrix) == len(
            named["dlinear"]
        )
        assert sum(row["forecasts"] for row in fold["reliability"]["rows"]) >= fold["origins"]
        assert [row["seed"] for row in fold["seeds"]] == [7, 8]
        assert not any(name.startswith("dm_p_") for name in fold["seeds"][0])
    if target == "move":
        first, second = (fold["threshold"] for fold in document["folds"])
        assert 0 < first != second
    assert document["verdict"].keys() == {"price", "uncertainty", "text"}
    assert json.loads((folder / "evaluation.json").read_text()) == document


@EVERY
def test_the_network_is_the_mean_of_its_seeds_odds(target, walked, home):
    folder = folder_of(home, walked[target])
    own = walked[target].forecasts
    baselines = pd.concat(
        [read_class_forecasts(folder / f"fold-{fold:02d}-baselines.csv") for fold in (1, 2)]
    )
    usual = baselines[baselines["model"] == "majority"]
    own = own[own["model"] == "dlinear"]
    columns = probability_columns(classes_of(own))
    seeds = [pd.concat(parts_of(folder, seed))[columns].to_numpy() for seed in (7, 8)]
    assert (seeds[0] != seeds[1]).all()
    mean = (seeds[0] + seeds[1]) / 2
    np.testing.assert_allclose(own[columns], mean, rtol=1e-12)
    # With class weights the class is named that is likelier than usual, by its fold's own shares.
    judged = mean / usual[columns].to_numpy() if target == "move" else mean
    names = np.array(classes_of(own))[judged.argmax(axis=1)]
    assert (own["called"].to_numpy() == names).all()


@EVERY
def test_the_likelier_direction_is_what_is_traded(target, walked, home):
    folder = folder_of(home, walked[target])
    document, frame = walked[target].document, walked[target].forecasts
    traded = pd.read_csv(folder / "backtest.csv")
    assert set(traded["strategy"]) == {"likelier", "momentum", "buy_and_hold"}
    own = frame[(frame["model"] == "dlinear") & (frame["step"] == 1)]
    against = "probability_not_up" if target == "direction" else "probability_down"
    wanted = np.sign(own["probability_up"] - own[against]).to_numpy()
    held = traded[traded["strategy"] == "likelier"]["position"].to_numpy()
    np.testing.assert_array_equal(held, wanted[: len(held)])
    assert document["backtest"]["trials"] == 2
    assert "the likelier direction" in document["backtest"]["text"]


@EVERY
def test_the_page_shows_folds_odds_and_what_was_named(target, walked, home):
    document = walked[target].document
    page = (home / document["report"]).read_text()
    headings = ("Fold by fold", "Seed by seed", "What was named and what came")
    for wanted in (*headings, "Calls: ", "Commonest class", "probabilities.csv"):
        assert wanted in page, wanted
    assert page.count("The same in figures") == 2
    names = [path.rsplit("/", 1)[1].removesuffix(".png") for path in document["plots"]]
    assert names == ["fold_skills", "equity", "confusion", "reliability", "odds"]
    for name in names:
        assert page.count(f'<figure id="{name}">') == 1
    lines = str(walked[target]).splitlines()
    assert f"{target} 2 sessions ahead, retrained in 2 folds" in lines[0]
    assert any(line.startswith("fold ") and "commonest" in line for line in lines)


def test_an_interrupted_walk_goes_on_where_it_was(walked, copied):
    one = walked["direction"]
    folder = copied / folder_of(copied, one).relative_to(copied)
    whole = (folder / "probabilities.csv").read_bytes()
    for path in folder.iterdir():
        if not path.name.startswith("fold-01-"):
            path.unlink()

    def stop(stage):
        if stage == "fold 2 of 2: training dlinear, seed 8":
            raise KeyboardInterrupt

    settings = settings_for(copied, "direction")
    with pytest.raises(KeyboardInterrupt):
        evaluate(["XYZ"], home=copied, settings=settings, watch=Watch(stage=stop))
    assert not (folder / "evaluation.json").exists()
    stages: list[str] = []
    again = run(copied, "direction", stages=stages)
    assert trainings(stages) == ["fold 2 of 2: training dlinear, seed 8"]
    assert again.document["scores"] == one.document["scores"]
    assert (folder / "probabilities.csv").read_bytes() == whole
    stages = []
    assert run(copied, "direction", stages=stages).document["status"] == "current"
    assert trainings(stages) == []


def test_a_poisoned_future_leaves_the_earlier_fold_as_it_was(walked, home, history, tmp_path):
    one = walked["direction"]
    known = history.index.get_loc(pd.Timestamp(one.document["folds"][0]["last"])) + 2
    poisoned = history.copy()
    factors = np.exp(np.random.default_rng(1).normal(0, 0.2, len(poisoned) - known - 1))
    poisoned.iloc[known + 1 :] = poisoned.iloc[known + 1 :].mul(factors, axis=0)
    elsewhere = home_with(tmp_path / "poisoned", poisoned)
    after = folder_of(elsewhere, run(elsewhere, "direction", seeds=1))
    for name in ("baselines", "seed-7"):
        path = f"fold-01-{name}.csv"
        assert (folder_of(home, one) / path).read_bytes() == (after / path).read_bytes(), name
    path = "fold-02-seed-7.csv"
    assert (folder_of(home, one) / path).read_bytes() != (after / path).read_bytes()


def test_the_command_prints_one_document_and_refuses_before_any_work(
    walked, home, tmp_path, capsys, monkeypatch
):
    def forecast(*words, into):
        (into / "forecast.toml").write_text("seeds = 2\nfolds = 2\n")
        flags = ["--network=dlinear", "--units=4", "--lookback=10", "--epochs=1", "--horizon=2"]
        asked = ["evaluate", "XYZ", f"--source=csv:{home / 'csv'}", "--target=direction", *flags]
        where = [f"--home={into}", "--json", "--quiet"]
        monkeypatch.setattr(sys, "argv", ["forecast", *asked, *words, *where])
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code, json.loads(capsys.readouterr().out)

    code, document = forecast(into=home)
    assert code == 0
    (told,) = document["evaluations"]
    assert told == {**walked["direction"].document, "status": "current"}
    code, document = forecast("--head=student_t", into=tmp_path)
    assert code == 1
    assert document["error"]["type"] == "ConfigError"
    assert "for the target direction it must be one of direction" in document["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["forecast.toml"]
