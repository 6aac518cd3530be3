"""The command line as a person or a script meets it: whole processes in an empty home folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated import random_walk

from forecast.market.bars import derive_bars
from forecast.market.sources import sample

QUICK = ["--units=8", "--lookback=20", "--epochs=2"]


def run(*arguments, home, cwd=None, **variables):
    """A `forecast` process."""
    return subprocess.run(
        [sys.executable, "-m", "forecast", *arguments, "--home", str(home)],
        capture_output=True,
        text=True,
        cwd=cwd or home,
        env=os.environ | variables,
        check=False,
    )


@pytest.fixture
def here(capsys, monkeypatch):
    """The same within this process: quicker, where a process of its own would show no more."""

    def run_here(*arguments, home, **variables):
        from forecast.cli import main

        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["forecast", *arguments, "--home", str(home)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, exit_.value.code, said.out, said.err)

    return run_here


def files_below(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home folder in which AAPL was trained, and the document that was printed."""
    home = tmp_path_factory.mktemp("home")
    result = run("train", "AAPL", "--source=sample", "--json", *QUICK, home=home)
    assert result.returncode == 0, result.stderr
    return home, json.loads(result.stdout)["runs"][0]


def test_train_prints_the_promised_document(trained):
    home, document = trained
    assert document["ticker"] == "AAPL"
    assert document["source"] == "sample"
    assert {"run", "network", "target", "lookback", "horizon"} < document.keys()
    for part in ("train", "validation", "test"):
        assert document["split"][part].keys() == {"first", "last", "origins"}
    assert {row["model"] for row in document["scores"]} == {
        "lstm", "last_close", "drift", "ewma", "garch", "har", "ridge",
    }  # fmt: skip
    promised = """
        model step origins mse_price mae_price rmse_price mape mse_return mae_return
        direction_accuracy pinball coverage_80 coverage_95 skill_mse dm_p_mse skill_pinball
        dm_p_pinball
    """
    assert all(set(promised.split()) <= row.keys() for row in document["scores"])
    assert document["verdict"]["price"] in ("beats", "ties", "loses")
    assert document["seconds"].keys() == {"fetch", "features", "fit", "score", "report", "total"}
    for path in [document["report"], document["model"], *document["plots"]]:
        assert (home / path).exists()
    beside = json.loads((home / document["report"]).with_name("metrics.json").read_text())
    assert beside == document


def test_scores_follow_from_forecasts_csv_and_the_bars(trained):
    home, document = trained
    table = pd.read_csv((home / document["report"]).with_name("forecasts.csv"))
    closes = derive_bars(sample.fetch("AAPL").quotes)["close"]
    actual = table.set_index("session")["actual"]
    expected = closes.rename(index=lambda day: f"{day:%Y-%m-%d}")
    np.testing.assert_array_equal(actual, expected.loc[actual.index])
    last_close = table[table["model"] == "last_close"]
    np.testing.assert_array_equal(last_close["predicted"], expected.loc[last_close["origin"]])
    for row in document["scores"]:
        own = table[table["model"] == row["model"]]
        error = own["actual"] - own["predicted"]
        assert row["origins"] == len(own) == document["split"]["test"]["origins"]
        assert row["mse_price"] == pytest.approx((error**2).mean(), rel=1e-9)
        assert row["mae_price"] == pytest.approx(error.abs().mean(), rel=1e-9)
        held = own["actual"].between(own["p10"], own["p90"]).mean()
        assert row["coverage_80"] == pytest.approx(held, rel=1e-9)


class _Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href") and value]


def test_the_page_needs_nothing_from_outside(trained):
    home, document = trained
    page = (home / document["report"]).read_text()
    parser = _Addresses()
    parser.feed(page)
    assert all(address.startswith(("#", "data:")) for address in parser.found)
    assert document["verdict"]["text"].split(".")[0] in re.sub(r"\s+", " ", page).replace(
        "&#34;", '"'
    ).replace("\N{NO-BREAK SPACE}", " ")


def test_predict_forecasts_the_session_after_the_last_bar_twice_alike(trained, here):
    home, document = trained
    arguments = ["predict", "AAPL", "--source=sample", f"--model={document['run']}", "--json"]
    first, second = run(*arguments, home=home), here(*arguments, home=home)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    (forecast,) = json.loads(first.stdout)["forecasts"]
    assert forecast["run"] == document["run"]
    assert forecast["origin"] == "2013-03-01"
    # In today's money: the close as it was traded, not the one adjusted for dividends.
    assert forecast["last_close"] == 430.47
    (step,) = forecast["steps"]
    assert step["session"] == "2013-03-04"
    prices = [step[name] for name in ("p05", "p10", "p25", "p50", "p75", "p90", "p95")]
    assert prices == sorted(prices)
    assert 0 < step["probability_up"] < 1
    assert (home / forecast["plot"]).read_bytes().startswith(b"\x89PNG")


