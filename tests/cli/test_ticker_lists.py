from __future__ import annotations

import json
import sys

import pytest

from forecast.cli import main


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["forecast", *arguments, "--home", str(tmp_path)])
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return exit_.value.code, said.out, said.err

    return call


def write(folder, text):
    path = folder / "tickers.txt"
    path.write_text(text)
    return f"@{path}"


def test_a_file_of_tickers_beside_others(call, tmp_path):
    listed = write(tmp_path, "# the computer makers\nAAPL   # since 1980\n\n ibm\n")
    code, out, _ = call("fetch", "MSFT", listed, "--source=sample", "--json")
    assert code == 0
    assert [one["ticker"] for one in json.loads(out)["tickers"]] == ["MSFT", "AAPL", "IBM"]


def test_a_line_may_name_the_snapshot(call, tmp_path):
    _, out, _ = call("fetch", "AAPL", "--source=sample", "--json")
    (first,) = json.loads(out)["tickers"]
    # No source is asked for a snapshot: this one would fail.
    listed = write(tmp_path, f"AAPL={first['snapshot']}\n")
    code, out, _ = call("fetch", listed, "--source=csv:/nowhere", "--json")
    assert code == 0
    assert json.loads(out)["tickers"][0]["snapshot"] == first["snapshot"]
    # A flag beats the file.
    code, out, _ = call(
        "fetch", listed, "--source=sample", "--as-of=AAPL=20000101T000000Z-00000000"
    )
    assert code == 1
    assert "20000101T000000Z-00000000" in out


def test_a_ticker_with_an_equals_sign_is_no_snapshot(call, tmp_path):
    code, out, _ = call("fetch", write(tmp_path, "EURUSD=X\n"), "--source=sample", "--json")
    assert code == 1
    assert json.loads(out)["tickers"][0]["ticker"] == "EURUSD=X"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AAPL\nIBM MSFT\n", ["line 2", "'IBM MSFT'"]),
        ("AAPL\n../etc\n", ["line 2", "'../etc'"]),
        ("# nothing\n\n", ["at least one ticker", "2 lines"]),
    ],
)
def test_a_bad_file_names_the_line(text, words, call, tmp_path):
    code, _, err = call("fetch", write(tmp_path, text), "--source=sample")
    assert code == 1
    assert "tickers.txt" in err
    assert all(word.lower() in err.lower() for word in words)


def test_a_missing_file_and_one_that_is_no_text(call, tmp_path):
    code, _, err = call("fetch", f"@{tmp_path / 'none.txt'}")
    assert code == 1
    assert "There is none at" in err
    assert f"ls {tmp_path}" in err
    (tmp_path / "tickers.txt").write_bytes(b"\xff\xfe\x00")
    code, _, err = call("fetch", f"@{tmp_path / 'tickers.txt'}")
    assert code == 1
    assert "tickers.txt must be a readable text file" in err


def test_a_command_without_as_of_refuses_a_snapshot(call, tmp_path):
    listed = write(tmp_path, "AAPL=20261121T133900Z-ca68bd92\n")
    code, _, err = call("audit", listed)
    assert code == 1
    assert "Line 1" in err
    assert "20261121T133900Z-ca68bd92" in err
