"""The page and summary of a session hold what all its runs did."""

from __future__ import annotations

import json
from typing import Any

import pytest
from homes import Home

from forecast.nightly import engines, summary

NOW = "2012-07-03"


class _Killed(BaseException):
    """Nothing catches it."""


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


def test_what_a_killed_run_could_not_write_is_added_once(one, monkeypatch):
    late(one)

    def kill(*_):
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(summary, "write", kill)
        with pytest.raises(_Killed):
            one.night(NOW)
    assert told(one)["status"] == "late"
    for _ in range(2):
        assert one.night(NOW).document["tickers"][0]["status"] == "nothing"
    assert whole(told(one)) == WHOLE


def test_another_session_begins_anew():
    before = summary._entry("ACME", "2012-07-02", "done", settled=1, issued=True)
    after = summary._entry("ACME", NOW, "done", settled=2)
    assert summary._added(before, after) == after
