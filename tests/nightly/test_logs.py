from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ArtifactError, NotEnoughBars
from forecast.nightly import logs
from forecast.nightly.logs import night_log


def lines(home):
    return [json.loads(line) for line in (home / "logs" / "nightly.jsonl").read_text().splitlines()]


def test_a_line_a_fact(tmp_path):
    with night_log(tmp_path) as log:
        log.fact("night began", tickers=("AAPL", "IBM"))
        log.fact("promoted", ticker="AAPL", run="r1", name="line\nbreak é")
    with night_log(tmp_path) as log:
        log.fact("night ended", code=0)
    told = lines(tmp_path)
    assert [one.pop("at")[-1] for one in told] == ["Z"] * 3
    assert told == [
        {"fact": "night began", "tickers": ["AAPL", "IBM"]},
        {"fact": "promoted", "ticker": "AAPL", "run": "r1", "name": "line\nbreak é"},
        {"fact": "night ended", "code": 0},
    ]


def test_values_are_written_as_json_knows_them(tmp_path):
    with night_log(tmp_path) as log:
        log.fact(
            "x",
            day=date(2026, 11, 20),
            moment=pd.Timestamp("2026-11-20T18:30", tz="UTC"),
            share=np.float64(0.5),
            count=np.int64(3),
            nothing=float("nan"),
            path=Path("a/b"),
            names={"b", "a"},
            error=NotEnoughBars("too few.", hint="more"),
        )
    (told,) = lines(tmp_path)
    del told["at"]
    assert told == {
        "fact": "x",
        "day": "2026-11-20",
        "moment": "2026-11-20T18:30:00+00:00",
        "share": 0.5,
        "count": 3,
        "nothing": None,
        "path": "a/b",
        "names": ["a", "b"],
        "error": "NotEnoughBars: too few. Try: more",
    }


def test_no_line_holds_a_secret(tmp_path):
    url = "https://hooks.example/T0KEN"
    with night_log(tmp_path, secrets=(url, "T0KEN", None, "")) as log:
        log.fact(
            "alert failed",
            reason=f"no answer from {url}",
            deep=[{url: ["T0KEN"]}],
            error=OSError("http://me:pa55@proxy:3128 refused; socks5://you@proxy"),
        )
    text = (tmp_path / "logs" / "nightly.jsonl").read_text()
    assert not [
        secret for secret in ("T0KEN", "hooks.example", "pa55", "me:", "you") if secret in text
    ]
    assert json.loads(text)["deep"] == [{"***": ["***"]}]
    assert "http://***@proxy:3128 refused" in text


def test_old_lines_go_and_no_line_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST", 1000)
    with night_log(tmp_path) as log:
        for number in range(500):
            log.fact("x", number=number)
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 1 + logs.KEPT
    assert all(path.stat().st_size <= 1000 for path in files)
    kept = [json.loads(line)["number"] for path in files for line in path.read_text().splitlines()]
    assert sorted(kept) == list(range(500 - len(kept), 500))


def test_half_a_line_of_a_killed_night_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "logs" / "nightly.jsonl"
    path.parent.mkdir()
    path.write_text('{"at": "2026-11-20T00:00:00Z", "fa')
    with night_log(tmp_path) as log:
        log.fact("night began")
    assert json.loads(path.read_text().splitlines()[-1])["fact"] == "night began"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(ArtifactError, match="must be writable"), night_log(tmp_path):
        pass


def test_a_full_disk_costs_lines_and_not_the_night(tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "nightly.jsonl").symlink_to("/dev/full")
    with night_log(tmp_path) as log:
        log.fact("night began")
        log.fact("night ended")
    told = capsys.readouterr().err
    assert told.count("loses lines: [Errno 28] No space left on device") == 1
