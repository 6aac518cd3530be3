"""`schedule`: print, install or remove what starts the nights; or be it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from forecast.config import PREFIX, Settings
from forecast.errors import ConfigError
from forecast.market.sources.yahoo import CA_BUNDLES, PROXIES
from forecast.market.store import Store
from forecast.scheduling import crontab, foreground, systemd
from forecast.scheduling.command import (
    VARIABLES,
    check_home,
    check_starts,
    name_of,
    nightly,
)
from forecast.scheduling.nights import Night, nights, parse_time

SYSTEMD, CRON = "systemd", "cron"
_USUAL = "XNYS"
_NETWORK = {"HTTP_PROXY", "NO_PROXY", *(name.upper() for name in PROXIES), *CA_BUNDLES}


@dataclass(frozen=True)
class Schedule:
    """What starts the nights of a home.

    Attributes:
        using: `systemd` or `cron`.
        did: `printed`, `installed` or `removed`.
        nights: When they begin.
        files: Path → text of the units; for cron the one entry `crontab`.
        notices: What the user must know.
        see: The next commands, with what each is for.
    """

    using: str
    did: str
    nights: list[Night]
    files: Mapping[str, str]
    notices: list[str] = field(default_factory=list)
    see: list[tuple[str, str]] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "using": self.using,
            "did": self.did,
            "nights": [
                {"at": f"{one.at:%H:%M}", "zone": one.zone, "calendars": list(one.calendars)}
                for one in self.nights
            ],
            "files": dict(self.files),
            "notices": self.notices,
        }

    def __str__(self) -> str:
        lines = []
        if self.did == "printed":
            for path, text in self.files.items():
                lines += [f"# {path}", text]
        else:
            lines += [f"{self.did}: {path}" for path in self.files] or ["nothing was installed"]
        lines += [f"{command}  # {what}" for command, what in self.see]
        return "\n".join(lines)


def schedule(
    *,
    home: Path,
    settings: Settings,
    at: str | None = None,
    using: str | None = None,
    install: bool = False,
) -> Schedule:
    """What would start the nights of this home; with `install`, put where it starts them.

    Args:
        home: The home folder, absolute.
        settings: The tickers and the store decide the exchanges; `nightly.at` the time.
        at: `HH:MM` in each exchange's time zone; None for the setting.
        using: `systemd` or `cron`; None for what this machine has.
        install: Write it; else nothing is written.

    Raises:
        ConfigError: if the time or the home's path is refused; with `install` also if
            there are no tickers, if the program does not start without a shell's variables, or if
            systemd or cron refuses.
    """
    check_home(home)
    planned, notices = _nights(home, settings, at)
    chosen = using or _using()
    if chosen == SYSTEMD:
        texts = systemd.units(home, planned, deadline=settings.nightly.deadline)
        files = {str(systemd.folder() / name): text for name, text in texts.items()}
    else:
        year = datetime.now().year
        text = crontab.block(home, planned, local=crontab.local_zone(), year=year)
        texts = files = {"crontab": text}
    if not install:
        return Schedule(chosen, "printed", planned, files, notices)
    _require_tickers(settings)
    check_starts()
    if chosen == SYSTEMD:
        systemd.install(home, texts)
    else:
        crontab.install(home, texts["crontab"])
    return Schedule(
        chosen, "installed", planned, files, [*notices, *_unseen(home)], _see(home, chosen)
    )


def remove(*, home: Path, using: str | None = None) -> Schedule:
    """Take out what `schedule` installed for this home, and nothing else.

    Args:
        home: The home folder, absolute.
        using: `systemd` or `cron`; None for both, wherever something is installed.

    Raises:
        ConfigError: if systemd or cron refuses.
        ArtifactError: if a unit cannot be removed.
    """
    check_home(home)
    files: dict[str, str] = {}
    chosen = using or _using()
    if using in (None, SYSTEMD):
        removed = {str(path): path.read_text() for path in systemd.installed(home)}
        systemd.remove(home)
        files |= removed
    if using == CRON or (using is None and crontab.installed(home)):
        lines = crontab.remove(home)
        files |= {"crontab": lines} if lines else {}
    return Schedule(chosen, "removed", [], files)


def stay(*, home: Path, settings: Settings, at: str | None = None) -> None:
    """Start the nights from this process until SIGTERM or SIGINT.

    Raises:
        ConfigError: as `schedule`; also if APScheduler is not installed.
    """
    check_home(home)
    _require_tickers(settings)
    planned, notices = _nights(home, settings, at)
    for notice in notices:
        foreground.say(notice)
    foreground.serve(foreground.triggers(planned), nightly(home), tell=foreground.say)


def scheduled(home: Path) -> str | None:
    """What starts the nights of this home: `systemd`, `cron`, or None.

    Raises:
        ConfigError: if the crontab cannot be read.
    """
    if systemd.installed(home):
        return SYSTEMD
    return CRON if crontab.installed(home) else None


def _using() -> str:
    return SYSTEMD if systemd.is_running() else CRON


def _require_tickers(settings: Settings) -> None:
    if not settings.nightly.tickers:
        raise ConfigError(
            "a night must know its tickers. The setting 'nightly.tickers' names none.",
            hint='tickers = ["AAPL"] under [nightly] in forecast.toml',
        )


def _nights(home: Path, settings: Settings, at: str | None) -> tuple[list[Night], list[str]]:
    wanted = settings.nightly.at if at is None else at
    exchanges, notices = _exchanges(home, settings)
    planned = nights(exchanges, at=None if wanted is None else parse_time(wanted))
    notices += [
        f"{night} is before the session has settled ({night.settled:%H:%M}): "
        "each night would forecast from the session before."
        for night in planned
        if night.too_early
    ]
    return planned, notices


def _exchanges(home: Path, settings: Settings) -> tuple[set[str], list[str]]:
    """The exchanges of the tickers, and what is not known about them."""
    if settings.exchange:
        return {settings.exchange}, []
    store = Store.open(settings.data(home))
    found, unknown = set(), []
    for ticker in settings.nightly.tickers:
        snapshots = store.manifests(ticker)
        if snapshots:
            found.add(snapshots[0].exchange)
        else:
            unknown.append(ticker)
    if not unknown and found:
        return found, []
    reason = (
        f"not fetched yet, so taken for New York's: {', '.join(unknown)}. Once fetched, install "
        "again where one trades elsewhere."
        if unknown
        else "no tickers are set (nightly.tickers), so the time is New York's."
    )
    return found | {_USUAL}, [reason]


def _unseen(home: Path) -> list[str]:
    """Which variables of this shell the nights will not see; names alone, never values."""
    names = sorted(
        name
        for name in os.environ
        if (name.startswith(PREFIX) and name != f"{PREFIX}HOME") or name.upper() in _NETWORK
    )
    if not names:
        return []
    return [
        f"the nights do not see this shell's variables ({', '.join(names)}): put what they need "
        f"into {home / VARIABLES}, NAME=value a line, and chmod 600 it."
    ]


def _see(home: Path, using: str) -> list[tuple[str, str]]:
    if using == CRON:
        return [("crontab -l", "the lines")]
    name = name_of(home)
    return [
        (f"systemctl --user list-timers '{name}-*'", "when the next night begins"),
        (f"journalctl --user -u '{name}-*'", "what the nights said"),
        ("loginctl enable-linger", "nights while you are logged out"),
    ]
