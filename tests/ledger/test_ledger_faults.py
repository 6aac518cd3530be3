"""Killed writers, two writers, a full disk, damaged pages, files of other programs."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from ledger.issues import bars_of, fill, issue_at
from ledger.writer import write

from forecast.errors import ArtifactError, BusyError
from forecast.ledger import examine, open_ledger
from forecast.pipeline.doctor import holdings

BARS = bars_of(120)


@pytest.fixture(scope="module")
def processes():
    """Fresh processes that have the imports behind them: killing one costs milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ledger.writer"])
    return context


def said_in(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


def wait_for(path: Path, lines: int) -> None:
    for _ in range(12_000):
        if len(said_in(path)) >= lines:
            return
        time.sleep(0.01)
    raise AssertionError(f"no {lines} lines in {path}")


def kill_writers(processes, home: Path, times: int) -> None:
    rng = random.Random(5)
    said = home / "said"
    for _ in range(times):
        before = len(said_in(said))
        process = processes.Process(target=write, args=(home, "AAPL", said))
        process.start()
        wait_for(said, before + rng.randrange(3))
        time.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        process.join()
        examined = examine(home)
        assert examined.problems == []
        origins = examined.record["origin"].dt.strftime("%Y-%m-%d")
        assert set(said_in(said)) <= set(origins), "a forecast that was recorded is lost"
        assert (origins.value_counts() == 2).all(), "a forecast was issued twice, or half"
    assert len(said_in(said)) > times


def test_a_writer_killed_at_any_moment_leaves_a_sound_record(tmp_path, processes):
    kill_writers(processes, tmp_path, 5)


@pytest.mark.slow
def test_a_hundred_killed_writers_leave_a_sound_record(tmp_path, processes):
    kill_writers(processes, tmp_path, 100)


def test_writers_that_begin_together_take_turns_and_lose_nothing(tmp_path, processes):
    tickers = ("AAPL", "IBM", "MSFT")
    writers = [
        processes.Process(target=write, args=(tmp_path, ticker, tmp_path / ticker))
        for ticker in tickers
    ]
    for writer in writers:
        writer.start()
    for ticker in tickers:
        wait_for(tmp_path / ticker, 3)
    for writer in writers:
        writer.kill()
        writer.join()
    examined = examine(tmp_path)
    assert examined.problems == []
    for ticker, record in examined.record.groupby("ticker"):
        origins = set(record["origin"].dt.strftime("%Y-%m-%d"))
        assert set(said_in(tmp_path / str(ticker))) <= origins


def test_a_writer_that_waits_too_long_says_busy(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_ledger(tmp_path, wait=0.05) as ledger:
            one = issue_at(BARS, 5)
            with pytest.raises(BusyError, match="another process must finish"):
                ledger.issue(one, known_until=one.origin)
            assert len(ledger.origins("AAPL")) == 1
        other.execute("ROLLBACK")


@pytest.mark.parametrize("largest", [10_000, 60_000])
def test_a_full_disk_says_so_and_keeps_what_was_recorded(tmp_path, processes, largest):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, range(4, 8))
    writer = processes.Process(target=write, args=(tmp_path, "IBM", tmp_path / "said", largest))
    writer.start()
    writer.join(300)
    *origins, error = said_in(tmp_path / "said")
    assert "ArtifactError: " in error
    assert "free some disk space" in error
    examined = examine(tmp_path)
    assert examined.problems == []
    recorded = examined.record[examined.record["ticker"] == "IBM"]["origin"].unique()
    assert len(recorded) == len(origins)
    assert examined.record["origin"][examined.record["ticker"] == "AAPL"].nunique() == 4
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [8])
        assert ledger.verify() == []