def test_the_command_in_the_report_makes_the_same_run_again(trained, tmp_path, here):
    home, document = trained
    variables, _, arguments = document["command"].partition("forecast ")
    assert f"--as-of=AAPL={document['snapshot']}" in arguments
    other = home / "forecast.toml"
    other.write_text('learning_rate = 0.5\nbatch = 8\nl2 = 0.1\noutputs = "last"\nunits = [2]\n')
    set_to = dict(word.split("=") for word in variables.split())
    result = here(*arguments.split(), "--json", home=home, **set_to)
    other.unlink()
    assert result.returncode == 0, result.stderr
    (again,) = json.loads(result.stdout)["runs"]
    assert again["scores"] == document["scores"]


@pytest.mark.parametrize(
    "damage",
    ["network.keras", "inputs.json", "manifest.json", "../champion.json"],
)
def test_a_damaged_run_is_named_and_not_loaded(damage, trained, tmp_path, here):
    home, document = trained
    folder = home / document["model"]
    path = (folder / damage).resolve()
    kept = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(kept[: len(kept) // 2])
        own = [] if "champion" in damage else [f"--model={document['run']}"]
        result = here("predict", "AAPL", "--source=sample", "--json", *own, home=home)
    finally:
        path.write_bytes(kept)
    assert result.returncode == 1
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "ArtifactError"
    assert Path(damage).name in error["message"]
    assert "forecast train" in error["hint"]


def test_a_horizon_of_several_sessions(tmp_path, here):
    result = here(
        "train", "MSFT", "--source=sample", "--json", "--horizon=3", *QUICK, home=tmp_path
    )
    assert result.returncode == 0, result.stderr
    (document,) = json.loads(result.stdout)["runs"]
    assert sorted({row["step"] for row in document["scores"]}) == [1, 2, 3]
    result = here("predict", "MSFT", "--source=sample", "--json", home=tmp_path)
    (forecast,) = json.loads(result.stdout)["forecasts"]
    sessions = [step["session"] for step in forecast["steps"]]
    assert sessions == ["2013-03-04", "2013-03-05", "2013-03-06"]


def test_together_shares_a_run_and_keeps_scores_apart(tmp_path, here):
    result = here(
        "train", "AAPL", "IBM", "--together", "--source=sample", "--json", *QUICK, home=tmp_path
    )
    assert result.returncode == 0, result.stderr
    first, second = json.loads(result.stdout)["runs"]
    assert first["run"] == second["run"]
    assert first["model"] == second["model"]
    assert first["report"] != second["report"]
    assert first["scores"] != second["scores"]
    result = here("predict", "AAPL", "IBM", "--source=sample", "--json", home=tmp_path)
    assert [one["ticker"] for one in json.loads(result.stdout)["forecasts"]] == ["AAPL", "IBM"]


@pytest.mark.parametrize(
    "options", [["--network=bigru"], ["--target=price", "--network=simple_rnn"]]
)
def test_other_networks_and_the_textbooks_target(options, tmp_path, here):
    result = here("train", "IBM", "--source=sample", "--json", *QUICK, *options, home=tmp_path)
    assert result.returncode == 0, result.stderr
    (document,) = json.loads(result.stdout)["runs"]
    assert all(row["mse_price"] > 0 for row in document["scores"])
    assert here("predict", "IBM", "--source=sample", home=tmp_path).returncode == 0


def test_a_csv_of_any_ticker_with_a_day_without_volume(tmp_path, here):
    bars = random_walk(800, seed=2).rename_axis("Date").reset_index()
    bars.loc[400, "volume"] = 0.0
    bars.columns = [name.upper() for name in bars.columns]
    (tmp_path / "csv").mkdir()
    bars.iloc[:, ::-1].to_csv(tmp_path / "csv" / "XY-Z.csv.gz", index=False)
    result = here(
        "train", "xy-z", "--source", f"csv:{tmp_path / 'csv'}", "--json", *QUICK, home=tmp_path
    )
    assert result.returncode == 0, result.stderr
    (document,) = json.loads(result.stdout)["runs"]
    assert document["ticker"] == "XY-Z"
    assert document["findings"][0]["severity"] == "warn"


@pytest.mark.parametrize(
    ("change", "type_", "words"),
    [
        (lambda t: t.drop(columns="High"), "MalformedData", "Missing: High"),
        (lambda t: t.assign(Close=t["Close"].astype(str).where(t.index != 5, "abc")),
         "MalformedData", "'abc' in line 7"),
        (lambda t: t.assign(Open=t["Open"].where(t.index != 5)), "MalformedData", "'open'"),
        (lambda t: pd.concat([t.iloc[:9], t.iloc[8:]]), "MalformedData", "once"),
        (lambda t: t.iloc[::-1], "MalformedData", "increasing order"),
        (lambda t: t.assign(Low=t["Low"].where(t.index != 5, -1)), "MalformedData", "positive"),
        (lambda t: t.assign(High=t["High"].where(t.index != 5, t["Low"] / 2)),
         "MalformedData", "below 'low'"),
        (lambda t: t.iloc[:0], "MalformedData", "at least one bar"),
        (lambda t: t.iloc[:50], "NotEnoughBars", "at least"),
    ],
)  # fmt: skip
def test_bad_files_get_one_clear_error_and_leave_no_run(change, type_, words, tmp_path, here):
    table = random_walk(400, seed=2).rename_axis("Date").reset_index()
    table.columns = [name.capitalize() for name in table.columns]
    (tmp_path / "csv").mkdir()
    change(table).to_csv(tmp_path / "csv" / "BAD.csv", index=False)
    home = tmp_path / "home"
    home.mkdir()
    result = here("train", "BAD", "--source", f"csv:{tmp_path / 'csv'}", "--json", home=home)
    assert result.returncode == 1
    error = json.loads(result.stdout)["error"]
    assert error["type"] == type_
    assert words in error["message"]
    assert error["hint"]
    assert "Traceback" not in result.stderr
    assert not (home / "models").exists()
    assert not (home / "reports").exists()
    if type_ == "MalformedData":
        assert not files_below(home)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "../../etc"], 1, "a ticker must be"),
        (["train", "NOPE", "--source=sample"], 1, "the sample holds"),
        (["train", "FB", "--source=sample"], 1, "Received 196"),
        (["predict", "AAPL", "--source=sample"], 1, "forecast train AAPL"),
        (["predict", "AAPL", "--model=../../../etc"], 1, "there must be a run"),
        (["predict", "AAPL", "--model="], 1, "there must be a run ''"),
        (["schedule", "--at="], 1, "the time must be HH:MM"),
        (["train", "AAPL", "--source=nowhere"], 1, "csv:DIR"),
        (["train", "AAPL", "--lookback=1"], 1, "greater than or equal to 2"),
        (["train", "AAPL", "--units=64,x"], 1, "valid integer"),
        (["train", "AAPL", "--network=mlp"], 2, "simple_rnn"),
        (["train", "AAPL", "--moon=full"], 2, "No such option"),
        (["train"], 2, "Missing argument"),
        (["predict", "AAPL", "--as-of=IBM=20200101T000000Z-0"], 2, "IBM is not among the tickers"),
        (["train", "AAPL", "--units="], 1, "the width of each layer"),
        (["fly"], 2, "No such command"),
    ],
)
def test_wrong_use_says_what_to_do_next(arguments, code, words, tmp_path, here):
    result = here(*arguments, home=tmp_path)
    assert result.returncode == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout
    as_json = here(*arguments, "--json", home=tmp_path)
    assert as_json.returncode == code
    error = json.loads(as_json.stdout)["error"]
    assert error.keys() == {"type", "message", "hint"}
    if code == 2:
        known = "" if arguments == ["fly"] else f" {arguments[0]}"
        assert error["hint"] == f"forecast{known} --help"


