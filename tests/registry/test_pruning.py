from __future__ import annotations

import os
import time

import pytest

from forecast.errors import ArtifactError
from forecast.registry import TOGETHER, promote, prune, rollback, runs_of, tickers_of

RUNS = [f"2026110{day}T233000Z-00ff" for day in range(1, 8)]


@pytest.fixture
def week(tmp_path, save):
    for run in RUNS:
        save(run)
        report = tmp_path / "reports/AAPL" / run
        report.mkdir(parents=True)
        (report / "index.html").write_text(run)
    return tmp_path


def names(home, kind="models", owner="AAPL"):
    return sorted(path.name for path in (home / kind / owner).iterdir() if path.is_dir())


def test_the_oldest_go_with_their_reports(week):
    assert prune(week, "AAPL", keep=3, protected=()) == RUNS[:4]
    assert names(week) == names(week, "reports") == RUNS[4:]
    assert prune(week, "AAPL", keep=3, protected=()) == []
    assert prune(week, "AAPL", keep=0, protected=()) == RUNS[4:]


def test_what_serves_or_may_serve_again_stays(week):
    for run in (RUNS[0], RUNS[1], RUNS[2]):
        promote(week, "AAPL", run, reason="better")
    # The champion, the one a rollback comes to, and one in the ledger; the three are not counted.
    assert prune(week, "AAPL", keep=1, protected={RUNS[3]}) == [RUNS[0], RUNS[4], RUNS[5]]
    assert names(week) == [RUNS[1], RUNS[2], RUNS[3], RUNS[6]]
    assert rollback(week, "AAPL") == RUNS[1]


def test_runs_over_several_tickers_serve_each(tmp_path, save):
    for run in RUNS[:4]:
        save(run, "AAPL", "IBM")
    promote(tmp_path, "AAPL", RUNS[0], reason="better")
    promote(tmp_path, "IBM", RUNS[1], reason="better")
    assert prune(tmp_path, TOGETHER, keep=0, protected=()) == RUNS[2:4]
    assert names(tmp_path, owner=TOGETHER) == RUNS[:2]


def test_nothing_goes_while_the_champion_is_not_known(week):
    (week / "models/AAPL/champion.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"champion\.json"):
        prune(week, "AAPL", keep=0, protected=())
    assert names(week) == RUNS


def test_left_overs_of_a_crash_are_swept_and_running_ones_are_not(week):
    folder = week / "models/AAPL"
    old, new, removed = f".{RUNS[0]}.0123abcd", f".{RUNS[1]}.0123abcd", f".removed-{RUNS[2]}.99"
    for name in (old, new, removed, ".kept"):
        (folder / name).mkdir()
        (folder / name / "network.keras").write_bytes(b"half")
    (folder / ".champion.json.89abcdef").write_text("{")
    past = time.time() - 2 * 3600
    for name in (old, ".kept", ".champion.json.89abcdef"):
        os.utime(folder / name, (past, past))
    assert [one.run for one in runs_of(week, "AAPL")] == RUNS
    assert prune(week, "AAPL", keep=9, protected=()) == []
    assert {path.name for path in folder.glob(".*")} == {new, ".kept"}


def test_the_list_of_runs_names_what_is_damaged(week, save, damage):
    damage(week / "models/AAPL" / RUNS[1] / "network.keras")
    (week / "models/AAPL" / RUNS[2] / "manifest.json").unlink()
    save("both", "AAPL", "IBM")
    save("others", "IBM", "MSFT")
    promote(week, "AAPL", RUNS[3], reason="better")
    listed = {one.run: one for one in runs_of(week, "AAPL")}
    assert list(listed) == [*RUNS, "both"]
    assert [run for run, one in listed.items() if one.damaged] == RUNS[1:3]
    assert "network.keras must be as it was saved" in listed[RUNS[1]].damaged
    assert "manifest.json must be readable" in listed[RUNS[2]].damaged
    assert [run for run, one in listed.items() if one.champion] == [RUNS[3]]
    assert [run for run, one in listed.items() if one.together] == ["both"]
    one = listed[RUNS[0]]
    assert (one.network, one.target, one.horizon, one.last) == ("lstm", "return", 1, "2026-11-20")
    assert (one.snapshot, one.verdict["uncertainty"]) == (f"s-{RUNS[0]}", "beats")
    assert one.scores == {"model": "lstm", "step": 1, "pinball": 0.004, "skill_pinball": 0.01}
    assert f"{one.made:%Y-%m-%d %H:%M %Z}" == "2026-11-01 23:30 UTC"
    assert one.bytes == sum(path.stat().st_size for path in one.folder.iterdir())
    assert listed["both"].made is None
    assert tickers_of(week) == ["AAPL"]


def test_runs_are_listed_without_a_readable_champion(week):
    (week / "models/AAPL/champion.json").write_text("{")
    assert [one.run for one in runs_of(week, "AAPL") if not one.champion] == RUNS
