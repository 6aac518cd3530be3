"""`forecast ledger` as a user meets it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pandas as pd
import pytest
from click.testing import CliRunner
from ledger.issues import bars_of, fill

from forecast.cli.ledger import ledger as command
from forecast.cli.options import Shared
from forecast.ledger import open_ledger
from forecast.registry import run_folder, save_run

BARS = bars_of(90)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    home = tmp_path_factory.mktemp("written")
    with open_ledger(home) as ledger:
        fill(ledger, BARS, range(55, 80))
        fill(ledger, BARS, range(5, 30), ticker="IBM", horizon=2, run="run-2")
        gone = BARS.drop(BARS.index[30]).iloc[:60]
        ledger.settle("IBM", gone, snapshot="s", now=datetime(2012, 4, 1, tzinfo=UTC))
    return home


@pytest.fixture
def home(tmp_path, written):
    return shutil.copytree(written, tmp_path / "home")


def ask(home, *arguments, code=0):
    shared = Shared(home=home, quiet=True)
    result = CliRunner().invoke(command, arguments, obj=shared, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    assert result.return_value == code, result.output
    return result.output


def test_one_ticker_in_full(home):
    document = json.loads(ask(home, "AAPL", "--json"))
    assert document["problems"] == []
    (entry,) = document["tickers"]
    assert (entry["issued"], entry["settled"], entry["pending"], entry["void"]) == (25, 24, 1, 0)
    assert [row["step"] for row in entry["scores"]] == [1]
    assert entry["scores"][0]["promised"] == {
        "pinball": None, "coverage_80": None, "skill_mse": None, "skill_pinball": None,
        "unknown": 24,
    }  # fmt: skip
    newest = entry["newest"]
    assert len(newest) == 10
    assert newest[-1]["actual"] is None
    assert newest[-1]["inside_80"] is None
    assert newest[-2]["actual"] == pytest.approx(BARS["close"].iloc[79])
    assert newest[-2]["session"] == f"{BARS.index[79]:%Y-%m-%d}"
    assert (home / entry["plot"]).read_bytes()[:4] == b"\x89PNG"
    text = ask(home, "aapl")
    assert "AAPL: lstm, 25 forecasts" in text
    assert "Of 24 forecasts the run is gone" in text
    assert "Picture: reports/AAPL/ledger.png" in text


def test_who_may_not_write_reads_the_record_without_a_picture(home):
    (home / "reports").write_text("no folder, as nobody may write into a read-only one")
    notice, _, document = ask(home, "AAPL", "--json").partition("\n")
    assert notice.startswith("NOTICE: there is no picture: ")
    (entry,) = json.loads(document)["tickers"]
    assert (entry["plot"], len(entry["newest"])) == (None, 10)
    text = ask(home, "AAPL")
    assert "AAPL: lstm, 25 forecasts" in text
    assert "Picture: " not in text


def test_all_tickers_at_once(home):
    document = json.loads(ask(home, "--json"))
    assert [entry["ticker"] for entry in document["tickers"]] == ["AAPL", "IBM"]
    assert [row["step"] for row in document["all"]] == [1, 2]
    assert document["tickers"][1]["void"] == 2
    assert "newest" not in document["tickers"][0]
    lines = ask(home).splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["AAPL", "IBM", "all", "all"]


def test_what_the_backtest_had_promised_stands_beside(home):
    score = {"step": 1, "coverage_80": 0.8, "skill_mse": 0.01}
    scores = [
        {"model": "lstm", "pinball": 0.004, **score},
        {"model": "ewma", "pinball": 0.005, **score},
    ]
    save_run(
        run_folder(home, ["AAPL"], "run-1"),
        save_network=lambda path: path.write_bytes(b"network"),
        inputs={"AAPL": {}},
        manifest={"run": "run-1", "tickers": {"AAPL": {"snapshot": "s"}}},
        metrics={"runs": [{"ticker": "AAPL", "network": "lstm", "scores": scores}]},
    )
    (entry,) = json.loads(ask(home, "AAPL", "--json"))["tickers"]
    row = entry["scores"][0]
    assert row["promised"]["pinball"] == 0.004
    assert row["promised"]["skill_pinball"] == pytest.approx(0.2)
    assert row["gap"]["pinball"] == pytest.approx(row["pinball"] - 0.004)
    assert row["gap"]["skill_pinball"] == pytest.approx(row["skill_pinball"] - 0.2)
    assert "the backtest had promised" in ask(home, "AAPL")


def test_a_ticker_without_an_entry_is_not_an_empty_ledger(home):
    text = ask(home, "NOPE")
    assert "No forecast of this ticker is recorded" in text
    assert "recorded yet" not in text


def test_an_empty_ledger_says_how_forecasts_get_in(tmp_path):
    assert "`forecast nightly` issues one" in ask(tmp_path)
    document = json.loads(ask(tmp_path, "AAPL", "--json"))
    assert (document["entries"], document["tickers"], document["problems"]) == (0, [], [])
    assert "0 entries, as written" in ask(tmp_path, "--verify")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["record.csv", "record.parquet"])
def test_the_record_is_exported(home, name):
    ask(home, "IBM", "--export", str(home / name))
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    table = read(home / name)
    assert len(table) == 50
    assert set(table["ticker"]) == {"IBM"}
    assert (table["status"] == "void").sum() == 2


def test_a_changed_entry_makes_every_answer_exit_with_1(home):
    assert "as written" in ask(home, "--verify")
    with closing(sqlite3.connect(home / "data" / "ledger.sqlite")) as connection, connection:
        connection.execute("DROP TRIGGER no_update")
        connection.execute(
            "UPDATE entries SET body = replace(body, '0.001', '0.002') WHERE number = 7"
        )
    document = json.loads(ask(home, "--verify", "--json", code=1))
    assert document["problems"][0].startswith("entry 7 (")
    assert "NOT as it was written" in ask(home, "--verify", code=1)
    assert "entry 7 (" in ask(home, "AAPL", "--export", str(home / "rest.csv"), code=1)
    assert len(pd.read_csv(home / "rest.csv")) in (24, 25)


@pytest.mark.parametrize(
    "arguments",
    [["--export", "record.xlsx"], ["--verify", "AAPL"], ["--verify", "--export", "a.csv"]],
)
def test_wrong_usage(home, arguments):
    from click import UsageError

    with pytest.raises(UsageError):
        ask(home, *arguments)
