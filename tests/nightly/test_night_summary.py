"""The page and summary of a session hold what all its runs did."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from homes import Home
from made_challengers import BETTER, RUN, Killed, work_of

from forecast.nightly import commit as commits
from forecast.nightly import engines, steps, summary

NOW = "2012-07-03"


@pytest.fixture
def one(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """One ticker, whose trainings are this process's."""
    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(engines.work, jobs))
    home.tickers, home.nightly = ("ACME",), {"retrain": "nightly"}
    return home


def told(home: Home) -> dict[str, Any]:
    folder = home.folder / "reports" / "nightly" / NOW
    (entry,) = json.loads((folder / "summary.json").read_bytes())["tickers"]
    assert "No forecast was recorded" not in (folder / "index.html").read_text()
    return entry


def late(home: Home) -> dict[str, Any]:
    home.nightly = {"retrain": "nightly", "deadline": 1e-9}
    (entry,) = home.night(NOW).document["tickers"]
    assert (entry["status"], entry["issued"], entry["settled"]) == ("late", True, 1)
    home.nightly = {"retrain": "nightly"}
    return entry


def done(home: Home) -> None:
    (entry,) = home.night(NOW).document["tickers"]
    assert (entry["status"], entry["trained"]) == ("done", True)
    assert (entry["issued"], entry["settled"]) == (False, 0)


def whole(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("status", "trained", "issued", "settled", "unissued"))


WHOLE = ("done", True, True, 1, None)


def test_a_later_run_adds_its_training_to_the_forecast_of_an_earlier_one(one):
    first = late(one)
    done(one)
    entry = told(one)
    assert whole(entry) == WHOLE
    assert entry["forecast"] == first["forecast"]
    assert entry["reason"].startswith(("Promoted: ", "Not promoted: "))
    assert entry["seconds"] > first["seconds"]


def test_a_later_failure_is_told_and_takes_nothing_away(one):
    first = late(one)
    (one.csv / "ACME.csv").unlink()
    for _ in range(2):
        assert one.night(NOW).exit_code == 1
    entry = told(one)
    assert whole(entry) == ("failed", False, True, 1, None)
    assert (entry["session"], entry["error"]["type"]) == (NOW, "UnknownTicker")
    one.write()
    done(one)
    assert (whole(told(one)), told(one)["error"]) == (WHOLE, None)
    (one.csv / "ACME.csv").unlink()
    for _ in range(2):
        assert one.night(NOW).exit_code == 1
    entry = told(one)
    assert (whole(entry), entry["error"]) == (WHOLE, None)
    (notice,) = entry["notices"]
    assert notice.startswith("a later run failed: UnknownTicker: ACME: ")
    assert entry["forecast"] == first["forecast"]
    one.write()
    assert one.night(NOW).document["tickers"][0]["status"] == "nothing"
    assert whole(told(one)) == WHOLE


def test_what_a_killed_run_could_not_write_is_added_once(one):
    late(one)

    killed_at(one, summary, "write")
    assert told(one)["status"] == "late"
    for _ in range(2):
        assert one.night(NOW).document["tickers"][0]["status"] == "nothing"
    assert whole(told(one)) == WHOLE


def killed_at(home: Home, where: Any, step: str, **options: Any) -> None:
    """A night that is killed when it comes to a step."""

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, step, kill)
        with pytest.raises(Killed):
            home.night(NOW, **options)


@pytest.mark.parametrize(
    ("where", "step"),
    [(steps, "ready_of"), (commits, "_issue"), (steps, "mark_done"), (summary, "write")],
)
def test_what_a_killed_run_recorded_is_told_by_the_next(one, where, step):
    killed_at(one, where, step)
    killed_at(one, summary, "write")
    one.night(NOW)
    assert whole(told(one)) == WHOLE
    assert told(one)["forecast"]["origin"] == NOW


def test_a_forecast_by_another_champion_than_the_one_on_record_is_not_told_as_recorded(
    one, monkeypatch
):
    killed_at(one, steps, "mark_done")
    read = json.loads((one.folder / "data/nightly/state/ACME.json").read_bytes())
    assert read["pending"]["promote"] is False
    one.others = {"units": [5]}
    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(work_of(one, BETTER), jobs))
    one.night(NOW)
    entry = told(one)
    assert (entry["promoted"], entry["champion"]) == (True, RUN)
    assert (entry["issued"], entry["unissued"], entry["forecast"]) == (True, None, None)


def test_a_later_runs_promotion_is_told_though_the_run_was_killed(one, monkeypatch):
    one.night(NOW)
    assert told(one)["promoted"] is False
    with monkeypatch.context() as patch:
        patch.setattr(engines, "pool", lambda jobs, **_: map(work_of(one, BETTER), jobs))
        killed_at(one, summary, "write", force=True)
    for _ in range(2):
        assert one.night(NOW).document["tickers"][0]["status"] == "nothing"
        entry = told(one)
        assert (entry["promoted"], entry["run"], entry["champion"]) == (True, RUN, RUN)
        assert whole(entry) == WHOLE


def test_a_later_run_that_was_late_is_told(one):
    one.night(NOW)
    one.others, one.nightly = {"units": [5]}, {"retrain": "nightly", "deadline": 1e-9}
    assert one.night(NOW).exit_code == 1
    (notice,) = told(one)["notices"]
    assert notice.startswith("a later run was late: the deadline passed before it could be trained")


def test_a_stopped_night_is_told_as_that_until_a_run_finds_all_done(one, monkeypatch):
    def stop(jobs: Any, **_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return iter(())

    def stopped() -> bool:
        folder = one.folder / "reports" / "nightly" / NOW
        return bool(json.loads((folder / "summary.json").read_bytes())["stopped"])

    with monkeypatch.context() as patch:
        patch.setattr(engines, "pool", stop)
        assert one.night(NOW).exit_code == 143
    assert stopped()
    assert (told(one)["status"], told(one)["settled"]) == ("nothing", 1)
    one.night(NOW)
    assert not stopped()
    assert whole(told(one)) == WHOLE


def test_another_session_begins_anew():
    before = summary._entry("ACME", "2012-07-02", "done", settled=1, issued=True)
    after = summary._entry("ACME", NOW, "done", settled=2)
    assert summary._added(before, after) == after
