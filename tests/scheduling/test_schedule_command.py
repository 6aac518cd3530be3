from __future__ import annotations

import json
import subprocess
import sys

import pytest

from forecast.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`forecast schedule …` in a home, with a crontab and units of this test's own."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "crontab"
    program = __file__.replace("test_schedule_command", "crontab_program")
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CRON_TABLE", str(tmp_path / "table"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    home = tmp_path / "home"
    home.mkdir()

    def run_it(*words, settings='[nightly]\ntickers = ["AAPL"]\n'):
        (home / "forecast.toml").write_text(settings)
        monkeypatch.setattr(sys, "argv", ["forecast", "schedule", *words, "--home", str(home)])
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, exit_.value.code, said.out, said.err)

    return run_it


def test_printing_writes_nothing(run, tmp_path):
    before = set(tmp_path.rglob("*"))
    for using in ("systemd", "cron"):
        result = run("--using", using)
        assert result.returncode == 0
        assert "nightly --home" in result.stdout
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "home" / "forecast.toml"}


def test_only_one_thing_is_done(run, tmp_path):
    result = run("--install", "--remove", "--using", "cron")
    assert result.returncode == 2
    assert "exclude each other" in result.stderr
    assert not (tmp_path / "table").exists()


def test_install_says_what_it_wrote_and_remove_undoes_it(run, tmp_path):
    result = run("--install", "--using", "cron", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["did"] == "installed"
    assert document["nights"] == [
        {"at": "18:30", "zone": "America/New_York", "calendars": ["XNYS"]}
    ]
    assert (tmp_path / "table").read_text() == document["files"]["crontab"]
    assert "removed: crontab" in run("--remove").stdout
    assert not (tmp_path / "table").exists()
    assert "nothing was installed" in run("--remove").stdout


def test_the_time_may_be_a_setting_and_a_flag_beats_it(run):
    settings = '[nightly]\ntickers = ["AAPL"]\nat = "19:45"\n'
    nights = [
        json.loads(run(*words, "--json", settings=settings).stdout)["nights"][0]["at"]
        for words in ([], ["--at", "20:15"])
    ]
    assert nights == ["19:45", "20:15"]
    assert "nightly.at" in run(settings='[nightly]\nat = "26:00"\n').stderr


def test_what_would_go_wrong_in_silence_is_told(run, monkeypatch):
    assert "every night would" not in run("--using", "cron").stderr
    assert "from the session before" in run("--at", "16:05").stderr
    monkeypatch.setenv("FORECAST_NIGHTLY__WEBHOOK", "https://secret.example/token")
    bundles = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    for name in bundles:
        monkeypatch.setenv(name, "/etc/ssl/own.pem")
    told = run("--install", "--using", "cron")
    assert "FORECAST_NIGHTLY__WEBHOOK" in told.stderr
    assert all(name in told.stderr for name in bundles)
    assert "token" not in told.stderr + told.stdout


def test_nothing_is_installed_without_tickers(run, tmp_path):
    result = run("--install", "--using", "cron", settings="")
    assert result.returncode == 1
    assert "nightly.tickers" in result.stderr
    assert not (tmp_path / "table").exists()


def test_each_exchange_in_the_store_has_its_night(run, tmp_path):
    from dataclasses import replace

    import pandas as pd

    from forecast.market.snapshots import Marks
    from forecast.market.sources import sample
    from forecast.market.store import Store

    marks = Marks(asked_from=None, whole_at="2026-11-20T00:00:00Z", fingerprint=None)
    store = Store.open(tmp_path / "home" / "data")
    for ticker, exchange in (("AAPL", "NMS"), ("IBM", "LSE")):
        history = replace(sample.fetch("AAPL"), ticker=ticker, exchange=exchange)
        now = pd.Timestamp("2026-11-20", tz="UTC")
        store.add(history, findings=[], change=None, parent=None, now=now, marks=marks)
    settings = '[nightly]\ntickers = ["AAPL", "IBM"]\n'
    document = json.loads(run("--json", settings=settings).stdout)
    assert [(one["at"], one["zone"]) for one in document["nights"]] == [
        ("18:30", "America/New_York"),
        ("19:00", "Europe/London"),
    ]
    assert document["notices"] == []


def test_an_exchange_that_is_none_is_told_in_one_message(run):
    result = run(settings='exchange = "NSYE"\n[nightly]\ntickers = ["AAPL"]\n')
    assert result.returncode == 1
    assert "setting 'exchange': the exchange must be a known code" in result.stderr
