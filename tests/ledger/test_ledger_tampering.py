"""Whatever is done to the file behind the program's back is seen."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.issues import bars_of, chain, fill

from forecast.errors import ArtifactError
from forecast.ledger import examine, open_ledger, write_record
from forecast.ledger.entries import canonical

BARS = bars_of(20)
EXACT = "00:00:00.000000"
TRIGGERS = ("no_update", "no_delete", "only_at_the_end")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[bytes, bytes]:
    """A sound ledger: 12 issues of two tickers, their settlements, one correction."""
    home = tmp_path_factory.mktemp("whole")
    other = BARS.assign(close=BARS["close"].where(BARS.index != BARS.index[6], 40.0))
    with open_ledger(home) as ledger:
        for ticker in ("AAPL", "IBM"):
            fill(ledger, BARS, range(4, 10), ticker=ticker)
        done = ledger.settle("IBM", other, snapshot="late", now=BARS.index[-1].tz_localize("UTC"))
        assert done.corrected == 2
        assert ledger.verify() == []
    data = home / "data"
    return (data / "ledger.sqlite").read_bytes(), (data / "ledger.head").read_bytes()


def lay(home: Path, whole) -> Path:
    (home / "data").mkdir(exist_ok=True)
    for stale in (home / "data").iterdir():
        stale.unlink()
    path = home / "data" / "ledger.sqlite"
    path.write_bytes(whole[0])
    path.with_name("ledger.head").write_bytes(whole[1])
    return path


def tamper(path: Path, *statements: tuple[str, tuple]) -> None:
    """Change the file as somebody would who knows it: triggers off, change, triggers on again."""
    with closing(sqlite3.connect(path)) as connection, connection:
        guards = dict(
            connection.execute("SELECT name, sql FROM sqlite_schema WHERE type='trigger'")
        )
        for name in guards:
            connection.execute(f"DROP TRIGGER {name}")
        for sql, values in statements:
            connection.execute(sql, values)
        for sql in guards.values():
            connection.execute(sql)


def entries(path: Path) -> list[tuple[int, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT number, body, hash FROM entries").fetchall()


def leaves(value, at=()):
    """Paths to every number and text of a document."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*at, key))
    else:
        yield at


def changed(value):
    if isinstance(value, float):
        return value + 1e-12 if value + 1e-12 != value else value * 2
    return (
        value + 1 if isinstance(value, int) else f"{value[:-1]}{'0' if value[-1] != '0' else '1'}"
    )


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_change_of_any_single_field_is_found_and_named(tmp_path, whole, data):
    path = lay(tmp_path, whole)
    rows = entries(path)
    number, body, digest = data.draw(st.sampled_from(rows))
    document = json.loads(body)
    at = data.draw(st.sampled_from([("hash",), *leaves(document)]))
    if at == ("hash",):
        place = data.draw(st.integers(0, 63))
        other = data.draw(st.sampled_from([d for d in "0123456789abcdef" if d != digest[place]]))
        new = (body, digest[:place] + other + digest[place + 1 :])
    else:
        inner = document
        for key in at[:-1]:
            inner = inner[key]
        inner[at[-1]] = changed(inner[at[-1]])
        new = (json.dumps(document, sort_keys=True, separators=(",", ":")), digest)
    try:
        tamper(path, ("UPDATE entries SET body = ?, hash = ? WHERE number = ?", (*new, number)))
    except sqlite3.IntegrityError:
        return  # doubled: SQLite itself refuses
    problems = examine(tmp_path).problems
    assert any(problem.startswith(f"entry {number} ") for problem in problems), problems


