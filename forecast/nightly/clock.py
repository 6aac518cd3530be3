"""The time it is; or the time that `--now` says, for replays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

import pandas as pd

from forecast.errors import ConfigError

_FIRST_YEAR, _LAST_YEAR = 1970, 2100


@dataclass(frozen=True)
class Clock:
    """What time it is.

    Attributes:
        fixed: The time that `--now` set, tz-aware; None for the real one.
    """

    fixed: pd.Timestamp | None = None

    def now(self) -> pd.Timestamp:
        """The time in UTC, to the second; it stands still where `--now` set it."""
        moment = pd.Timestamp.now("UTC") if self.fixed is None else self.fixed.tz_convert("UTC")
        return moment.floor("s")


def clock_of(text: str | None) -> Clock:
    """The clock that `--now TEXT` sets.

    Args:
        text: ISO 8601 with a zone, `2026-11-20T23:30Z`; a date means the last second of that day in
            UTC; None is the real clock.

    Raises:
        ConfigError: if it is neither, names no zone, or is beyond the exchanges' calendars.
    """
    if text is None:
        return Clock()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refused(text) from error
    day = f"{moment.date()}"
    # An ISO week is no date, though Python reads it as its Monday.
    if not text.startswith(day) or text[len(day) : len(day) + 1] not in ("", "T", " "):
        raise _refused(text)
    if text != day and moment.tzinfo is None:
        raise _refused(text)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ConfigError(
            f"the clock must be between {_FIRST_YEAR} and {_LAST_YEAR}: the exchanges' calendars "
            f"reach no further. Received {text!r}.",
            hint="--now 2026-11-20",
        )
    if text == day:
        moment = datetime.combine(moment, time(23, 59, 59), UTC)
    return Clock(pd.Timestamp(moment))


def _refused(text: str) -> ConfigError:
    return ConfigError(
        f"the clock must be a date, or a time with its zone. Received {text!r}.",
        hint="--now 2026-11-20, or --now 2026-11-20T18:30-05:00",
    )
