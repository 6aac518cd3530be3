"""What is known of the coming sessions: their place in the week and in the year.

The coming sessions are taken to be the next days of the ticker's trading week, holidays
included. Which sessions did come is known only later, and a row must not depend on it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

CALENDAR = ("weekday_sin", "weekday_cos", "year_sin", "year_cos")
"""Numbers of each session ahead."""

_RARE = 0.05
_YEAR = 365.25


def trading_week(sessions: pd.DatetimeIndex) -> str:
    """The days of the week on which a ticker trades, Monday first, as `1111100`.

    Single sessions on other days, such as a Saturday in place of a storm's Monday, do not count.

    Args:
        sessions: Of the training part, at least one.
    """
    shares = np.bincount(sessions.day_of_week, minlength=7) / len(sessions)
    return "".join("1" if share >= _RARE else "0" for share in shares)


def calendar_ahead(sessions: pd.DatetimeIndex, *, week: str, horizon: int) -> np.ndarray:
    """The calendar of the next days of the trading week after each session.

    Args:
        sessions: Shape (n,).
        week: As `trading_week` gives it.
        horizon: Days ahead, >= 1.

    Returns:
        Shape (n, horizon * 4), float32: `CALENDAR` of the first day, of the second, …; each in
        [-1, 1], weekdays on a circle of seven days, days of the year on one of 365.25.
    """
    days = sessions.to_numpy().astype("datetime64[D]")
    steps = np.arange(1, horizon + 1)
    ahead = pd.DatetimeIndex(
        np.busday_offset(days[:, None], steps, roll="backward", weekmask=week).ravel()
    )
    weekday = 2.0 * np.pi * ahead.day_of_week.to_numpy() / 7.0
    year = 2.0 * np.pi * ahead.day_of_year.to_numpy() / _YEAR
    waves = np.stack([np.sin(weekday), np.cos(weekday), np.sin(year), np.cos(year)], axis=-1)
    return waves.reshape(len(sessions), horizon * len(CALENDAR)).astype("float32")