def damage(path: Path, page: int, size: int = 4096) -> None:
    content = bytearray(path.read_bytes())
    content[page * size : (page + 1) * size] = bytes(range(256)) * (size // 256)
    path.write_bytes(content)


def test_a_damaged_page_is_found_and_all_others_are_still_read(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, range(4, 64))
        whole = ledger.track_record()
        entries = ledger.head().entries
    path = tmp_path / "data" / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'leaf'"
        pages = [number for (number,) in connection.execute(query)]
    assert len(pages) > 5
    damage(path, pages[3] - 1)
    with pytest.raises(ArtifactError, match=r"must be whole.*--export"), open_ledger(tmp_path):
        pass
    examined = examine(tmp_path)
    unreadable = [one for one in examined.problems if "its page in the file is damaged" in one]
    assert unreadable
    assert examined.head.entries == entries
    lost = len(whole) - len(examined.record)
    assert 0 < lost <= len(unreadable)
    kept = whole.merge(examined.record[["ticker", "origin", "step"]])
    same = ["point", "p05", "last_close"]
    assert kept[same].equals(examined.record[same])


def test_a_flipped_bit_that_sqlite_cannot_see_is_found(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, range(4, 24))
    path = tmp_path / "data" / "ledger.sqlite"
    content = path.read_bytes()
    place = content.index(b'"last_close":') + len(b'"last_close":') + 3
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with open_ledger(tmp_path) as ledger:
        problems = ledger.verify()
    assert any(re.match(r"entry \d+ \(issue of AAPL, origin", one) for one in problems), problems


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 300, b"SQLite format 3\0" + b"\1" * 5000]
)
def test_a_file_that_is_no_database_is_named(tmp_path, content):
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir()
    path.write_bytes(content)
    for read_only in (True, False):
        with (
            pytest.raises(ArtifactError, match=r"ledger\.sqlite"),
            open_ledger(tmp_path, read_only=read_only),
        ):
            pass
    assert examine(tmp_path).problems
    assert path.read_bytes() == content


def test_a_database_of_another_program_or_version_is_left_alone(tmp_path):
    path = tmp_path / "data" / "ledger.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ArtifactError, match="must be a ledger of format 1"), open_ledger(tmp_path):
        pass
    path.unlink()
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(ArtifactError, match=r"format 2.*newer version"), open_ledger(tmp_path):
        pass
    (problem,) = examine(tmp_path).problems
    assert "format 2" in problem


def test_an_entry_that_is_no_json_is_an_error_not_a_traceback(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4, 5])
    path = tmp_path / "data" / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER no_update")
        connection.execute(
            'UPDATE entries SET body = \'{"kind":"issue","ticker":"AAPL","origin":"x"}\' '
            "WHERE number = 1"
        )
    with open_ledger(tmp_path) as ledger:
        with pytest.raises(ArtifactError, match=r"Entry 1 .* does not say what it must"):
            ledger.track_record()
        with pytest.raises(ArtifactError, match=r"Entry 1 .* does not say what it must"):
            ledger.settle("AAPL", BARS, snapshot="s", now=datetime(2012, 2, 1, tzinfo=UTC))
    assert len(examine(tmp_path).record) == 1


def test_the_home_folder_is_a_file(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(ArtifactError), open_ledger(tmp_path):
        pass
    with pytest.raises(ArtifactError), open_ledger(tmp_path, read_only=True):
        pass
    assert examine(tmp_path).problems


@pytest.fixture
def somebody_elses() -> Iterator[Path]:
    """A folder outside the user's own ones, for a reader without any rights."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def without_rights() -> Iterator[None]:
    """As nobody, where the tests run as root, whom no mode stops."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_who_may_not_write_verifies_all_the_same(somebody_elses):
    with open_ledger(somebody_elses) as ledger:
        fill(ledger, BARS, range(4, 8))
        head = ledger.head()
    data = somebody_elses / "data"
    data.chmod(0o555)
    with without_rights():
        examined = examine(somebody_elses)
    assert (examined.problems, examined.head) == ([], head)
    assert len(examined.record) == 4
    data.chmod(0o755)


@pytest.mark.parametrize("name", ["ledger.sqlite", "ledger.head"])
def test_what_cannot_be_opened_is_not_called_tampered_with(somebody_elses, name):
    with open_ledger(somebody_elses) as ledger:
        fill(ledger, BARS, [4])
    (somebody_elses / "data" / name).chmod(0)
    with without_rights():
        with pytest.raises(ArtifactError, match=rf"{name} must be.*permissions"):
            examine(somebody_elses)
        (told,) = holdings.record(somebody_elses)
    assert told.state == "fail"
    assert told.hint.startswith("check the folder's permissions")


def test_an_unfinished_write_that_may_not_be_read_is_not_called_so_either(somebody_elses):
    with open_ledger(somebody_elses) as ledger:
        fill(ledger, BARS, [4])
    data = somebody_elses / "data"
    (data / "ledger.sqlite-wal").write_bytes(b"")
    data.chmod(0o555)
    with without_rights(), pytest.raises(ArtifactError, match="must be a file that can be opened"):
        examine(somebody_elses)
    data.chmod(0o755)


def test_the_head_says_where_the_chain_ends(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [4, 5])
        head = ledger.head()
    document = json.loads((tmp_path / "data" / "ledger.head").read_text())
    assert document == {"entries": 3, "hash": head.hash}
    assert len(head.hash) == 64