def test_an_unknown_setting_names_the_nearest(tmp_path, here):
    (tmp_path / "forecast.toml").write_text("lookbak = 30\n")
    result = here("fetch", "AAPL", "--source=sample", home=tmp_path)
    assert result.returncode == 1
    assert "'lookback', if that was meant" in result.stderr
    (tmp_path / "forecast.toml").unlink()
    result = here("fetch", "AAPL", "--source=sample", home=tmp_path, FORECAST_HORIZONT="2")
    assert "'horizon', if that was meant" in result.stderr


def test_several_tickers_one_of_them_bad(tmp_path, here):
    result = here("train", "AAPL", "FB", "--source=sample", "--json", *QUICK, home=tmp_path)
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert [one["ticker"] for one in document["runs"]] == ["AAPL"]
    assert document["failed"][0]["ticker"] == "FB"
    assert document["failed"][0]["error"]["type"] == "NotEnoughBars"
    assert result.stderr.count(document["failed"][0]["error"]["message"]) == 1


def test_a_home_that_cannot_be_written_is_said_so(tmp_path, here):
    (tmp_path / "data").write_text("a file where a folder must be")
    result = here("fetch", "AAPL", "--source=sample", "--json", home=tmp_path)
    assert result.returncode == 1
    error = json.loads(result.stdout)["tickers"][0]["error"]
    assert "--home" in error["hint"]


