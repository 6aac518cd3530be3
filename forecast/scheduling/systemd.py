"""Nights started by systemd: units of the user, so that no root is needed.

forecast-3f2a91c0-america-new-york.timer    when
forecast-3f2a91c0-america-new-york.service  what, and again if it failed
forecast-3f2a91c0-failed.service            an alert, when it failed for good
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from forecast.errors import ArtifactError, ConfigError
from forecast.files import unwritable, write_atomically
from forecast.scheduling.command import VARIABLES, name_of, nightly, program
from forecast.scheduling.nights import Night

_WAIT = 30.0
_BARE = re.compile(r"[\w@./:+=,-]+")


def units(home: Path, nights: Sequence[Night], *, deadline: float) -> dict[str, str]:
    """The unit files of a home, by name.

    Args:
        home: The home folder, absolute.
        nights: At least one.
        deadline: Longest time [min] that a night may take.

    Raises:
        ConfigError: if the interpreter's path is one that systemd refuses.
    """
    name = name_of(home)
    files = {}
    for night in nights:
        unit = f"{name}-{_slug(night.zone)}"
        files[f"{unit}.timer"] = _timer(home, night)
        files[f"{unit}.service"] = _service(home, night, f"{name}-failed.service", deadline)
    files[f"{name}-failed.service"] = _failed(home, name)
    return files


def folder() -> Path:
    """Where the user's units are."""
    configuration = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configuration) if configuration else Path.home() / ".config") / "systemd" / "user"


def is_running() -> bool:
    """Whether systemd runs this machine."""
    return Path("/run/systemd/system").is_dir()


def installed(home: Path) -> list[Path]:
    """The unit files of a home that are there."""
    return sorted(folder().glob(f"{name_of(home)}-*"))


def install(home: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the units and start the timers; units of an earlier install go.

    Returns:
        The files written.

    Raises:
        ConfigError: if systemd cannot be asked or refuses; nothing stays written then.
        ArtifactError: if the folder cannot be written.
    """
    _systemctl("show-environment")
    stale = [path for path in installed(home) if path.name not in files]
    paths = [folder() / name for name in files]
    try:
        for path, text in zip(paths, files.values(), strict=True):
            write_atomically(path, text.encode())
        _take_out(stale)
        _systemctl("daemon-reload")
        # Re-enabled and restarted, so that a new time counts at once.
        _systemctl("reenable", *_timers(paths))
        _systemctl("restart", *_timers(paths))
    except (ConfigError, ArtifactError):
        _take_out([path for path in paths if path.exists()], strict=False)
        raise
    return paths


def remove(home: Path) -> list[Path]:
    """Stop the timers of a home and remove its units; a running night goes on.

    Returns:
        The files removed; none if there were none.

    Raises:
        ConfigError: if systemd cannot be asked.
        ArtifactError: if a file cannot be removed.
    """
    paths = installed(home)
    if paths:
        _systemctl("show-environment")
        _take_out(paths)
        _systemctl("daemon-reload")
        # Else systemd would go on listing a night that failed.
        _systemctl("reset-failed", f"{name_of(home)}-*")
    return paths


def _timer(home: Path, night: Night) -> str:
    return f"""\
[Unit]
Description=Nightly forecasts in {_plain(str(home))}, {night}

[Timer]
OnCalendar=*-*-* {night.at:%H:%M}:00 {night.zone}
# A night missed while the machine was off is made up for when it is on again.
Persistent=true
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def _service(home: Path, night: Night, on_failure: str, deadline: float) -> str:
    return f"""\
[Unit]
Description=Nightly forecasts in {_plain(str(home))}, {night}
OnFailure={on_failure}
# Given up after six tries. Less than a day, so that the next night has six of its own.
StartLimitIntervalSec=22h
StartLimitBurst=6

[Service]
Type=oneshot
WorkingDirectory={_plain(str(home))}
EnvironmentFile=-{_plain(str(home))}/{VARIABLES}
ExecStart=:{_command(nightly(home))}
# The source may be down, or another night at work (75); a night that is done is not done again.
Restart=on-failure
RestartSec=20min
# Nor is one that hung until it was ended (143, SIGKILL): six of those would take days, untold.
RestartPreventExitStatus=2 143 SIGKILL
SuccessExitStatus=143
# A worker that lacked memory is the night's own affair.
OOMPolicy=continue
# A night ends by itself at its deadline, and after SIGTERM at the next safe point.
TimeoutStartSec={deadline + 60:.0f}min
TimeoutStopSec=15min
KillMode=mixed
Nice=10
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
"""


def _failed(home: Path, name: str) -> str:
    told = f"A night has failed: journalctl --user -u '{name}-*'"
    return f"""\
[Unit]
Description=Alert about a failed night in {_plain(str(home))}

[Service]
Type=oneshot
WorkingDirectory={_plain(str(home))}
EnvironmentFile=-{_plain(str(home))}/{VARIABLES}
ExecStart=:{_command([*program(), "doctor", "--home", str(home), "--quiet", "--alert", told])}
TimeoutStartSec=10min
# What the doctor finds wrong is in the journal and the alert; the night has already failed.
SuccessExitStatus=1
NoNewPrivileges=yes
"""


def _slug(zone: str) -> str:
    return zone.lower().replace("/", "-").replace("_", "-")


def _plain(text: str) -> str:
    return text.replace("%", "%%")


def _command(words: Sequence[str]) -> str:
    if any(character in words[0] for character in "\"'\\"):
        raise ConfigError(
            f"systemd refuses a program whose path holds a quote or backslash. "
            f"Received {words[0]}.",
            hint="install the program elsewhere, or forecast schedule --using cron",
        )
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    # The `:` before a command keeps `$` as it is.
    escaped = _plain(word.replace("\\", "\\\\").replace('"', '\\"'))
    return escaped if _BARE.fullmatch(escaped) else f'"{escaped}"'


def _timers(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths if path.suffix == ".timer"]


def _take_out(paths: Sequence[Path], *, strict: bool = True) -> None:
    timers = _timers(paths)
    try:
        if timers:
            _systemctl("disable", "--now", *timers)
            # When it last ran: else a later install would make up for nights long past.
            _systemctl("clean", "--what=state", *timers)
    except ConfigError:
        if strict:
            raise
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error


def _systemctl(*words: str) -> None:
    command = ["systemctl", "--user", *words]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT, check=False)
        said = "" if result.returncode == 0 else result.stderr.strip() or "no word"
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said:
        raise ConfigError(
            f"systemd must answer `{' '.join(command)}`. It did not: {said.splitlines()[0]}.",
            hint="log in as this user rather than with su or sudo, "
            "or forecast schedule --install --using cron",
        )
