"""Streams that nobody reads or that lack a character: the work is done, its exit code stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

DONE = ["fetch", "IBM", "--source=sample"]
FAILED = ["train", "NOPE", "--source=sample"]


def run(arguments, home, *, closed="", unread=()):
    """The program with descriptors closed from the start, or read by nobody.

    Args:
        arguments: Of the command line.
        home: The home folder.
        closed: For the shell, such as `>&-`.
        unread: Of `stdout` and `stderr`.
    """
    program = [sys.executable, "-m", "forecast", *arguments, "--home", str(home)]
    reader, writer = os.pipe()
    os.close(reader)
    streams = {name: writer if name in unread else subprocess.PIPE for name in ("stdout", "stderr")}
    try:
        return subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", *program], **streams, text=True, check=False
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize("arguments", [DONE, [*DONE, "--json"], FAILED, [*FAILED, "--json"]])
@pytest.mark.parametrize("closed", ["", ">&-"])
def test_results_that_nobody_reads(arguments, closed, tmp_path):
    result = run(arguments, tmp_path, closed=closed, unread=() if closed else ("stdout",))
    assert result.returncode == (0 if arguments[: len(DONE)] == DONE else 1)
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr
    assert (tmp_path / "data/bars").is_dir() == (result.returncode == 0)


@pytest.mark.parametrize("closed", ["", "2>&-"])
def test_progress_that_nobody_reads(closed, tmp_path):
    result = run(DONE, tmp_path, closed=closed, unread=() if closed else ("stderr",))
    assert result.returncode == 0
    assert result.stdout.startswith("IBM  updated")


def test_all_streams_closed(tmp_path):
    assert run(DONE, tmp_path, closed="<&- >&- 2>&-").returncode == 0
    (files,) = (tmp_path / "data/bars").glob("**/*.parquet")
    assert files.read_bytes().startswith(b"PAR1")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_behind_stdout_is_an_error_without_a_traceback(tmp_path):
    result = run(DONE, tmp_path, closed=">/dev/full")
    assert result.returncode == 1
    assert "No space left" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "iso8859-2", "utf-8", "utf-8:surrogateescape"])
@pytest.mark.parametrize("ticker", [b"\xe2\x82\xac", b"\xc3\xaa", b"\xff"])
def test_what_the_encoding_of_stdout_lacks_is_escaped(encoding, ticker, tmp_path):
    program = [sys.executable, "-m", "forecast", "fetch", ticker, "--home", str(tmp_path)]
    variables = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    text, document = (
        subprocess.run([*program, *json_], capture_output=True, check=False, env=variables)
        for json_ in ([], ["--json"])
    )
    assert (text.returncode, document.returncode) == (1, 1)
    assert b"Traceback" not in text.stderr + document.stderr
    name = encoding.partition(":")[0]
    assert "failed   UnknownTicker" in text.stdout.decode(name)
    (entry,) = json.loads(document.stdout.decode(name))["tickers"]
    assert entry["ticker"] == os.fsdecode(ticker).upper()