def test_a_forged_hash_shows_at_the_next_entry(tmp_path, whole):
    path = lay(tmp_path, whole)
    rows = entries(path)
    number, body, _ = rows[5]
    document = json.loads(body) | {"ticker": "MSFT"}
    forged = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(f"{rows[4][2]}\n{number}\n{forged}".encode()).hexdigest()
    tamper(
        path, ("UPDATE entries SET body = ?, hash = ? WHERE number = ?", (forged, digest, number))
    )
    broken, unsaid = examine(tmp_path).problems
    assert broken.startswith("entry 7 ")
    assert "does not follow entry 6" in broken
    assert unsaid.endswith("does not say what it must: entry 5 issued no such step")


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("issue", {"steps": []}, "steps must be 1, 2"),
        ("issue", {"steps": None}, "steps: "),
        ("issue", {"last_close": -1.0}, "the last close must be a positive number"),
        ("issue", {"run": 5}, "run: "),
        ("issue", {"origin": "2016-01-04"}, "sessions must follow 2016-01-04"),
        ("issue", {"issued_at": "2012-01-06T23:00Z"}, "not as the ledger writes issued_at"),
        ("issue", {"issued_at": f"2012-01-10T{EXACT}+00:00"}, "issued at 2012-01-10T"),
        ("issue", {"issued_at": f"0001-01-01T{EXACT}+12:00"}, "date value out of range"),
        ("foo", {}, "kind 'foo' is none"),
        ("correction", {"outcome": "x"}, "outcome: "),
        ("correction", {"outcome": None}, "outcome: "),
        ("correction", {"outcome": 12345.5}, "outcome: "),
        ("correction", {"settled_at": "2012-01-06"}, "settled_at: "),
        ("correction", {"settled_at": f"2012-01-08T{EXACT}+00:00"}, "of 2012-01-09 nothing was"),
        ("correction", {"reason": "x"}, "such an entry holds no reason"),
        ("settlement", {"step": 7}, "entry 1 issued no such step"),
        ("settlement", {"issue": 2, "step": 1}, "entry 2 issued no such step"),
        ("settlement", {"issue": 99}, "entry 99 comes later"),
        ("void", {"step": 7}, "reason: "),
        ("void", {"step": 7, "reason": "x"}, "such an entry holds no outcome"),
    ],
)
def test_an_entry_in_the_chain_that_does_not_say_what_it_must_is_named(
    tmp_path, whole, kind, change, told
):
    path = lay(tmp_path, whole)
    before = examine(tmp_path).record
    kinds = {"issue": 0, "foo": 0}
    like = json.loads(entries(path)[kinds.get(kind, 1)][1])
    document = {**like, "kind": kind, **({"ticker": "MSFT"} if kind == "issue" else {}), **change}
    # Beyond what a float holds; JSON has a text for it.
    number = chain(path, json.dumps(document).replace("12345.5", "1e999"))
    examined = examine(tmp_path)
    named = [one for one in examined.problems if one.startswith(f"entry {number} ({kind} of ")]
    assert [f"does not say what it must: {told}" in one for one in named] == [True], named
    pd.testing.assert_frame_equal(examined.record, before)
    write_record(tmp_path / "rest.csv", examined.record)


@pytest.mark.parametrize("text", ['{"kind":"issue",', "{ "])
def test_an_entry_in_another_text_is_named(tmp_path, whole, text):
    """A name that is there twice, or a space: it reads the same."""
    path = lay(tmp_path, whole)
    document = {**json.loads(entries(path)[0][1]), "ticker": "MSFT"}
    number = chain(path, canonical(document).replace("{", text, 1))
    (problem,) = examine(tmp_path).problems
    assert problem == (
        f"entry {number} (issue of MSFT, origin 2012-01-06) does not say what it must: not in the "
        "ledger's one way of writing"
    )


@pytest.mark.parametrize(
    ("kind", "rest", "named"),
    [
        # Too deep for one parser, which one depends on Python's version.
        ('"issue"', f',"x":{"[" * 995}{"]" * 995}', "no readable entry|issue of MSFT"),
        (r'"\ud800"', "", r"\\ud800 of MSFT"),
        (r'"\u001b[31m"', "", r"\\x1b\[31m of MSFT"),
    ],
)
def test_an_entry_that_no_program_can_read_is_named_in_words_that_print(
    tmp_path, whole, kind, rest, named
):
    path = lay(tmp_path, whole)
    body = f'{{"kind":{kind},"ticker":"MSFT","origin":"2012-01-06"{rest}}}'
    number = chain(path, body)
    (problem,) = examine(tmp_path).problems
    assert re.match(
        rf"entry {number} \(({named})(, origin 2012-01-06)?\) does not say what it must: \w",
        problem,
    )
    assert problem.encode().isascii() and problem.isprintable()


def test_removed_reordered_and_inserted_entries_are_found(tmp_path, whole):
    path = lay(tmp_path, whole)
    tamper(path, ("DELETE FROM entries WHERE number = 4", ()))
    assert "entry 4: not there, entry 5 comes next" in examine(tmp_path).problems

    path = lay(tmp_path, whole)
    last = len(entries(path))
    closed_up = [
        ("UPDATE entries SET number = ? WHERE number = ?", (number - 1, number))
        for number in range(5, last + 1)
    ]
    tamper(path, ("DELETE FROM entries WHERE number = 4", ()), *closed_up)
    assert examine(tmp_path).problems[1].startswith("entry 4 ")

    path = lay(tmp_path, whole)
    swap = "UPDATE entries SET number = ? WHERE number = ?"
    tamper(path, (swap, (-1, 4)), (swap, (4, 5)), (swap, (5, -1)))
    assert any(problem.startswith("entry 4 ") for problem in examine(tmp_path).problems)

    path = lay(tmp_path, whole)
    body = json.loads(entries(path)[0][1]) | {"ticker": "MSFT"}
    moved = [(swap, (number + 1, number)) for number in range(last, 3, -1)]
    add = "INSERT INTO entries (number, body, hash) VALUES (4, ?, 'f')"
    tamper(path, *moved, (add, (json.dumps(body),)))
    assert any(
        problem.startswith("entry 4 (issue of MSFT") for problem in examine(tmp_path).problems
    )


