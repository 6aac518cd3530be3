"""The command that a timer runs: absolute, and free of what a shell or folder adds."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from forecast.errors import ConfigError

VARIABLES = "nightly.env"
"""File in the home folder with variables for the nights, NAME=value a line; it need not exist."""
_QUICK = 60.0


def program() -> list[str]:
    """This program as the first words of a command line.

    `-P` keeps the current folder out of the import path: a home may hold a folder `forecast`, too.
    """
    return [sys.executable, "-P", "-m", "forecast"]


def nightly(home: Path) -> list[str]:
    """The command of a night, without the variables that a shell has."""
    return [*program(), "nightly", "--home", str(home), "--quiet"]


def name_of(home: Path) -> str:
    """The name of a home's timers: they keep apart from those of another home."""
    return f"forecast-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"


def check_home(home: Path) -> None:
    """Refuse a home that no line of a unit or crontab can name.

    Raises:
        ConfigError: if its path holds a control character.
    """
    if not str(home).isprintable():
        raise ConfigError(
            f"the home folder's path must be printable. Received {str(home)!r}.",
            hint="another folder with --home DIR",
        )


def check_starts() -> None:
    """Start the program as a timer would, with no variables set.

    Raises:
        ConfigError: if it does not start.
    """
    try:
        result = subprocess.run(
            [*program(), "--version"],
            env={},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_QUICK,
            check=False,
        )
        said = "" if result.returncode == 0 else result.stderr.strip() or "no word"
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said:
        raise ConfigError(
            f"{' '.join(program())} must start without the shell's variables. "
            f"It did not: {said.splitlines()[-1]}.",
            hint="install the program into its environment: make install",
        )
