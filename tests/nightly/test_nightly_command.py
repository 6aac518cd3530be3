"""`forecast nightly` from the command line."""

from __future__ import annotations

import json
import sys

import pytest

from forecast.nightly.state import night_lock


@pytest.fixture
def nightly(home, capsys, monkeypatch):
    """Runs the command in the home; gives exit code, stdout and stderr."""
    (home.folder / "forecast.toml").write_text(
        f'source = "csv:{home.csv}"\nunits = [4]\nepochs = 2\nlookback = 10\n'
        '[nightly]\nretrain = "monthly"\ntickers = ["ACME", "BETA"]\n'
    )

    def run(*arguments):
        from forecast.cli import main

        monkeypatch.setattr(
            sys, "argv", ["forecast", "nightly", *arguments, "--home", str(home.folder)]
        )
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return exit_.value.code, said.out, said.err

    return run


def test_one_line_of_json(home, nightly):
    code, out, _ = nightly("--now", "2012-07-03T18:30-04:00", "--json", "--quiet")
    assert code == 0
    assert out.count("\n") == 1
    document = json.loads(out)
    assert document["night"] == "2012-07-03"
    assert document["now"] == "2012-07-03T22:30:00+00:00"
    assert [entry["status"] for entry in document["tickers"]] == ["done", "done"]
    assert (home.folder / document["page"]).is_file()


def test_lines_for_people(nightly):
    code, out, _ = nightly("BETA", "--now", "2012-07-03")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "BETA   2012-07-03 done: no training was due"
    assert lines[1].strip().startswith("2012-07-05: ")
    assert lines[1].endswith("(recorded)")
    code, out, _ = nightly("BETA", "--now", "2012-07-04")
    assert out.splitlines()[0] == (
        "BETA   2012-07-03 nothing: the night of 2012-07-03 is done already"
    )


def test_busy_has_a_code_of_its_own(home, nightly):
    with night_lock(home.folder):
        code, out, err = nightly("--now", "2012-07-03", "--json")
    assert code == 75
    assert json.loads(out)["error"]["type"] == "BusyError"
    assert "Another process is at it" in err


def test_a_failure_is_the_exit_code(home, nightly):
    (home.csv / "ACME.csv").unlink()
    code, out, _ = nightly("--now", "2012-07-03")
    assert code == 1
    assert out.splitlines()[0].startswith("ACME   –          failed: UnknownTicker: ")


@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json", "--quiet"]])
def test_what_went_wrong_is_told_on_stderr(home, nightly, flags):
    """Cron drops stdout and mails the rest."""
    (home.csv / "ACME.csv").unlink()
    with (home.folder / "forecast.toml").open("a") as file:
        file.write("deadline = 1e-9\n")
    code, out, err = nightly("--now", "2012-08-01", *flags)
    assert code == 1
    lines = err.splitlines()
    failed = next(line for line in lines if line.startswith("ACME: UnknownTicker: "))
    assert "Try: " in failed
    assert any(line.startswith("BETA: the deadline passed") for line in lines)
    if "--json" in flags:
        assert len(json.loads(out)["tickers"]) == 2


def test_a_night_without_fault_has_nothing_to_say_on_stderr(nightly):
    code, _, err = nightly("--now", "2012-07-03", "--quiet")
    assert (code, err) == (0, "")


def test_an_address_needs_ray(nightly):
    code, _, err = nightly("--address", "10.0.0.1:6379")
    assert code == 2
    assert "--address needs --engine ray" in err