def test_a_cut_off_end_is_found_and_nothing_more_is_recorded(tmp_path, whole):
    path = lay(tmp_path, whole)
    last = len(entries(path))
    tamper(path, ("DELETE FROM entries WHERE number > ?", (last - 2,)))
    (problem,) = examine(tmp_path).problems
    assert f"holds {last - 2} entries, ledger.head was written after entry {last}" in problem
    with pytest.raises(ArtifactError, match="end is cut off"), open_ledger(tmp_path):
        pass
    # As many entries, but another last one: the head is of another record.
    path = lay(tmp_path, whole)
    tamper(path, ("UPDATE entries SET hash = 'f' WHERE number = ?", (last,)))
    assert any(f"entry {last} is not the one" in one for one in examine(tmp_path).problems)


def test_a_missing_or_damaged_head_or_database_is_found(tmp_path, whole):
    path = lay(tmp_path, whole)
    head = path.with_name("ledger.head")
    head.unlink()
    assert "ledger.head is missing" in examine(tmp_path).problems[0]
    with pytest.raises(ArtifactError, match="is missing"), open_ledger(tmp_path):
        pass
    head.write_text('{"entries": 3')
    assert "ledger.head must name the number of entries" in examine(tmp_path).problems[0]
    with pytest.raises(ArtifactError, match="must name the number"), open_ledger(tmp_path):
        pass
    lay(tmp_path, whole)
    path.unlink()
    assert "the end is cut off: ledger.sqlite holds 0 entries" in examine(tmp_path).problems[0]
    with pytest.raises(ArtifactError, match="file is missing"), open_ledger(tmp_path):
        pass
    assert not path.exists()
    path.touch()
    with pytest.raises(ArtifactError, match="end is cut off"), open_ledger(tmp_path):
        pass


def test_the_head_may_lag_behind_after_a_crash_between_the_two_writes(tmp_path, whole):
    path = lay(tmp_path, whole)
    number, _, digest = entries(path)[-3]
    head = path.with_name("ledger.head")
    head.write_text(json.dumps({"entries": number, "hash": digest}))
    assert examine(tmp_path).problems == []
    with open_ledger(tmp_path) as ledger:
        fill(ledger, BARS, [11])
        assert ledger.verify() == []
    assert json.loads(head.read_text())["entries"] == len(entries(path))


def test_the_database_itself_refuses_changes(tmp_path, whole):
    path = lay(tmp_path, whole)
    number, body, digest = entries(path)[-1]
    into = "INTO entries (number, body, hash) VALUES"
    with closing(sqlite3.connect(path)) as connection:
        for sql, values in (
            ("UPDATE entries SET hash = 'f' WHERE number = 1", ()),
            ("DELETE FROM entries WHERE number = 1", ()),
            ("DELETE FROM entries", ()),
            (
                f"INSERT OR REPLACE {into} (?, ?, 'f')",
                (number, body),
            ),
            (
                f"INSERT {into} (?, ?, ?)",
                (number + 2, body, digest),
            ),
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(sql, values)


@pytest.mark.parametrize("name", [*TRIGGERS, "issued_once", "settled_once", "of_ticker"])
def test_a_removed_guard_is_found(tmp_path, whole, name):
    path = lay(tmp_path, whole)
    with closing(sqlite3.connect(path)) as connection, connection:
        kind = "TRIGGER" if name in TRIGGERS else "INDEX"
        connection.execute(f"DROP {kind} {name}")
    (problem,) = examine(tmp_path).problems
    assert repr(name) in problem and "removed" in problem


def test_a_weakened_guard_and_a_foreign_table_are_found(tmp_path, whole):
    path = lay(tmp_path, whole)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER no_delete")
        connection.execute("CREATE TRIGGER no_delete BEFORE DELETE ON entries BEGIN SELECT 1; END")
        connection.execute("CREATE TABLE mine (x)")
    problems = examine(tmp_path).problems
    assert len(problems) == 2
    assert any("'no_delete'" in one and "was changed" in one for one in problems)
    assert any("'mine' does not belong" in one for one in problems)
