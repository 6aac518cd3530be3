"""When the night of each exchange begins: some time after its close, in its own time zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from forecast.errors import ConfigError
from forecast.market.sessions import LAG, calendar_name, closing_time

AFTER_CLOSE = timedelta(minutes=150)
"""By then a daily bar is final: 18:30 in New York."""
_TRADING = timedelta(hours=7)


@dataclass(frozen=True)
class Night:
    """When the night of the exchanges in one time zone begins; on every day of the week.

    A night that finds no new session does nothing, so holidays and weekends need no rule here, and
    a night that failed is made up for on the next day whatever day that is.

    Attributes:
        zone: Such as `America/New_York`.
        at: Wall-clock time there, to the minute.
        calendars: Of the exchanges it is for, sorted.
        settled: When their last bar counts as complete, wall-clock time there.
    """

    zone: str
    at: time
    calendars: tuple[str, ...]
    settled: time

    def __str__(self) -> str:
        return f"{self.at:%H:%M} {self.zone}"

    @property
    def too_early(self) -> bool:
        """Whether it begins while the day's session runs or has not settled yet."""
        return timedelta(0) < _between(self.at, self.settled) < _TRADING


def nights(exchanges: Iterable[str], *, at: time | None = None) -> list[Night]:
    """The nights of these exchanges: one a time zone, by its name.

    Args:
        exchanges: Known exchanges, see `market.sessions`.
        at: Wall-clock time in each zone; None for two and a half hours after the last close there.

    Raises:
        ValueError: if an exchange is not known.
    """
    zones: dict[str, dict[str, time]] = {}
    for exchange in exchanges:
        close, zone = closing_time(exchange)
        zones.setdefault(zone, {})[str(calendar_name(exchange))] = close
    return [
        Night(
            zone,
            at or _later(max(closes.values()), AFTER_CLOSE),
            tuple(sorted(closes)),
            _later(max(closes.values()), LAG),
        )
        for zone, closes in sorted(zones.items())
    ]


def parse_time(text: str) -> time:
    """A wall-clock time.

    Raises:
        ConfigError: if it is not `HH:MM`.
    """
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()
    except ValueError as error:
        raise ConfigError(
            f"the time must be HH:MM, from 00:00 to 23:59. Received {text!r}.", hint="--at 18:30"
        ) from error


def _later(moment: time, by: timedelta) -> time:
    return (datetime.combine(datetime.min, moment) + by).time()


def _between(first: time, second: time) -> timedelta:
    day = datetime.min
    return (datetime.combine(day, second) - datetime.combine(day, first)) % timedelta(days=1)