@pytest.mark.usefixtures("default_interrupt")
def test_an_interrupt_ends_with_130_and_leaves_no_half_run(tmp_path):
    (tmp_path / "forecast.toml").write_text("epochs = 100000\npatience = 100000\n")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "forecast", "train", "AAPL", "--source=sample"),
            *("--units=8", "--lookback=20", "--home", tmp_path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "epoch" in line:
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Interrupted" in rest
    assert "Traceback" not in rest
    assert not files_below(tmp_path / "models") | files_below(tmp_path / "reports")


def test_settings_from_file_variable_and_flag_in_this_order(tmp_path, here):
    (tmp_path / "forecast.toml").write_text(
        'source = "sample"\nlookback = 20\nunits = [4]\nepochs = 1\n'
    )
    result = here(
        "train",
        "IBM",
        "--json",
        "--lookback=25",
        home=tmp_path,
        FORECAST_SEED="11",
        FORECAST_UNITS="5",
    )
    assert result.returncode == 0, result.stderr
    settings = json.loads(result.stdout)["runs"][0]["settings"]
    assert settings["source"] == "sample"
    assert settings["lookback"] == 25
    assert settings["seed"] == 11
    assert settings["units"] == [5]


def test_python_reaches_the_same_result(trained):
    import forecast

    home, document = trained
    run = forecast.train("AAPL", home=home, source="sample", units=(8,), lookback=20, epochs=2)
    assert run.document["scores"] == document["scores"]
    assert run.verdict == document["verdict"]["text"]
    assert run.scores.loc[0, "model"] == "lstm"
    assert run.report.exists()
    assert repr(run) == f"Run('AAPL', {run.document['run']!r}, 'lstm', horizon=1)"
    assert "no better than &quot;tomorrow" in " ".join(run._repr_html_().split())
    table = forecast.predict("AAPL", home=home, source="sample", run=document["run"])
    assert list(table.index) == [pd.Timestamp("2013-03-04")]
    bars = forecast.fetch("AAPL", home=home, source="sample")
    digest = hashlib.sha256(bars.to_numpy().tobytes()).hexdigest()
    again = derive_bars(sample.fetch("AAPL").quotes)
    assert digest == hashlib.sha256(again.to_numpy().tobytes()).hexdigest()


def test_python_says_that_the_sample_stands_in_for_yahoo(trained, monkeypatch, capsys):
    import forecast

    home, _ = trained
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    for call in (forecast.fetch, forecast.predict):
        table = call("AAPL", home=home)
        assert table.attrs["source"] == "sample"
        assert "the committed SAMPLE is used" in table.attrs["notice"]
        assert capsys.readouterr().err == f"NOTICE: {table.attrs['notice']}\n"
    run = forecast.train("AAPL", home=home, units=(8,), lookback=20, epochs=1)
    assert capsys.readouterr().err == f"NOTICE: {run.document['notice']}\n"
    assert forecast.fetch("AAPL", home=home, source="sample").attrs["notice"] is None


def test_a_tilde_that_no_shell_expanded_is_the_users_own_folder(tmp_path, monkeypatch, here):
    import forecast

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert forecast.fetch("IBM", home="~/of_python", source="sample").attrs["source"] == "sample"
    assert here("fetch", "IBM", "--source=sample", home="~/of_flag").returncode == 0
    assert (tmp_path / "of_python/data").is_dir()
    assert (tmp_path / "of_flag/data").is_dir()
    unknown = here("models", home="~nobody-of-this-name/x")
    assert unknown.returncode == 1
    assert "must name a user" in unknown.stderr


def test_help_needs_none_of_the_slow_libraries():
    script = (
        "import sys; from forecast.cli import cli; "
        "cli.main(['train', '--help'], standalone_mode=False); "
        "slow = {'pandas', 'tensorflow', 'keras', 'matplotlib', 'yfinance', 'ta', 'pydantic'}; "
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "--lookback" in result.stdout
