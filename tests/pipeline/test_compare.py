"""`forecast compare` on a made-up history."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest
import simulated

from forecast.config import Settings
from forecast.errors import ConfigError, TrainingError
from forecast.evaluation.scores import score_table
from forecast.pipeline import compare as verb
from forecast.pipeline.compare import compare


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("compared")
    (home / "csv").mkdir()
    simulated.random_walk(600, seed=3).to_csv(home / "csv" / "XYZ.csv", index_label="Date")
    return home


def settings_for(home):
    return Settings(source=f"csv:{home / 'csv'}", units=(4,), lookback=10, epochs=1)


@pytest.fixture(scope="module")
def compared(home):
    (one,) = compare(
        ["XYZ"], home=home, settings=settings_for(home), networks=["gru", "simple_rnn"]
    )
    return one


def test_networks_and_baselines_on_the_same_origins_best_first(home, compared):
    document = compared.document
    models = [row["model"] for row in document["scores"]]
    assert set(models) == {
        "gru", "simple_rnn", "last_close", "drift", "ewma", "garch", "har", "ridge",
    }  # fmt: skip
    losses = [row["pinball"] for row in document["scores"]]
    assert losses == sorted(losses)
    assert {row["origins"] for row in document["scores"]} == {document["split"]["test"]["origins"]}
    again = score_table(compared.forecasts).set_index("model")
    for row in document["scores"]:
        assert row["pinball"] == again.loc[row["model"], "pinball"]
        assert row["mcs_p_pinball"] == again.loc[row["model"], "mcs_p_pinball"]
    assert document["best"] == next(name for name in models if name in document["networks"])
    assert document["best"] in document["plausible"]
    assert document["answer"].endswith(".")
    beside = json.loads((home / document["report"]).with_name("comparison.json").read_text())
    assert beside == document
    for path in document["plots"]:
        assert (home / path).is_file()


def test_weights_are_counted(compared):
    """At least those of the layer: 16 inputs, 4 units; a GRU has three gates and a second bias."""
    weights = {name: one["parameters"] for name, one in compared.document["networks"].items()}
    assert weights["simple_rnn"] > 4 * (16 + 4 + 1)
    assert weights["gru"] - weights["simple_rnn"] == 3 * 4 * (16 + 4 + 2) - 4 * (16 + 4 + 1)


def test_no_model_is_saved(home, compared):
    assert not (home / "models").exists()


def test_an_unknown_network_is_named_before_anything_is_fetched(home):
    with pytest.raises(ConfigError, match=r"one of simple_rnn, lstm.*Received 'transformer'"):
        compare(["XYZ"], home=home, settings=settings_for(home), networks=["gru", "transformer"])


def test_a_failure_leaves_no_folder(home, compared, monkeypatch):
    before = sorted((home / "reports").rglob("*"))

    def fail(*arguments, **options):
        raise TrainingError("diverged")

    monkeypatch.setattr(verb, "fit_network", fail)
    with pytest.raises(TrainingError):
        compare(["XYZ"], home=home, settings=settings_for(home), networks=["gru"])
    assert sorted((home / "reports").rglob("*")) == before


def test_the_command_prints_one_document(home, capsys, monkeypatch):
    from forecast.cli import main

    words = [
        "forecast",
        "compare",
        "XYZ",
        "--networks",
        "gru, lstm",
        f"--source=csv:{home / 'csv'}",
    ]
    words += ["--json", "--units=4", "--lookback=10", "--epochs=1", "--home", str(home)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as exit_:
        main()
    said = capsys.readouterr()
    assert exit_.value.code == 0
    (document,) = json.loads(said.out)["comparisons"]
    assert list(document["networks"]) == ["gru", "lstm"]
    assert "network 2 of 2: training lstm" in said.err
    assert (
        pd.read_csv((home / document["report"]).with_name("forecasts.csv"))["model"].nunique() == 8
    )
