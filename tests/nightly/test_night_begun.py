"""What a kill leaves half done is made good, and what somebody did since stays."""

from __future__ import annotations

import shutil

import pytest
from homes import Home
from made_challengers import BETTER, RUN, Killed, files_of, issued, work_of

from forecast.errors import ForecastError
from forecast.nightly import commit as commits
from forecast.nightly import engines, steps
from forecast.nightly.commit import Pending
from forecast.nightly.state import read_state
from forecast.registry import champion, history, promote, rollback, runs_of

NOW = "2012-07-03"


@pytest.mark.parametrize("step", ["saved", "named", "promoted", "issued"])
def test_killed_after_any_step_the_next_run_ends_what_was_begun(home, monkeypatch, step):
    home.tickers = ("ACME",)
    before = champion(home.folder, "ACME")
    work = work_of(home, BETTER)

    def kill(*_, **__):
        raise Killed

    def trained(jobs, **_):
        yield from map(work, jobs)

    with monkeypatch.context() as patch:
        # Where the challenger is due the pool would train one.
        home.nightly = {"retrain": "nightly"}
        patch.setattr(engines, "pool", trained)
        if step == "saved":
            patch.setattr(commits, "write_state", kill)
        elif step == "named":
            patch.setattr(commits, "promote", kill)
        elif step == "promoted":
            patch.setattr(commits, "_issue", kill)
        else:
            patch.setattr(steps, "mark_done", kill)
        with pytest.raises(Killed):
            home.night(NOW)

    assert champion(home.folder, "ACME") == (RUN if step in ("promoted", "issued") else before)
    assert len(issued(home)) == (2 if step == "issued" else 1)
    assert {one.damaged for one in runs_of(home.folder, "ACME")} == {None}

    if step == "saved":
        # Nobody knows of the run: it is trained anew, under another name.
        assert read_state(home.folder, "ACME").pending is None
        return
    pending = read_state(home.folder, "ACME").pending
    assert isinstance(pending, Pending)
    assert (pending.run, pending.promote) == (RUN, True)
    night = home.night(NOW)
    (entry,) = night.document["tickers"]
    assert (entry["status"], entry["run"], entry["promoted"]) == ("done", RUN, True)
    assert entry["reason"] == "Promoted: it is better."
    assert champion(home.folder, "ACME") == RUN
    assert [change.run for change in history(home.folder, "ACME")] == [before, RUN]
    assert issued(home) == [("07-02", before), ("07-03", RUN)]
    assert read_state(home.folder, "ACME").trained.session == NOW
    assert home.night(NOW).document["tickers"][0]["status"] == "nothing"


@pytest.mark.parametrize("fate", ["killed", "refused"])
def test_a_promotion_that_never_came_leaves_the_training_due(home, monkeypatch, fate):
    """The next run is another night's: the challenger of this one is no longer gone on with."""
    home.tickers, home.nightly = ("ACME",), {"retrain": "weekly"}
    # On the first session of a week; the next night is of the same.
    monday, tuesday = "2012-07-09", "2012-07-10"
    work = work_of(home, BETTER)

    def never(*_, **__):
        raise Killed if fate == "killed" else ForecastError("the disk is full")

    monkeypatch.setattr(engines, "pool", lambda jobs, **_: map(work, jobs))
    with monkeypatch.context() as patch:
        patch.setattr(commits, "promote", never)
        if fate == "killed":
            with pytest.raises(Killed):
                home.night(monday)
        else:
            assert home.night(monday).exit_code == 1
    assert read_state(home.folder, "ACME").pending is not None
    shutil.rmtree(home.folder / "models" / "ACME" / RUN)
    (entry,) = home.night(tuesday).document["tickers"]
    assert (entry["why"], entry["promoted"]) == (
        "first session of the week since the last training",
        True,
    )
    assert champion(home.folder, "ACME") == RUN
    assert read_state(home.folder, "ACME").trained.session == tuesday


def test_a_rollback_after_a_kill_is_not_undone_by_the_next_run(home, monkeypatch):
    home.tickers, home.nightly = ("ACME",), {"retrain": "nightly"}
    before = champion(home.folder, "ACME")
    work = work_of(home, BETTER)

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(engines, "pool", lambda jobs, **_: map(work, jobs))
        patch.setattr(commits, "_issue", kill)
        with pytest.raises(Killed):
            home.night(NOW)
    assert rollback(home.folder, "ACME") == before
    (entry,) = home.night(NOW).document["tickers"]
    assert (entry["status"], entry["promoted"], entry["champion"]) == ("done", False, before)
    assert entry["reason"].endswith(f"Since then the champion was changed to {before}.")
    assert champion(home.folder, "ACME") == before
    assert issued(home)[-1] == ("07-03", before)


@pytest.fixture
def judged(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A night that was done, then forced, and killed before a challenger could be promoted."""
    home.tickers = ("ACME",)
    home.night(NOW)

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(engines, "pool", lambda jobs, **_: map(work_of(home, BETTER), jobs))
        patch.setattr(commits, "promote", kill)
        with pytest.raises(Killed):
            home.night(NOW, force=True)
    return home


def test_a_night_that_was_done_and_begun_again_is_not_done(judged):
    (entry,) = judged.night(NOW).document["tickers"]
    assert (entry["status"], entry["run"], entry["promoted"]) == ("done", RUN, True)
    assert champion(judged.folder, "ACME") == RUN
    assert judged.night(NOW).document["tickers"][0]["status"] == "nothing"


def test_a_challenger_that_was_damaged_since_costs_no_forecast(judged):
    before = champion(judged.folder, "ACME")
    network = judged.folder / "models" / "ACME" / RUN / "network.keras"
    network.chmod(0o644)
    network.write_bytes(network.read_bytes()[:-1])
    (entry,) = judged.night(NOW).document["tickers"]
    assert (entry["status"], entry["champion"], entry["trained"]) == ("done", before, False)
    (notice,) = entry["notices"]
    assert "it is damaged. It was to become champion and is given up." in notice
    assert read_state(judged.folder, "ACME").pending is None


def test_a_challenger_replaces_only_the_champion_it_was_judged_against(judged):
    other = "20120703T120000Z-cafe"
    files_of(judged, other).save(judged.folder, "ACME")
    promote(judged.folder, "ACME", other, reason="by hand")
    (entry,) = judged.night(NOW).document["tickers"]
    assert (entry["status"], entry["promoted"], entry["champion"]) == ("done", False, other)
    assert entry["reason"].endswith(f"Since then the champion was changed to {other}.")
    assert champion(judged.folder, "ACME") == other
