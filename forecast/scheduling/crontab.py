"""Nights started by cron, where there is no systemd: lines of the user's crontab.

Cron keeps the machine's own time, and most crons ignore `CRON_TZ`, so each time is converted: to
the latest that it is here over the year, since either end may change its clocks. It then never
begins before its time, and for some months up to two hours after.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from forecast.errors import ConfigError
from forecast.scheduling.command import VARIABLES, name_of, nightly
from forecast.scheduling.nights import Night

_LOCAL = Path("/etc/localtime")
_AGAIN = (0, 2, 4)
# Debian's cron takes lines up to 1,000 characters.
_LONGEST = 990
_WAIT = 30.0


def block(home: Path, nights: Sequence[Night], *, local: tzinfo, year: int) -> str:
    """The lines of a home, between two comments that mark them.

    Args:
        home: The home folder, absolute.
        nights: At least one.
        local: The zone that cron keeps.
        year: For whose clock changes.

    Raises:
        ConfigError: if the paths are too long for cron.
    """
    begin, end = _marks(home)
    lines = [begin]
    for night in nights:
        here = _here(night, local, year)
        hours = ",".join(str(hour) for hour in sorted((here.hour + more) % 24 for more in _AGAIN))
        line = f"{here.minute} {hours} * * * {_command(home)}"
        if len(line.encode()) > _LONGEST:
            raise ConfigError(
                f"a line of a crontab must be shorter than {_LONGEST} bytes. "
                f"Received {len(line.encode())}.",
                hint="a home folder with a shorter path",
            )
        lines += [
            f"# {night}, here {here:%H:%M} at the latest in the year; two and four hours later once"
            " more, since the source may be down. A night that is done is not done again.",
            line,
        ]
    return "\n".join([*lines, end]) + "\n"


def local_zone() -> tzinfo:
    """The zone that cron keeps: the machine's, whatever `TZ` says in this shell."""
    try:
        with _LOCAL.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (OSError, ValueError):
        return UTC


def installed(home: Path) -> str:
    """The lines of a home that are in the crontab; empty if there are none or no crontab.

    Raises:
        ConfigError: if the crontab cannot be read.
    """
    if shutil.which("crontab") is None:
        return ""
    return _split(_read(), home)[1]


def install(home: Path, text: str) -> None:
    """Put the lines into the user's crontab in place of those of an earlier install.

    Raises:
        ConfigError: if there is no crontab, or it cannot be read or written.
    """
    before, _, after = _split(_read(), home)
    kept = before + after
    _write(kept + ("" if not kept or kept.endswith("\n") else "\n") + text)


def remove(home: Path) -> str:
    """Take the home's lines out of the crontab, and leave all others.

    Returns:
        The lines removed; empty if there were none.

    Raises:
        ConfigError: if the crontab cannot be read or written.
    """
    before, own, after = _split(_read(), home)
    if own:
        _write(before + after)
    return own


def _command(home: Path) -> str:
    variables = f"{{ [ ! -f {VARIABLES} ] || {{ set -a; . ./{VARIABLES}; set +a; }}; }}"
    # Only what goes wrong is left for cron to mail: results are in the logs and reports.
    line = f"cd {shlex.quote(str(home))} && {variables} && {shlex.join(nightly(home))} >/dev/null"
    # Cron takes a bare % for the end of the line.
    return line.replace("%", r"\%")


def _here(night: Night, local: tzinfo, year: int) -> time:
    """The latest local wall-clock time at which the night begins on some day of the year."""
    zone = ZoneInfo(night.zone)
    ahead = []
    for day in range(366):
        there = datetime.combine(datetime(year, 1, 1) + timedelta(days=day), night.at, tzinfo=zone)
        ahead.append(there.astimezone(local).replace(tzinfo=None) - there.replace(tzinfo=None))
    return (datetime.combine(datetime(year, 1, 1), night.at) + max(ahead)).time()


def _marks(home: Path) -> tuple[str, str]:
    name = name_of(home)
    # A backslash or % means nothing in a comment, and a path in it must not end it.
    return f"# {name}: the nights of {home} begin", f"# {name}: end"


def _split(table: str, home: Path) -> tuple[str, str, str]:
    begin, end = _marks(home)
    lines = table.splitlines(keepends=True)
    bare = [line.rstrip("\n") for line in lines]
    if begin not in bare:
        return table, "", ""
    first = bare.index(begin)
    if end not in bare[first:]:
        raise ConfigError(
            f"the line {begin!r} of the crontab must have its end. It is missing.",
            hint=f"crontab -e, and put the line {end!r} below the lines of this program",
        )
    last = bare.index(end, first) + 1
    return "".join(lines[:first]), "".join(lines[first:last]), "".join(lines[last:])


def _read() -> str:
    result = _crontab("-l")
    if result.returncode == 0:
        return result.stdout
    # Crons say it differently: "no crontab for root", "can't open 'root': No such file".
    if "no crontab" in result.stderr.lower() or "no such file" in result.stderr.lower():
        return ""
    raise _refused("-l", result.stderr)


def _write(table: str) -> None:
    result = _crontab("-", table) if table else _crontab("-r")
    if result.returncode != 0:
        raise _refused("-" if table else "-r", result.stderr)


def _crontab(word: str, table: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["crontab", word],
            input=table,
            capture_output=True,
            text=True,
            timeout=_WAIT,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _refused(word, str(error)) from error


def _refused(word: str, said: str) -> ConfigError:
    reason = (said.strip() or "no word").splitlines()[0]
    return ConfigError(
        f"`crontab {word}` must work. It did not: {reason}.",
        hint="install cron, or start forecast schedule --foreground some other way",
    )
