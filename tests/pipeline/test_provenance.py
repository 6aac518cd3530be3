from __future__ import annotations

import shlex

import pytest

from forecast.config import Settings, load_settings
from forecast.pipeline.kept import deciding
from forecast.pipeline.provenance import command, data_hash, git_commit, versions
from forecast.pipeline.readers import VERBS


def read(line):
    """The variables, then the words, of a command line."""
    words = shlex.split(line)
    at = words.index("forecast")
    return dict(word.split("=", 1) for word in words[:at]), words[at:]


def test_the_command_names_every_setting_that_decides(tmp_path):
    settings = load_settings(
        tmp_path,
        network="gru",
        units=(8, 4),
        features=("rsi_14", "return_1"),
        source="csv:a b",
        quality={"jump": 9.0},
        nightly={"webhook": "https://secret"},
    )
    variables, words = read(command("train", ["AAPL"], settings, "--as-of=AAPL=x"))
    assert words[:3] == ["forecast", "train", "AAPL"]
    assert set(words[3:]) == {
        *("--source=csv:a b", "--network=gru", "--units=8,4", "--lookback=60", "--horizon=1"),
        *("--target=return", "--epochs=100", "--seed=7", "--as-of=AAPL=x"),
    }
    assert variables == {
        "FORECAST_FEATURES": "rsi_14,return_1",
        "FORECAST_QUALITY__JUMP": "9.0",
        "FORECAST_CONTEXT": "every",
        "FORECAST_CLASS_WEIGHT": "none",
        "FORECAST_DROPOUT": "0.1",
        "FORECAST_L2": "0.0",
        "FORECAST_PATIENCE": "10",
        "FORECAST_PRECISION": "float32",
    }
    together, words = read(command("train", ["AAPL", "IBM"], settings, "--together"))
    assert together == {**variables, "FORECAST_EMBEDDING": "0", "FORECAST_BALANCED": "False"}
    assert words[-1] == "--together"


@pytest.mark.parametrize("verb", ["train", "evaluate", "compare", "tune"])
def test_another_file_of_settings_has_no_say_in_the_command(verb, tmp_path, monkeypatch):
    from forecast.cli import cli

    settings = Settings(units=(3,), dropout=0.3, balanced=True, learning_rate=0.01, batch=32)
    variables, words = read(command(verb, ["AAPL"], settings))
    assert not {word.partition("=")[0] for word in words[3:]} - {
        flag for option in cli.commands[verb].params for flag in option.opts
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "forecast.toml").write_text(
        'units = [5]\ndropout = 0.2\nl2 = 0.5\nfeatures = ["rsi_14"]\nepochs = 3\npatience = 3\n'
        'learning_rate = 0.1\nbatch = 8\nprecision = "mixed_float16"\n'
    )
    flags = dict(word.removeprefix("--").split("=", 1) for word in words[3:])
    again = load_settings(tmp_path, **flags)
    assert deciding(again, VERBS[verb]) == deciding(settings, VERBS[verb])
    assert not again.balanced


def test_the_hash_is_of_sessions_and_values(aapl):
    assert data_hash(aapl) == data_hash(aapl.copy())
    changed = aapl.copy()
    changed.iloc[7, 3] += 1e-9
    assert data_hash(changed) != data_hash(aapl)
    assert data_hash(aapl.iloc[1:]) != data_hash(aapl)


def test_versions_and_commit_are_those_of_this_code():
    assert versions()["keras"].startswith("3.")
    assert git_commit() is None or len(git_commit()) == 40


def test_another_backend_of_keras_is_part_of_versions_and_command(monkeypatch):
    # An empty variable is none, to Keras too.
    monkeypatch.setenv("KERAS_BACKEND", "")
    usual = versions()
    assert "KERAS_BACKEND" not in command("train", ["AAPL"], Settings())
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert set(versions()) - set(usual) == {"jax"}
    assert command("train", ["AAPL"], Settings()).startswith("KERAS_BACKEND=jax FORECAST_")
