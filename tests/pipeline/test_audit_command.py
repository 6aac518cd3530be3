"""`forecast audit` on a home folder with one trained network."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from datetime import date

import pytest
import simulated

from forecast.config import Settings
from forecast.features.indicators import INDICATORS, Indicator
from forecast.files import sha256
from forecast.nightly.jobs import RunFiles
from forecast.pipeline.train import train
from forecast.registry import load_run, promote


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    home = tmp_path_factory.mktemp("trained")
    (home / "csv").mkdir()
    for ticker, seed in (("XYZ", 3), ("UVW", 4)):
        simulated.random_walk(600, seed=seed).to_csv(
            home / "csv" / f"{ticker}.csv", index_label="Date"
        )
    settings = Settings(source=f"csv:{home / 'csv'}", units=(4,), lookback=20, epochs=1)
    # The audit is asked without this start: it takes the bars that the run saw.
    later = settings.model_copy(update={"start": date(2000, 1, 10)})
    train(["XYZ"], home=home, settings=later)
    return home


@pytest.fixture
def home(trained, tmp_path):
    """A copy, to be spoilt."""
    return shutil.copytree(trained, tmp_path / "home")


@pytest.fixture
def audit(home, capsys, monkeypatch):
    """Run the command; gives exit code and document."""

    def run(*arguments):
        from forecast.cli import main

        words = ["forecast", "audit", *arguments, "--json", "--quiet", "--home", str(home)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code, json.loads(capsys.readouterr().out)

    return run


def failed(document):
    return {(row["check"], row["subject"]) for row in document["checks"] if not row["passed"]}


def test_a_trained_network_is_audited_and_the_table_signed(audit, home):
    code, document = audit()
    (own,) = document["audits"]
    assert code == 0
    assert own["ticker"] == "XYZ"
    assert own["passed"] is True
    asked = {(row["check"], row["subject"]) for row in own["checks"]}
    assert {("future", name) for name in INDICATORS} < asked
    assert {("future", "network lstm"), ("future", "baseline garch")} < asked
    assert {("record", "bars"), ("record", "inputs"), ("record", "network lstm")} < asked
    signed = json.loads((home / "reports" / "XYZ" / own["run"] / "audit.json").read_text())
    assert signed["rows"] == own["checks"]
    network = home / "models" / "XYZ" / own["run"] / "network.keras"
    assert signed["network_sha256"] == sha256(network)


def test_a_leak_is_an_exit_code_of_one(audit, monkeypatch):
    monkeypatch.setitem(INDICATORS, "range_1", Indicator(lambda b: b["high"].shift(-1), 0))
    code, document = audit("XYZ")
    assert code == 1
    assert document["audits"][0]["passed"] is False
    assert failed(document["audits"][0]) == {("future", "range_1")}


def test_forecasts_that_the_network_did_not_make_are_found(audit, home):
    (path,) = (home / "reports" / "XYZ").glob("*/forecasts.csv")
    lines = path.read_text().splitlines()
    columns = lines[0].split(",")
    cells = lines[7].split(",")
    assert cells[columns.index("model")] == "lstm"
    cells[columns.index("predicted")] = cells[columns.index("actual")]
    path.write_text("\n".join([*lines[:7], ",".join(cells), *lines[8:]]) + "\n")
    code, document = audit("XYZ")
    assert code == 1
    assert failed(document["audits"][0]) == {("record", "network lstm")}


def test_a_ticker_without_a_network_and_one_that_fails(audit, home):
    code, document = audit("UVW", "NOPE", f"--source=csv:{home / 'csv'}")
    bars_only, unknown = document["audits"]
    assert code == 1
    assert bars_only["passed"] is True
    assert bars_only["run"] is None
    assert ("future", "baseline ridge") in {
        (row["check"], row["subject"]) for row in bars_only["checks"]
    }
    assert unknown["passed"] is False
    assert unknown["checks"] == []
    assert unknown["error"]["type"] == "UnknownTicker"


def test_a_run_that_says_nothing_of_its_bars_does_not_end_the_audit_of_the_others(audit, home):
    files = RunFiles.of(load_run(home, "XYZ"), "XYZ")
    manifest = {**files.manifest, "tickers": {"UVW": {}}}
    odd = replace(files, manifest=manifest, inputs={"UVW": files.inputs["XYZ"]})
    odd.save(home, "UVW")
    promote(home, "UVW", files.run, reason="a test")
    code, document = audit("UVW", "XYZ", f"--source=csv:{home / 'csv'}")
    bad, sound = document["audits"]
    assert (code, sound["passed"]) == (1, True)
    assert bad["error"]["message"].startswith("UVW: its job must end without a fault. KeyError")
