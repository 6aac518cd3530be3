from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from forecast.cli import cli
from forecast.cli.options import Shared
from forecast.errors import ArtifactError, UnknownTicker
from forecast.pipeline import models as verbs
from forecast.registry import champion, promote

FIRST, SECOND, THIRD = (f"202611{day}T233000Z-00ff" for day in (18, 19, 20))


@pytest.fixture
def home(tmp_path, save, damage):
    for run in (FIRST, SECOND, THIRD):
        save(run)
    damage(tmp_path / "models/AAPL" / THIRD / "network.keras")
    promote(
        tmp_path, "AAPL", FIRST, reason="Promoted: not worse", now=datetime(2026, 11, 18, 23, 40)
    )
    return tmp_path


def run(home, *arguments):
    result = CliRunner().invoke(cli, [*arguments, f"--home={home}"], obj=Shared())
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_the_table_shows_runs_champion_and_damage(home):
    lines = run(home, "models").splitlines()
    assert lines[0] == (
        f"AAPL: champion {FIRST} since 2026-11-18 23:40:00 UTC: Promoted: not worse"
    )
    assert lines[2].split() == [
        *("run", "network", "age", "size", "pinball", "skill", "in", "80", "%", "price", "spread"),
        *("bars", "to", "snapshot"),
    ]
    assert lines[3].split()[:3] == ["*", FIRST, "lstm"]
    assert lines[3].split()[-7:] == [
        *("0.004000", "+1.00%", "–", "ties", "beats", "2026-11-20", f"s-{FIRST}")
    ]
    assert lines[4].split()[0] == SECOND
    assert lines[5].startswith(f"! {THIRD} is damaged:")
    assert f"{THIRD}/network.keras must be as" in " ".join(line.strip() for line in lines[5:])


def test_json_holds_the_same(home):
    (entry,) = json.loads(run(home, "models", "AAPL", "--json"))["tickers"]
    assert (entry["ticker"], entry["champion"], entry["error"]) == ("AAPL", FIRST, None)
    assert [change["run"] for change in entry["history"]] == [FIRST]
    runs = {one["run"]: one for one in entry["runs"]}
    assert list(runs) == [FIRST, SECOND, THIRD]
    assert runs[FIRST]["champion"] and not runs[SECOND]["champion"]
    assert runs[FIRST]["made"] == "2026-11-18T23:30:00Z"
    assert runs[FIRST]["folder"] == f"models/AAPL/{FIRST}"
    assert runs[THIRD]["damaged"] and not runs[FIRST]["damaged"]
    assert runs[FIRST]["verdict"]["uncertainty"] == "beats"


def test_the_age_is_counted_from_the_name(home):
    now = datetime(2026, 11, 21, 11, 30, tzinfo=UTC)
    (entry,) = verbs.models(["aapl"], home=home, now=now)
    assert [one["age_days"] for one in entry["runs"]] == [2.5, 1.5, 0.5]


def test_promote_and_rollback_say_what_changed(home):
    lines = run(home, "promote", "aapl", SECOND).splitlines()
    assert lines[0] == f"AAPL: {SECOND} is the champion now; before, {FIRST}."
    assert lines[1].endswith("Z: promoted by hand")
    assert run(home, "promote", "AAPL", SECOND) == f"AAPL: {SECOND} is the champion already.\n"
    document = json.loads(run(home, "rollback", "AAPL", "--json"))
    assert (document["run"], document["before"], document["changed"]) == (FIRST, SECOND, True)
    assert document["reason"] == f"rolled back by hand, from {SECOND}"
    assert champion(home, "AAPL") == FIRST


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["promote", "AAPL", THIRD], ArtifactError),
        (["promote", "AAPL", "../AAPL/" + SECOND], ArtifactError),
        (["rollback", "AAPL"], ArtifactError),
        (["rollback", "IBM"], ArtifactError),
        (["models", "../AAPL"], UnknownTicker),
    ],
)
def test_what_cannot_be_done_changes_nothing(arguments, error, home):
    before = (home / "models/AAPL/champion.json").read_bytes()
    with pytest.raises(error):
        run(home, *arguments)
    assert (home / "models/AAPL/champion.json").read_bytes() == before


def test_nothing_trained_and_a_damaged_record_are_told(home, tmp_path):
    assert run(tmp_path / "empty", "models") == (
        "There is no trained network yet. Try: forecast train AAPL\n"
    )
    assert run(home, "models", "IBM") == "IBM: no champion.\n"
    (home / "models/AAPL/champion.json").write_text("{")
    text = run(home, "models")
    assert text.startswith("AAPL: ArtifactError:")
    assert "forecast promote AAPL RUN" in text
    assert FIRST in text
    assert f"{SECOND} is the champion now" in run(home, "promote", "AAPL", SECOND)
