from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing import get_context

import pytest

from forecast.errors import ArtifactError
from forecast.registry import (
    before_champion,
    champion,
    history,
    load_run,
    promote,
    promote_each,
    rollback,
)

NIGHT = datetime(2026, 11, 20, 18, 30, tzinfo=timezone(timedelta(hours=-5)))


@pytest.fixture
def three(tmp_path, save):
    for number, run in enumerate(("one", "two", "three")):
        save(run)
        promote(tmp_path, "AAPL", run, reason="better", now=NIGHT + timedelta(days=number))
    return tmp_path


def test_the_file_holds_champion_and_history(three):
    assert json.loads((three / "models/AAPL/champion.json").read_text()) == {
        "run": "three",
        "history": [
            {"run": "one", "at": "2026-11-20T23:30:00Z", "reason": "better"},
            {"run": "two", "at": "2026-11-21T23:30:00Z", "reason": "better"},
            {"run": "three", "at": "2026-11-22T23:30:00Z", "reason": "better"},
        ],
    }
    assert champion(three, "AAPL") == "three"
    assert before_champion(three, "AAPL") == ["two", "one"]


def test_none_without_a_champion(tmp_path):
    assert champion(tmp_path, "AAPL") is None
    assert history(tmp_path, "AAPL") == []
    assert before_champion(tmp_path, "AAPL") == []
    with pytest.raises(ArtifactError, match="must be a champion to go back from"):
        rollback(tmp_path, "AAPL")
    assert not (tmp_path / "models").exists()


def test_the_champion_again_changes_nothing(three):
    before = (three / "models/AAPL/champion.json").read_bytes()
    promote(three, "AAPL", "three", reason="again")
    assert (three / "models/AAPL/champion.json").read_bytes() == before


def test_rollbacks_go_back_one_by_one_and_are_recorded(three):
    assert rollback(three, "AAPL", now=NIGHT) == "two"
    assert rollback(three, "AAPL") == "one"
    with pytest.raises(ArtifactError, match=r"earlier champion than one .* It is the first"):
        rollback(three, "AAPL")
    first, second = history(three, "AAPL")[-2:]
    assert (first.run, first.at, first.back) == ("two", "2026-11-20T23:30:00Z", True)
    assert first.reason == "rolled back by hand, from three"
    assert second.reason == "rolled back by hand, from two"
    # What was taken back is no earlier champion of what is promoted next.
    promote(three, "AAPL", "three", reason="after all")
    assert before_champion(three, "AAPL") == ["one"]
    assert rollback(three, "AAPL") == "one"


def test_a_rollback_passes_over_what_is_damaged(three, damage):
    damage(three / "models/AAPL/two/network.keras")
    assert rollback(three, "AAPL", reason="the champion is damaged") == "one"
    reason = history(three, "AAPL")[-1].reason
    assert "the champion is damaged, from three; two was passed over: " in reason
    assert "network.keras must be as it was saved" in reason


def test_a_rollback_to_nothing_that_loads_leaves_the_champion(three, damage):
    before = (three / "models/AAPL/champion.json").read_bytes()
    for run in ("one", "two"):
        damage(three / "models/AAPL" / run / "network.keras")
    with pytest.raises(ArtifactError, match=r"; two was passed over: .*; one was passed over"):
        rollback(three, "AAPL")
    assert (three / "models/AAPL/champion.json").read_bytes() == before


def test_only_a_whole_run_that_knows_the_ticker_is_promoted(three, save, damage):
    damage(save("four") / "inputs.json")
    save("others", "IBM", "MSFT")
    for run, says in [
        ("four", r"inputs\.json must be as it was saved"),
        ("others", "must have been trained on AAPL. It knows IBM, MSFT"),
        ("five", "must be a run 'five'"),
    ]:
        with pytest.raises(ArtifactError, match=says):
            promote(three, "AAPL", run, reason="x")
    assert champion(three, "AAPL") == "three"


def test_of_a_run_over_many_tickers_their_number_is_told(tmp_path, save):
    save("many", *(f"T{number}" for number in range(21)))
    saved = load_run(tmp_path, "T0", "many")
    assert saved.entry("T20") == saved.inputs["T20"]
    with pytest.raises(ArtifactError, match=r"It knows 21 others\.") as caught:
        saved.entry("AAPL")
    assert caught.value.hint == "forecast models AAPL, or forecast train AAPL"


def test_a_file_without_history_is_still_read(tmp_path, save):
    save("old")
    save("new")
    path = tmp_path / "models/AAPL/champion.json"
    path.write_text('{"run": "old"}')
    assert champion(tmp_path, "AAPL") == "old"
    promote(tmp_path, "AAPL", "new", reason="better")
    assert [(one.run, one.at is None) for one in history(tmp_path, "AAPL")] == [
        ("old", True),
        ("new", False),
    ]
    assert rollback(tmp_path, "AAPL") == "old"


@pytest.mark.parametrize(
    "content",
    [
        '{"run": "th',
        "[]",
        '{"run": 3}',
        '{"run": "three", "history": [{"run": "two", "at": null, "reason": ""}]}',
        '{"run": "three", "history": [{"name": "three"}]}',
        '{"run": "three", "history": [3]}',
        '{"run": "three", "history": 3}',
    ],
)
def test_a_damaged_file_is_named_and_promote_is_the_way_out(content, three):
    path = three / "models/AAPL/champion.json"
    path.write_text(content)
    for act in (champion, rollback):
        with pytest.raises(ArtifactError, match=r"champion\.json must .*forecast promote AAPL RUN"):
            act(three, "AAPL")
    promote(three, "AAPL", "two", reason="by hand", now=NIGHT)
    (change,) = history(three, "AAPL")
    assert change.run == "two"
    assert change.reason == "by hand (the record of earlier champions was damaged)"


def _promote(home, run):
    promote(home, "AAPL", run, reason="race")


def test_no_change_is_lost_when_two_processes_promote(tmp_path, save):
    runs = [f"run{number}" for number in range(8)]
    for run in runs:
        save(run)
    # Not forked: this process may have threads by now.
    processes = [
        get_context("spawn").Process(target=_promote, args=(tmp_path, run)) for run in runs[:3]
    ]
    for process in processes:
        process.start()
    for run in runs[3:]:
        _promote(tmp_path, run)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(change.run for change in history(tmp_path, "AAPL")) == runs
    assert datetime.fromisoformat(history(tmp_path, "AAPL")[0].at).tzinfo == UTC


def test_one_run_becomes_the_champion_of_several(tmp_path, save):
    save("both", "AAPL", "IBM")
    promote_each(tmp_path, ["AAPL", "IBM"], "both", reason="trained by hand")
    assert [champion(tmp_path, ticker) for ticker in ("AAPL", "IBM")] == ["both", "both"]
    # All or none: the one that it does not know is found before anything is changed.
    save("other", "AAPL", "MSFT")
    with pytest.raises(ArtifactError, match=r"on IBM\. It knows AAPL, MSFT"):
        promote_each(tmp_path, ["AAPL", "IBM"], "other", reason="trained by hand")
    assert champion(tmp_path, "AAPL") == "both"
