"""The units as systemd itself reads them; installing them is tried on a real user instance."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.errors import ConfigError
from forecast.scheduling import systemd
from forecast.scheduling.nights import nights

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)
ODD = "we ird%h $HOME \"q'é"


@pytest.fixture
def odd_home(tmp_path):
    home = tmp_path / ODD
    home.mkdir()
    return home


def analyze(folder, *words, **variables):
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), **variables}
    return subprocess.run(
        ["systemd-analyze", "--user", *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def write_units(home, folder, *exchanges):
    texts = systemd.units(home, nights(exchanges), deadline=480)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return texts


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(odd_home, tmp_path):
    texts = write_units(odd_home, tmp_path, "NMS", "LSE")
    assert len(texts) == 5
    result = analyze(tmp_path, "verify", *(str(tmp_path / name) for name in texts))
    # It reads the machine's own units, too, and has its say about them.
    ours = [line for line in result.stderr.splitlines() if any(name in line for name in texts)]
    assert (result.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_reads_back_the_very_command_and_folder(odd_home, tmp_path):
    texts = write_units(odd_home, tmp_path, "NMS")
    (service,) = (name for name in texts if name.endswith("york.service"))
    told = analyze(tmp_path, "verify", str(tmp_path / service), SYSTEMD_LOG_LEVEL="debug").stdout
    assert f"WorkingDirectory: {odd_home}\n" in told
    assert f"EnvironmentFile: -{odd_home}/nightly.env\n" in told
    (command,) = re.findall(r"Command Line: (.*forecast nightly.*)", told)
    # systemd shows its words quoted as a shell would take them.
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words == [
        sys.executable, "-P", "-m", "forecast", "nightly", "--home", str(odd_home), "--quiet"
    ]  # fmt: skip


@needs_systemd
def test_the_timer_keeps_to_new_york_through_a_clock_change(tmp_path):
    texts = write_units(tmp_path, tmp_path, "NMS")
    (timer,) = (text for name, text in texts.items() if name.endswith(".timer"))
    (when,) = re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE)
    told = analyze(
        tmp_path, "calendar", "--base-time=2026-10-31 12:00 UTC", "--iterations=2", when, TZ="UTC"
    ).stdout
    # 18:30 in New York is 22:30 UTC in summer, and 23:30 from the first of November on.
    assert re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", told) == [
        "2026-10-31 22:30",
        "2026-11-01 23:30",
    ]
    assert "Persistent=true" in timer


def test_the_next_night_has_tries_of_its_own_and_a_hang_has_none(tmp_path):
    texts = systemd.units(tmp_path, nights(["NMS"]), deadline=480)
    (service,) = (text for name, text in texts.items() if name.endswith("york.service"))
    (hours,) = re.findall(r"^StartLimitIntervalSec=(\d+)h$", service, re.MULTILINE)
    (wait,) = re.findall(r"^RestartSec=(\d+)min$", service, re.MULTILINE)
    # A day has 23 hours when the clocks go forward; the six tries, of two hours each, fit in.
    assert 6 * (120 + int(wait)) < 60 * int(hours) < 60 * 23
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.*)$", service, re.MULTILINE)
    assert {"143", "SIGKILL"} <= set(codes.split())


def test_two_homes_keep_apart(tmp_path):
    one = systemd.units(tmp_path / "one", nights(["NMS"]), deadline=480)
    two = systemd.units(tmp_path / "two", nights(["NMS"]), deadline=480)
    assert not one.keys() & two.keys()


def test_an_interpreter_that_systemd_refuses_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", '/opt/a "b"/python')
    with pytest.raises(ConfigError, match="quote or backslash"):
        systemd.units(tmp_path, nights(["NMS"]), deadline=480)


USER_INSTANCE = """
mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user && chmod 700 /run/user
export XDG_RUNTIME_DIR=/run/user
/lib/systemd/systemd --user --log-target=null & manager=$!
for _ in $(seq 600); do systemctl --user show-environment >/dev/null 2>&1 && break; sleep 0.1; done
systemctl --user show-environment >/dev/null || exit 77
timers() { systemctl --user list-timers --all --no-legend --no-pager 'forecast-*'; }
forecast() { "$PYTHON" -m forecast "$@" --home "$FOLDER" --quiet; }
forecast schedule --install && echo "first: $(timers)"
forecast schedule --install --at 19:15 && echo "second: $(timers)"
units="$HOME/.config/systemd/user"
# A night that another one keeps from working, tried again at once instead of in 20 minutes.
sed -i -e 's|^ExecStart=.*|ExecStart=/bin/sh -c "echo >>$FOLDER/tries; exit 75"|' \\
    -e 's|20min|100ms|' "$units"/*york.service
sed -i 's|^ExecStart=.*|ExecStart=/bin/sh -c "echo >>$FOLDER/alerts"|' "$units"/*failed.service
systemctl --user daemon-reload
systemctl --user start --no-block "$(cd "$units" && echo *york.service)"
for _ in $(seq 600); do [ -s "$FOLDER/alerts" ] && break; sleep 0.1; done
echo "tries: $(wc -l <"$FOLDER/tries")"
echo "alerts: $(wc -l <"$FOLDER/alerts")"
# Nights that hang: one ends at SIGTERM, the other at SIGKILL only.
for trap in 'exit 143' ''; do
    rm -f "$FOLDER/alerts"
    printf '%s\\n' "echo >>'$FOLDER/hangs'" "trap '$trap' TERM" \\
        'sleep 100 & wait; sleep 100' >"$HOME/hang"
    sed -i -E -e "s|^ExecStart=.*|ExecStart=/bin/bash $HOME/hang|" \\
        -e 's/^(TimeoutSt[a-z]*Sec)=.*/\\1=1/' "$units"/*york.service
    systemctl --user daemon-reload
    systemctl --user reset-failed
    systemctl --user start --no-block "$(cd "$units" && echo *york.service)"
    for _ in $(seq 600); do [ -s "$FOLDER/alerts" ] && break; sleep 0.1; done
    sleep 1
done
rm "$HOME/hang"
echo "hangs: $(wc -l <"$FOLDER/hangs")"
forecast schedule --remove && echo "third: $(timers)."
find "$HOME" -type f
kill -KILL "$manager"
"""


@pytest.mark.slow
@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason="a private /run needs root")
def test_installing_failing_and_removing_with_a_real_systemd(tmp_path):
    home = tmp_path / "we ird%h"
    home.mkdir()
    (home / "forecast.toml").write_text('[nightly]\ntickers = ["AAPL"]\n')
    user = tmp_path / "user"
    user.mkdir()
    result = subprocess.run(
        ["unshare", "--mount", "bash", "-c", USER_INSTANCE],
        capture_output=True,
        text=True,
        timeout=900,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(user),
            "TZ": "UTC",
            "PYTHON": sys.executable,
            "FOLDER": str(home),
        },
        check=False,
    )
    if result.returncode == 77 or "unshare" in result.stderr:
        pytest.skip("no user instance of systemd can be started here")
    first, second, third, tries, alerts, hangs = (
        re.search(rf"^{name}: (.*)$", result.stdout, re.MULTILINE)[1]
        for name in ("first", "second", "third", "tries", "alerts", "hangs")
    )
    assert re.search(r"23:30:00 UTC|22:30:00 UTC", first)
    assert re.search(r"00:15:00 UTC|23:15:00 UTC", second)
    assert (tries, alerts, hangs) == ("6", "1", "2")
    assert third == "."
    left = result.stdout.split("third:")[1].splitlines()[1:]
    assert [Path(path) for path in left] == [], "removing leaves nothing"
