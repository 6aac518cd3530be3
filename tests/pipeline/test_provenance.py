from __future__ import annotations

import shlex

from forecast.config import Settings, load_settings
from forecast.pipeline.provenance import command, data_hash, git_commit, versions


def test_the_command_holds_what_differs_from_the_defaults(tmp_path):
    settings = load_settings(
        tmp_path,
        network="gru",
        units=(8, 4),
        features=("rsi_14", "return_1"),
        dropout=0.3,
        source="csv:a b",
        quality={"jump": 9.0},
    )
    line = command("train", ["AAPL"], settings, "--as-of=AAPL=x")
    variables = line.partition("forecast train")[0].split()
    assert set(variables) == {
        "FORECAST_FEATURES=rsi_14,return_1",
        "FORECAST_DROPOUT=0.3",
        "FORECAST_QUALITY__JUMP=9.0",
    }
    words = shlex.split(line)[len(variables) :]
    assert words[:3] == ["forecast", "train", "AAPL"]
    assert set(words[3:]) == {"--source=csv:a b", "--network=gru", "--units=8,4", "--as-of=AAPL=x"}
    assert command("train", ["AAPL"], Settings()) == "forecast train AAPL"


def test_the_hash_is_of_sessions_and_values(aapl):
    assert data_hash(aapl) == data_hash(aapl.copy())
    changed = aapl.copy()
    changed.iloc[7, 3] += 1e-9
    assert data_hash(changed) != data_hash(aapl)
    assert data_hash(aapl.iloc[1:]) != data_hash(aapl)


def test_versions_and_commit_are_those_of_this_code():
    assert versions()["keras"].startswith("3.")
    assert git_commit() is None or len(git_commit()) == 40
