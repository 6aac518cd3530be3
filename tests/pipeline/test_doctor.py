"""The doctor in homes that are well, empty, damaged and full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from forecast.config import Settings
from forecast.errors import ConfigError
from forecast.ledger import open_ledger
from forecast.market.snapshots import Marks
from forecast.market.sources import SOURCES, sample
from forecast.market.store import Store
from forecast.nightly.night import run_night
from forecast.pipeline.doctor import FAIL, OK, WARN, Checkup, Finding, doctor, holdings, machine

NOBODY = "http://me:pa55@127.0.0.1:9"


def stored(home, ticker="AAPL", source="sample"):
    store = Store.open(home / "data")
    history = replace(sample.fetch("AAPL"), ticker=ticker, source=source, exchange="NMS")
    marks = Marks(asked_from=None, whole_at="2026-11-20T00:00:00Z", fingerprint=None)
    now = pd.Timestamp("2026-11-20", tz="UTC")
    manifest, _ = store.add(history, findings=[], change=None, parent=None, now=now, marks=marks)
    return store, manifest


def states(findings):
    return [(one.what, one.state) for one in findings]


@pytest.mark.parametrize(
    ("source", "asked"),
    [("yahoo", ""), ("sample", " --source sample"), ("csv", " --source csv:DIR")],
)
def test_what_helps_asks_the_source_that_the_damaged_bars_came_from(tmp_path, source, asked):
    store, manifest = stored(tmp_path, source=source)
    folder = tmp_path / "data" / "bars" / "AAPL"
    for name in (f"{manifest.snapshot}.parquet", f"{manifest.snapshot}.json", f"{source}.json"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(b"{")
        damaged, *_ = [one for one in holdings.bars(store, ["AAPL"], stale=5) if one.state == WARN]
        (folder / name).write_bytes(content)
        assert damaged.hint == f"forecast fetch AAPL{asked} --refresh", name


def test_a_flipped_bit_in_the_bars_is_found_and_named(tmp_path):
    store, manifest = stored(tmp_path)
    (whole,) = holdings.bars(store, ["AAPL"], stale=5)
    assert (whole.state, whole.detail) == (OK, "1 whole (1 snapshots): AAPL to 2013-03-01")
    path = tmp_path / "data" / "bars" / "AAPL" / f"{manifest.snapshot}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (damaged,) = holdings.bars(store, ["AAPL"], stale=5)
    assert damaged.state == WARN
    assert str(path) in damaged.detail


@pytest.mark.parametrize("source", ["yahoo", "csv"])
def test_bars_that_stay_behind_are_told_and_missing_ones_are_no_fault(tmp_path, source):
    store, _ = stored(tmp_path, source=source)
    (behind, none) = holdings.bars(store, ["AAPL", "IBM"], stale=5)
    assert (behind.state, none.state) == (WARN, OK)
    assert "the newest bar is of 2013-03-01" in behind.detail
    assert none.hint == "forecast fetch IBM"


def test_a_folder_that_cannot_be_read_is_one_tickers_finding(tmp_path):
    store, _ = stored(tmp_path)
    (tmp_path / "data" / "bars" / "LOOP").symlink_to("LOOP")
    (odd, whole) = holdings.bars(store, ["LOOP", "AAPL"], stale=5)
    assert (odd.state, whole.state) == (WARN, OK)
    assert "LOOP must be listable" in odd.detail


def test_a_store_that_cannot_be_opened_is_a_finding_among_the_others(tmp_path):
    told = doctor([], home=tmp_path, settings=Settings(store="nowhere://x", source="sample"))
    assert [one.state for one in told.findings if one.what == "bars"] == [FAIL]
    assert {"disk", "clock", "source"} <= {one.what for one in told.findings}
    assert not told.passed


def test_the_exchange_of_the_settings_tells_what_is_behind(tmp_path):
    store, _ = stored(tmp_path, source="yahoo")
    (behind,) = holdings.bars(store, ["AAPL"], stale=5, exchange="every_day")
    yesterday = pd.Timestamp.now("UTC") - pd.Timedelta(days=1, minutes=30)
    assert f"the newest session {yesterday:%Y-%m-%d}" in behind.detail


def test_a_champion_that_is_damaged_is_found(tmp_path):
    assert states(holdings.networks(tmp_path, [])) == [("networks", OK)]
    folder = tmp_path / "models" / "AAPL"
    folder.mkdir(parents=True)
    (folder / "champion.json").write_text("{")
    (one,) = holdings.networks(tmp_path, ["AAPL"])
    assert one.state == WARN
    assert "champion.json" in one.detail


def test_a_ledger_that_was_tampered_with_would_stop_a_night(tmp_path):
    assert states(holdings.record(tmp_path)) == [("ledger", OK)]
    with open_ledger(tmp_path):
        pass
    assert states(holdings.record(tmp_path)) == [("ledger", OK)]
    (path,) = (one for one in tmp_path.rglob("*.sqlite*") if one.suffix == ".sqlite")
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    assert {one.state for one in holdings.record(tmp_path)} == {FAIL}


def test_nights_without_tickers_timer_or_webhook(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert states(holdings.nights(tmp_path, Settings())) == [
        ("nights", WARN),
        ("timer", OK),
        ("last night", OK),
    ]
    chosen = Settings.model_validate({"nightly": {"tickers": ["AAPL"]}})
    assert states(holdings.nights(tmp_path, chosen)) == [
        ("timer", WARN),
        ("last night", WARN),
        ("alerts", WARN),
    ]


def test_of_settings_that_were_refused_nothing_else_is_told(tmp_path):
    refused = ConfigError("setting 'horizon': too many.")
    told = doctor([], home=tmp_path, settings=Settings(), refused=refused)
    assert {"nights", "alerts", "source"} & {one.what for one in told.findings} == set()
    assert {"timer", "last night", "devices"} <= {one.what for one in told.findings}
    assert [one.state for one in told.findings if one.what == "settings"] == [FAIL]


def test_a_night_long_ago_is_told_where_nights_are_expected(tmp_path):
    path = tmp_path / "data" / "nightly" / "heartbeat.json"
    path.parent.mkdir(parents=True)
    at = datetime.now(UTC) - timedelta(hours=27)
    path.write_text(json.dumps({"at": at.isoformat(), "stage": "ended"}))
    found = [holdings._last_night(tmp_path, expected=expected) for expected in (True, False)]
    assert [one.state for one in found] == [WARN, OK]
    assert "ended, 27.0 hours ago" in found[0].detail


def test_tickers_that_failed_last_night_are_told(tmp_path):
    settings = Settings(source=f"csv:{tmp_path}")
    assert run_night(["AAPL", "IBM"], home=tmp_path, settings=settings).exit_code == 1
    found = holdings._last_night(tmp_path, expected=False)
    assert (found.state, found.detail) == (WARN, "ended, 0.0 hours ago; 2 tickers failed")


def test_a_source_that_cannot_be_reached_is_a_warning(monkeypatch, tmp_path):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, NOBODY)
    one = holdings.source(Settings())
    assert one.state == WARN
    assert "pa55" not in one.detail
    assert holdings.source(Settings(source=f"csv:{tmp_path}")).state == OK
    assert holdings.source(Settings(source="csv:/nowhere")).state == FAIL
    assert holdings.source(Settings(source="sample")).state == WARN


def test_of_a_source_that_is_none_of_the_programs_own_nothing_is_claimed(monkeypatch):
    monkeypatch.setitem(SOURCES, "mine", SOURCES["sample"])
    one = holdings.source(Settings(source="mine"))
    assert one.state == OK
    assert "Yahoo" not in one.detail
    assert one.detail.startswith("mine")


@pytest.mark.parametrize(
    ("given", "state", "told"),
    [
        ({}, OK, "none that matters"),
        ({"FORECAST_NIGHTLY__WEBHOOK": "https://S3CRET"}, OK, "FORECAST_NIGHTLY__WEBHOOK"),
        ({"HTTPS_PROXY": "http://me:S3CRET@proxy:3128"}, OK, "HTTPS_PROXY=proxy:3128"),
        ({"SSL_CERT_FILE": "/nowhere"}, FAIL, "SSL_CERT_FILE names /nowhere"),
        ({"KERAS_BACKEND": "theano"}, FAIL, "'theano', which is not installed"),
        ({"TF_USE_LEGACY_KERAS": "1"}, WARN, "Keras 2"),
    ],
)
def test_variables_that_matter(given, state, told):
    first, *_ = machine.variables(given)
    assert first.state == state
    assert told in first.detail
    assert "S3CRET" not in str(list(machine.variables(given)))


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "state"), [(1e8, FAIL), (1e9, WARN), (5e9, OK)])
def test_free_space(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1e10, 1e10 - free, free))
    assert machine.disk(tmp_path / "not" / "there").state == state


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "models").mkdir(mode=0o500)
    assert states(machine.writing(tmp_path)) == [("writing", FAIL)]


def test_a_folder_that_no_file_can_be_made_in():
    (one,) = machine.writing(machine.Path("/proc/1/nowhere"))
    assert one.state == FAIL
    assert "/proc/1 cannot be written" in one.detail


def test_a_clock_set_back_is_seen_by_what_was_written_later():
    assert machine.clock(None).state == OK
    assert machine.clock(datetime.now(UTC) - timedelta(hours=1)).state == OK
    ahead = machine.clock(datetime.now(UTC) + timedelta(days=3))
    assert ahead.state == WARN
    assert "in the future" in ahead.detail


def test_what_is_installed_is_what_this_version_was_made_for():
    found = list(machine.libraries())
    assert [one.state for one in found] == [OK]
    assert machine.python().state == OK
    assert machine.memory(1e-6).state == OK
    assert machine.memory(1e9).state == WARN


def test_only_what_fails_fails():
    findings = [Finding("disk", OK, "much"), Finding("source", WARN, "away", "wait")]
    assert Checkup(findings).passed
    assert not Checkup([*findings, Finding("ledger", FAIL, "torn", "forecast ledger")]).passed
    assert str(Checkup(findings)).splitlines() == [
        "ok    disk    much",
        "warn  source  away",
        "              → wait",
    ]


def test_the_command_tells_all_and_sends_the_alert_no_further_than_here(tmp_path):
    (tmp_path / "forecast.toml").write_text('[nightly]\ntickers = ["AAPL"]\n')
    result = subprocess.run(
        [sys.executable, "-m", "forecast", "doctor", "--alert", "the night failed", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "HTTPS_PROXY": NOBODY,
            "FORECAST_NIGHTLY__WEBHOOK": "http://hooks.example/S3CRET",
        },
        check=False,
    )
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert document["passed"] is False
    failed = [one for one in document["findings"] if one["state"] == "fail"]
    assert [one["what"] for one in failed] == ["settings"]
    assert "'nightly.webhook'" in failed[0]["detail"]
    assert {"devices", "kernels", "libraries", "disk"} <= {
        one["what"] for one in document["findings"]
    }
    assert "no alert was sent: the webhook's address must begin with https://" in result.stderr
    assert "S3CRET" not in result.stdout + result.stderr
