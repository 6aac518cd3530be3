from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from forecast.errors import ConfigError
from forecast.scheduling import crontab
from forecast.scheduling.nights import nights

PROGRAM = Path(__file__).with_name("crontab_program.py")


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A crontab of our own: the file that holds it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "crontab"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CRON_TABLE", str(tmp_path / "table"))
    return tmp_path / "table"


def lines_of(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def made(home, *exchanges, local=UTC, year=2027):
    return crontab.block(home, nights(exchanges), local=local, year=year)


@pytest.mark.parametrize(
    ("local", "begins"),
    [
        # 18:30 in New York is 22:30 UTC in summer and 23:30 in winter.
        (UTC, "30 1,3,23 * * * "),
        (ZoneInfo("America/New_York"), "30 18,20,22 * * * "),
        # 23:30 in London all year but for the weeks when only one of the two has changed: 22:30.
        (ZoneInfo("Europe/London"), "30 1,3,23 * * * "),
        # 10:30 the next day when Sydney has summer time and New York has not.
        (ZoneInfo("Australia/Sydney"), "30 10,12,14 * * * "),
        (ZoneInfo("Asia/Kolkata"), "0 5,7,9 * * * "),
    ],
)
def test_the_time_is_the_latest_of_the_year_in_the_zone_that_cron_keeps(tmp_path, local, begins):
    (line,) = lines_of(made(tmp_path, "NMS", local=local))
    assert line.startswith(begins)


def test_a_night_never_begins_before_its_time(tmp_path):
    """Day by day through a year, in a zone that changes its clocks on other days."""
    local, new_york = ZoneInfo("Australia/Sydney"), ZoneInfo("America/New_York")
    here = crontab._here(nights(["NMS"])[0], local, 2027)
    for day in range(365):
        begun = datetime.combine(datetime(2027, 1, 1) + timedelta(days=day), here, tzinfo=local)
        there = begun.astimezone(new_york)
        assert 18.5 <= there.hour + there.minute / 60 <= 20.5


def test_installing_twice_changes_one_block_and_removing_leaves_the_rest(table, tmp_path):
    others = "MAILTO=me\n5 4 * * * echo mine 50\\%\n"
    table.write_text(others)
    crontab.install(tmp_path, made(tmp_path, "NMS"))
    crontab.install(tmp_path, made(tmp_path, "NMS", "LSE"))
    crontab.install(tmp_path / "other", made(tmp_path / "other", "NMS"))
    assert table.read_text().startswith(others)
    assert len(lines_of(table.read_text())) == 2 + 2 + 1
    assert len(lines_of(crontab.installed(tmp_path))) == 2
    removed = crontab.remove(tmp_path)
    assert lines_of(removed) == lines_of(made(tmp_path, "NMS", "LSE"))
    crontab.remove(tmp_path / "other")
    assert table.read_text() == others
    assert crontab.remove(tmp_path) == ""


def test_a_crontab_made_only_for_us_goes_with_us(table, tmp_path):
    crontab.install(tmp_path, made(tmp_path, "NMS"))
    assert table.exists()
    crontab.remove(tmp_path)
    assert not table.exists()


def test_a_line_without_its_end_is_not_guessed_at(table, tmp_path):
    crontab.install(tmp_path, made(tmp_path, "NMS"))
    cut = table.read_text().splitlines()[:-1]
    table.write_text("\n".join([*cut, "5 4 * * * echo mine", ""]))
    with pytest.raises(ConfigError, match="must have its end"):
        crontab.remove(tmp_path)
    assert "echo mine" in table.read_text()


def test_a_crontab_that_refuses_is_an_error_and_not_an_empty_table(table, tmp_path, monkeypatch):
    table.parent.joinpath("programs", "crontab").write_text(
        "#!/bin/sh\necho 'You (me) are not allowed to use this program' >&2\nexit 1\n"
    )
    with pytest.raises(ConfigError, match="not allowed"):
        crontab.install(tmp_path, made(tmp_path, "NMS"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert crontab.installed(tmp_path) == ""
    with pytest.raises(ConfigError, match="`crontab -l` must work"):
        crontab.install(tmp_path, made(tmp_path, "NMS"))


def test_a_line_longer_than_cron_takes_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="shorter than"):
        made(tmp_path / ("x" * 900), "NMS")


@pytest.mark.skipif(shutil.which("crontab") is None, reason="cron is not installed")
def test_cron_itself_takes_the_lines(tmp_path):
    path = tmp_path / "table"
    path.write_text(made(tmp_path / "we ird%h $x q'é", "NMS", "LSE", "JPX"))
    # Cronie's word for "check only" is -T, Debian's -n.
    told = [
        subprocess.run(["crontab", word, str(path)], capture_output=True, text=True, check=False)
        for word in ("-T", "-n")
    ]
    assert any(result.returncode == 0 for result in told), told


def as_cron(line, **variables):
    """The line's command in cron's shell with cron's few variables."""
    command = line.split(" ", 5)[5].replace(r"\%", "%")
    return subprocess.run(
        [
            "env",
            "-i",
            *(f"{name}={value}" for name, value in variables.items()),
            "sh",
            "-c",
            command,
        ],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )


def test_the_line_runs_with_nothing_set_as_cron_would(tmp_path):
    """A night that its own settings refuse: it started, in its home, with its variables."""
    home = tmp_path / "we ird%h $HOME q'é"
    home.mkdir()
    # It would be imported instead of the program if the current folder counted.
    (home / "forecast").mkdir()
    (home / "forecast" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    (line,) = lines_of(made(home, "NMS"))
    (home / "forecast.toml").write_text("lookback = 1\n")
    told = as_cron(line).stderr
    assert "setting 'lookback'" in told
    assert f"from {home / 'forecast.toml'}" in told
    (home / "forecast.toml").unlink()
    (home / "nightly.env").write_text("FORECAST_LOOKBACK='1'\n")
    result = as_cron(line, HOME=str(tmp_path))
    assert (result.returncode, result.stdout) == (1, "")
    assert "setting 'lookback'" in result.stderr
    assert "from environment" in result.stderr
