"""The time it is; or the time that `--now` says, for replays."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from forecast.errors import ConfigError


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
        ConfigError: if it is neither, or names no zone.
    """
    if text is None:
        return Clock()
    try:
        moment = pd.Timestamp(text)
    except ValueError as error:
        raise _refused(text) from error
    if pd.isna(moment):
        raise _refused(text)
    if moment.tz is None:
        if len(text.strip()) > len("2026-11-20"):
            raise _refused(text)
        moment = (moment + pd.Timedelta(days=1, seconds=-1)).tz_localize("UTC")
    return Clock(moment)


def _refused(text: str) -> ConfigError:
    return ConfigError(
        f"the clock must be a date, or a time with its zone. Received {text!r}.",
        hint="--now 2026-11-20, or --now 2026-11-20T18:30-05:00",
    )
