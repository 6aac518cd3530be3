from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from forecast.scheduling.health import health

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def beat(home, stage, *, hours):
    path = home / "data" / "nightly" / "heartbeat.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"at": (NOW - timedelta(hours=hours)).isoformat(), "stage": stage}))
    return path


@pytest.mark.parametrize(
    ("stage", "hours", "wrong"),
    [
        ("ended", 1, None),
        ("ended", 25.9, None),
        ("stopped", 25.9, None),
        ("ended", 26.1, "none for 26 hours"),
        ("working", 0.4, None),
        ("working", 0.6, "stands still"),
    ],
)
def test_a_night_must_show_itself(tmp_path, stage, hours, wrong):
    beat(tmp_path, stage, hours=hours)
    found = health(tmp_path, now=NOW)
    assert found.told == f"{stage}, {hours:.1f} hours ago"
    assert found.wrong is None if wrong is None else wrong in found.wrong


def test_a_heartbeat_that_cannot_be_read(tmp_path):
    assert health(tmp_path, now=NOW).wrong == "there was none yet"
    path = beat(tmp_path, "ended", hours=1)
    for text in ("{", "[]", '{"at": "2026-11-21T12:00:00", "stage": "ended"}'):
        path.write_text(text)
        assert "cannot be read" in health(tmp_path, now=NOW).wrong


def test_tickers_that_failed_are_told_and_make_no_container_unhealthy(tmp_path):
    path = beat(tmp_path, "ended", hours=1)
    path.write_text(json.dumps({**json.loads(path.read_text()), "failed": 1}))
    found = health(tmp_path, now=NOW)
    assert (found.told, found.wrong, found.failed) == (
        "ended, 1.0 hours ago; 1 ticker failed",
        None,
        1,
    )


def test_the_exit_code_is_what_a_container_asks_for(tmp_path):
    command = [sys.executable, "-m", "forecast.scheduling.health", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    path = beat(tmp_path, "ended", hours=0)
    path.write_text(json.dumps({"at": datetime.now(UTC).isoformat(), "stage": "ended"}))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_heartbeat_of_a_clock_that_ran_ahead_vouches_for_nothing(tmp_path):
    beat(tmp_path, "ended", hours=-0.4)
    assert health(tmp_path, now=NOW).wrong is None
    beat(tmp_path, "ended", hours=-30)
    found = health(tmp_path, now=NOW)
    assert found.told == "ended, 30.0 hours ahead of the clock"
    assert "in the future" in found.wrong
