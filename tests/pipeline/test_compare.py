"""`forecast compare` on a made-up history: what it ranks, what it keeps, where it goes on."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import simulated

from forecast.config import Settings
from forecast.errors import ConfigError, TrainingError
from forecast.evaluation.class_forecasts import (
    classes_of,
    probability_columns,
    read_class_forecasts,
)
from forecast.evaluation.class_scores import class_score_table
from forecast.evaluation.forecasts import read_forecasts
from forecast.evaluation.scores import score_table
from forecast.pipeline import entrants
from forecast.pipeline.compare import compare
from forecast.pipeline.watch import Watch

NETWORKS = ["gru", "simple_rnn"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    home = tmp_path_factory.mktemp("compared")
    (home / "csv").mkdir()
    simulated.random_walk(600, seed=3).to_csv(home / "csv" / "XYZ.csv", index_label="Date")
    return home


def settings_for(home, **changes):
    quick = {"units": (4,), "lookback": 10, "epochs": 2, "seeds": 2}
    return Settings(**{"source": f"csv:{home / 'csv'}", **quick, **changes})


def run(home, *, networks=NETWORKS, stages=None, notices=None, **changes):
    watch = Watch(
        stage=(stages if stages is not None else []).append,
        notice=(notices if notices is not None else []).append,
    )
    (one,) = compare(
        ["XYZ"],
        home=home,
        settings=settings_for(home, **changes),
        networks=networks,
        watch=watch,
    )
    return one


@pytest.fixture(scope="module")
def compared(original):
    return run(original)


@pytest.fixture
def home(original, compared, tmp_path):
    """A copy, to be spoilt. The source's path is no part of a comparison's key."""
    return shutil.copytree(original, tmp_path / "home")


def folder_of(home):
    (folder,) = (home / "reports" / "XYZ" / "compare").iterdir()
    return folder


def trainings(stages):
    return [stage.split("training ")[1] for stage in stages if "training" in stage]


def test_networks_and_baselines_on_the_same_origins_best_first(original, compared):
    document = compared.document
    models = [row["model"] for row in document["scores"]]
    assert set(models) == {
        "gru", "simple_rnn", "last_close", "drift", "ewma", "garch", "har", "ridge",
    }  # fmt: skip
    losses = [row["pinball"] for row in document["scores"]]
    assert losses == sorted(losses)
    assert {row["origins"] for row in document["scores"]} == {document["split"]["test"]["origins"]}
    again = score_table(read_forecasts(folder_of(original) / "forecasts.csv")).set_index("model")
    for row in document["scores"]:
        assert row["pinball"] == again.loc[row["model"], "pinball"]
        assert row["mcs_p_pinball"] == again.loc[row["model"], "mcs_p_pinball"]
    assert document["best"] == next(name for name in models if name in document["networks"])
    assert document["best"] in document["plausible"]
    assert document["answer"].endswith(".")
    for kind, gain in document["better"].items():
        assert (gain["networks"] == []) == (gain["p"] is None or gain["p"] >= 0.05), kind
    beside = json.loads((original / document["report"]).with_name("comparison.json").read_text())
    assert beside == document
    for path in document["plots"]:
        assert (original / path).is_file()


def test_a_networks_forecasts_are_the_mean_of_its_seeds(original, compared):
    folder = folder_of(original)
    seeds = [read_forecasts(folder / f"gru-seed-{seed}.csv") for seed in (7, 8)]
    own = compared.forecasts[compared.forecasts["model"] == "gru"]
    for name in ("predicted", "p05", "p90"):
        mean = np.sqrt(seeds[0][name].to_numpy() * seeds[1][name].to_numpy())
        np.testing.assert_allclose(own[name], mean, rtol=1e-12)
    assert (seeds[0]["predicted"].to_numpy() != seeds[1]["predicted"].to_numpy()).all()
    one = compared.document["networks"]["gru"]
    assert [row["seed"] for row in one["seeds"]] == compared.document["seeds"] == [7, 8]
    baselines = read_forecasts(folder / "baselines.csv")
    for frame, row in zip(seeds, one["seeds"], strict=True):
        table = score_table(pd.concat([frame, baselines], ignore_index=True)).set_index("model")
        for name in ("pinball", "skill_pinball", "skill_mse"):
            assert row[name] == pytest.approx(table.loc["gru", name])
    skills = [row["skill_pinball"] for row in one["seeds"]]
    assert one["mean"]["skill_pinball"] == pytest.approx(np.mean(skills))
    assert one["spread"]["skill_pinball"] == pytest.approx(np.std(skills, ddof=1))


def test_what_a_network_took(compared):
    """A GRU has three gates and a second bias: 16 inputs, 4 units."""
    networks = compared.document["networks"]
    weights = {name: one["parameters"] for name, one in networks.items()}
    assert weights["simple_rnn"] > 4 * (16 + 4 + 1)
    assert weights["gru"] - weights["simple_rnn"] == 3 * 4 * (16 + 4 + 2) - 4 * (16 + 4 + 1)
    for one in networks.values():
        assert one["seconds"] == pytest.approx(np.mean([row["seconds"] for row in one["seeds"]]))
        assert one["startup"] == max(row["startup"] for row in one["seeds"])
        assert all(1 <= row["kept_epoch"] <= row["epochs"] <= 2 for row in one["seeds"])


def test_no_model_is_saved(original, compared):
    assert not (original / "models").exists()


def test_an_unknown_network_is_named_before_anything_is_fetched(original):
    with pytest.raises(ConfigError, match=r"one of simple_rnn, lstm.*Received 'perceptron'"):
        run(original, networks=["gru", "perceptron"])


def test_a_finished_comparison_is_not_done_again(home, compared):
    before = {path.name: path.stat().st_mtime_ns for path in folder_of(home).iterdir()}
    stages: list[str] = []
    beside = {"folds": 3, "cost": 1.0, "trade": "close", "embedding": 4, "balanced": True}
    for changes in ({}, beside):
        again = run(home, stages=stages, **changes)
        assert again.document == {**compared.document, "status": "current"}
    assert "nothing was done again" in str(again)
    assert trainings(stages) == []
    assert {path.name: path.stat().st_mtime_ns for path in folder_of(home).iterdir()} == before


def test_an_interrupted_comparison_goes_on_where_it_was(home, compared):
    folder = folder_of(home)
    forecasts = (folder / "forecasts.csv").read_bytes()
    for path in folder.iterdir():
        if path.name not in {"gru-seed-7.csv", "gru-seed-7.json"}:
            path.unlink()
    notices: list[str] = []

    def stop(stage):
        if "training simple_rnn, seed 7" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(
            ["XYZ"],
            home=home,
            settings=settings_for(home),
            networks=NETWORKS,
            watch=Watch(stage=stop, notice=notices.append),
        )
    assert notices == [
        "interrupted after 2 of 4 trainings, which are kept: the same command goes on from there."
    ]
    assert sorted(path.name for path in folder.iterdir()) == [
        "gru-seed-7.csv", "gru-seed-7.json", "gru-seed-8.csv", "gru-seed-8.json",
    ]  # fmt: skip
    stages: list[str] = []
    again = run(home, stages=stages)
    assert trainings(stages) == ["simple_rnn, seed 7 (1 of 2)", "simple_rnn, seed 8 (2 of 2)"]
    assert again.document["scores"] == compared.document["scores"]
    assert (folder / "forecasts.csv").read_bytes() == forecasts


def test_other_networks_and_seeds_train_only_what_is_new(home):
    stages: list[str] = []
    wider = run(home, networks=["gru", "lstm"], stages=stages, seeds=1).document
    assert trainings(stages) == ["lstm, seed 7"]
    assert list(wider["networks"]) == ["gru", "lstm"]
    assert wider["networks"]["gru"]["spread"]["skill_pinball"] is None
    assert "luck of the seed" not in wider["answer"]
    assert run(home, networks=["gru"], seeds=3, stages=stages).document["seeds"] == [7, 8, 9]
    assert trainings(stages)[1:] == ["gru, seed 9 (3 of 3)"]
    assert run(home, epochs=1, networks=["gru"], stages=stages).document["key"] != wider["key"]


def test_a_damaged_training_is_made_again(home, compared):
    folder = folder_of(home)
    path = folder / "gru-seed-8.csv"
    before = path.read_bytes()
    path.write_bytes(before[:-200])
    (folder / "simple_rnn-seed-7.json").write_text("{")
    (folder / "comparison.json").unlink()
    stages: list[str] = []
    assert run(home, stages=stages).document["scores"] == compared.document["scores"]
    assert trainings(stages) == ["gru, seed 8 (2 of 2)", "simple_rnn, seed 7 (1 of 2)"]
    assert path.read_bytes() == before


def test_a_network_that_fails_is_named_and_the_others_go_on(home, monkeypatch):
    real, begun = entrants.fit_network, []

    def fail(prepared, settings, **options):
        begun.append(settings.network)
        if settings.network == "lstm":
            raise TrainingError("diverged", hint="a lower rate")
        return real(prepared, settings, **options)

    monkeypatch.setattr(entrants, "fit_network", fail)
    notices: list[str] = []
    one = run(home, networks=["lstm", "gru"], notices=notices, seeds=2)
    assert begun == ["lstm"]
    assert one.document["networks"]["lstm"] == {
        "error": {"type": "TrainingError", "message": "diverged", "hint": "a lower rate"}
    }
    assert (one.document["best"], one.document["plausible"]) == ("gru", ["gru"])
    assert "lstm failed: diverged" in notices[0]
    assert "! lstm failed: TrainingError: diverged" in str(one)
    assert "diverged" in one.report.read_text()
    # What failed may work another time: it is tried again.
    monkeypatch.setattr(entrants, "fit_network", real)
    healed = run(home, networks=["lstm", "gru"]).document
    assert healed["status"] == "compared"
    assert healed["networks"]["lstm"]["error"] is None
    monkeypatch.setattr(entrants, "fit_network", fail)
    with pytest.raises(TrainingError):
        run(home, networks=["lstm"], l2=0.5)


@pytest.mark.parametrize(("target", "weight"), [("direction", "none"), ("move", "balanced")])
def test_networks_that_forecast_classes_are_ranked_by_their_log_loss(home, target, weight):
    one = run(home, networks=["gru"], target=target, class_weight=weight, horizon=2, epochs=1)
    document = one.document
    assert document["losses"] == ["log_loss", "error"]
    rows = [row for row in document["scores"] if row["step"] == 2]
    assert {"gru", "majority", "ewma", "garch"} <= {row["model"] for row in rows}
    losses = [row["log_loss"] for row in rows]
    assert losses == sorted(losses)
    folder = one.report.parent
    seeds = [read_class_forecasts(folder / f"gru-seed-{seed}.csv") for seed in (7, 8)]
    own = one.forecasts[one.forecasts["model"] == "gru"].reset_index(drop=True)
    columns = probability_columns(classes_of(own))
    mean = (seeds[0][columns] + seeds[1][columns]) / 2
    np.testing.assert_allclose(own[columns], mean, rtol=1e-12)
    if weight == "none":
        likeliest = mean.idxmax(axis=1).str.removeprefix("probability_")
        assert (own["called"] == likeliest).all()
    assert read_class_forecasts(folder / "probabilities.csv").equals(one.forecasts)
    baselines = read_class_forecasts(folder / "baselines.csv")
    for frame, row in zip(seeds, document["networks"]["gru"]["seeds"], strict=True):
        table = class_score_table(pd.concat([frame, baselines], ignore_index=True))
        at = table[(table["model"] == "gru") & (table["step"] == 2)].iloc[0]
        for name in ("log_loss", "skill_log_loss", "skill_error"):
            assert row[name] == pytest.approx(at[name]), name
    assert document["better"]["price"]["than"] == "majority"
    assert "the commonest class" in document["answer"]
    assert "Odds: better than usual shares" in one.report.read_text()
    assert f"{target} 2 sessions ahead" in str(one)
    assert "skill odds" in str(one)
    stages: list[str] = []
    again = run(
        home, networks=["gru"], target=target, class_weight=weight, horizon=2, epochs=1,
        stages=stages,
    )  # fmt: skip
    assert (again.document["status"], trainings(stages)) == ("current", [])


def test_the_command_prints_one_document(original, tmp_path, capsys, monkeypatch):
    from forecast.cli import main

    words = [
        "forecast",
        "compare",
        "XYZ",
        "--networks",
        "gru, lstm",
        f"--source=csv:{original / 'csv'}",
    ]
    words += ["--json", "--units=4", "--lookback=10", "--epochs=1", "--home", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setenv("FORECAST_SEEDS", "2")
    with pytest.raises(SystemExit) as exit_:
        main()
    said = capsys.readouterr()
    assert exit_.value.code == 0
    (document,) = json.loads(said.out)["comparisons"]
    assert list(document["networks"]) == ["gru", "lstm"]
    assert "network 2 of 2: training lstm, seed 8 (2 of 2)" in said.err
    assert (
        pd.read_csv((tmp_path / document["report"]).with_name("forecasts.csv"))["model"].nunique()
        == 8
    )
