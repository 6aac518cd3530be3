from __future__ import annotations

import pytest

from forecast.errors import ArtifactError
from forecast.registry import (
    load_run,
    named_snapshots,
    new_run,
    run_folder,
    save_run,
    set_champion,
)


def save(home, tickers, run):
    save_run(
        run_folder(home, tickers, run),
        save_network=lambda path: path.write_bytes(b"network"),
        inputs={ticker: {"inputs": 1} for ticker in tickers},
        manifest={"run": run, "tickers": {ticker: {"snapshot": f"s-{run}"} for ticker in tickers}},
        metrics={},
    )


def test_the_champion_is_loaded_unless_a_run_is_named(tmp_path):
    save(tmp_path, ["AAPL"], "first")
    save(tmp_path, ["AAPL", "IBM"], "both")
    with pytest.raises(ArtifactError, match="must be a trained network"):
        load_run(tmp_path, "AAPL")
    set_champion(tmp_path, "AAPL", "first")
    set_champion(tmp_path, "IBM", "both")
    assert load_run(tmp_path, "AAPL").manifest["run"] == "first"
    assert load_run(tmp_path, "AAPL", "both").folder.parent.name == "_together"
    assert load_run(tmp_path, "IBM").network.read_bytes() == b"network"
    with pytest.raises(ArtifactError, match="must be a run 'second'"):
        load_run(tmp_path, "AAPL", "second")


def test_a_changed_byte_is_found_before_anything_is_loaded(tmp_path):
    save(tmp_path, ["AAPL"], "run")
    network = load_run(tmp_path, "AAPL", "run").network
    network.write_bytes(b"netwerk")
    with pytest.raises(ArtifactError, match=r"network\.keras must be as it was saved"):
        load_run(tmp_path, "AAPL", "run")


def test_a_run_of_another_format_says_what_to_do(tmp_path):
    save(tmp_path, ["AAPL"], "run")
    manifest = tmp_path / "models" / "AAPL" / "run" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(ArtifactError, match=r"must be of format 1\. Received 99.*forecast train"):
        load_run(tmp_path, "AAPL", "run")


def test_snapshots_that_runs_were_trained_on_are_named(tmp_path):
    save(tmp_path, ["AAPL"], "one")
    save(tmp_path, ["AAPL", "IBM"], "two")
    (tmp_path / "models" / "AAPL" / "one" / "manifest.json").write_text("{")
    save(tmp_path, ["AAPL"], "three")
    assert named_snapshots(tmp_path) == {"AAPL": {"s-two", "s-three"}, "IBM": {"s-two"}}


def test_two_runs_of_one_second_have_two_names():
    assert len({new_run() for _ in range(20)}) > 1
