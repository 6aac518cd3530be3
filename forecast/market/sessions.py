"""When an exchange trades: the last completed session, the coming ones, the gaps.

A session is a tz-naive date. `exchange` is, everywhere, a code of Yahoo (`NMS`, `LSE`, `CCC` …),
a calendar of exchange_calendars (`XNYS`, `XTKS` …), `weekdays` or `every_day`.
"""

from __future__ import annotations

import threading
from datetime import time
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.errors import ConfigError
from forecast.market.quiet import quiet

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

WEEKDAYS = "weekdays"
EVERY_DAY = "every_day"

# Yahoo's exchange code → calendar. Venues of one country that keep the same days share one.
CALENDARS = {
    **dict.fromkeys(["NMS", "NGM", "NCM", "NAS", "NIM", "NYQ", "NYS", "ASE", "PCX", "BTS"], "XNYS"),
    **dict.fromkeys(["PNK", "OQB", "OQX", "OEM", "OBB", "SNP", "DJI", "CXI", "WCB"], "XNYS"),
    **dict.fromkeys(["CME", "CBT", "CMX", "NYM"], "CMES"),
    **dict.fromkeys(["TOR", "VAN", "CNQ", "NEO"], "XTSE"),
    **dict.fromkeys(["LSE", "IOB", "AQS", "FGI"], "XLON"),
    "GER": "XETR",
    # Their floors trade to 22:00; exchange_calendars closes XFRA with Xetra, at 17:30.
    **dict.fromkeys(["FRA", "XFRA", "BER", "MUN", "HAN", "DUS"], "XDUS"),
    **dict.fromkeys(["JPX", "TYO", "OSA", "FKA", "SAP"], "XTKS"),
    **dict.fromkeys(["SHH", "SHZ"], "XSHG"),
    **dict.fromkeys(["NSI", "BSE"], "XBOM"),
    **dict.fromkeys(["KSC", "KOE"], "XKRX"),
    **dict.fromkeys(["TAI", "TWO"], "XTAI"),
    **dict.fromkeys(["EBS", "VTX"], "XSWX"),
    "STU": "XSTU", "HAM": "XHAM",
    "PAR": "XPAR", "AMS": "XAMS", "BRU": "XBRU", "LIS": "XLIS", "MIL": "XMIL", "MCE": "XMAD",
    "ISE": "XDUB", "VIE": "XWBO", "CPH": "XCSE", "HEL": "XHEL", "STO": "XSTO",
    "OSL": "XOSL", "WSE": "XWAR", "PRA": "XPRA", "BUD": "XBUD", "IST": "XIST",
    "SAU": "XSAU", "JNB": "XJSE", "HKG": "XHKG", "SES": "XSES", "JKT": "XIDX", "KLS": "XKLS",
    "SET": "XBKK", "PHS": "XPHS", "PHP": "XPHS", "ASX": "XASX", "NZE": "XNZE", "SAO": "BVMF",
    "MEX": "XMEX", "BUE": "XBUE", "SGO": "XSGO",
    # exchange_calendars 4.13 cannot build those of Athens and Tel Aviv.
    "ATH": WEEKDAYS,
    "CCY": WEEKDAYS,
    "CCC": EVERY_DAY,
}  # fmt: skip

# What ends a ticker of Yahoo's → the calendar of the exchange that it is listed on.
SUFFIXES = {
    "AS": "XAMS", "AX": "XASX", "BA": "XBUE", "BD": "XBUD", "BE": "XDUS", "BK": "XBKK",
    "BO": "XBOM", "BR": "XBRU", "CO": "XCSE", "DE": "XETR", "DU": "XDUS", "F": "XDUS",
    "HE": "XHEL", "HK": "XHKG", "HM": "XHAM", "IL": "XLON", "IR": "XDUB", "IS": "XIST",
    "JK": "XIDX", "JO": "XJSE", "KL": "XKLS", "KQ": "XKRX", "KS": "XKRX", "L": "XLON",
    "LS": "XLIS", "MC": "XMAD", "MI": "XMIL", "MU": "XDUS", "MX": "XMEX", "NS": "XBOM",
    "NZ": "XNZE", "OL": "XOSL", "PA": "XPAR", "PR": "XPRA", "PS": "XPHS", "SA": "BVMF",
    "SG": "XSTU", "SI": "XSES", "SN": "XSGO", "SR": "XSAU", "SS": "XSHG", "ST": "XSTO",
    "SW": "XSWX", "SZ": "XSHG", "T": "XTKS", "TO": "XTSE", "TW": "XTAI", "TWO": "XTAI",
    "V": "XTSE", "VI": "XWBO", "WA": "XWAR",
}  # fmt: skip

LAG = pd.Timedelta(minutes=30)
_FIRST_YEAR = 1970
_BUILDING = threading.Lock()


def calendar_name(exchange: str | None) -> str | None:
    """The calendar an exchange keeps, or None when the code is not known.

    Args:
        exchange: As this module's docstring says, in any case.
    """
    if exchange is None:
        return None
    if exchange.lower() in (WEEKDAYS, EVERY_DAY):
        return exchange.lower()
    code = exchange.upper()
    if code in CALENDARS:
        return CALENDARS[code]
    return code if code in CALENDARS.values() else None


def check_exchange(exchange: str) -> str:
    """The same exchange, if its calendar is known: for a setting.

    Raises:
        ConfigError: if it is not; names the nearest, then the choices.
    """
    if calendar_name(exchange) is None:
        choices = [*sorted(set(CALENDARS.values()) - {WEEKDAYS, EVERY_DAY}), WEEKDAYS, EVERY_DAY]
        known = {one.upper(): one for one in (*choices, *CALENDARS)}
        near = [known[one] for one in get_close_matches(exchange.upper(), known)]
        meant = f"{' or '.join(near)}, if that was meant; else " if near else ""
        raise ConfigError(
            f"the exchange must be a known code. Received {exchange!r}.",
            hint=f"{meant}{', '.join(choices)}, or a code of Yahoo such as NMS",
        )
    return exchange


def infer_calendar(sessions: pd.DatetimeIndex, ticker: str = "") -> str:
    """The calendar that bars without an exchange seem to keep.

    `every_day` where at least one bar in ten is a Saturday's and one in ten a Sunday's; that of
    the ticker's suffix (see `SUFFIXES`), else `XNYS`, where at most 1 % of the bars lie outside
    its sessions and at least 80 % of its sessions have one; else `weekdays`.

    Args:
        sessions: Index of the bars, increasing, shape (n,), n >= 1.
        ticker: Yahoo's spelling, such as `7203.T`.
    """
    weekday = sessions.day_of_week.to_numpy()
    if (weekday == 5).mean() >= 0.1 and (weekday == 6).mean() >= 0.1:
        return EVERY_DAY
    likely = (SUFFIXES.get(ticker.upper().partition(".")[2]), "XNYS")
    return next((name for name in likely if name and _fits(name, sessions)), WEEKDAYS)


def _fits(name: str, sessions: pd.DatetimeIndex) -> bool:
    kept = _sessions(name, sessions[-1].year + 1)
    inside = sessions[(sessions >= kept[0]) & (sessions <= kept[-1])]
    kept = kept[(kept >= sessions[0]) & (kept <= sessions[-1])]
    hits = int(inside.isin(kept).sum())
    return hits > 0 and hits >= 0.99 * len(inside) and hits >= 0.8 * len(kept)


def last_completed(exchange: str, now: pd.Timestamp, *, lag: pd.Timedelta = LAG) -> pd.Timestamp:
    """The newest session whose close, plus a settlement lag, is past.

    Half days, holidays and daylight saving are the calendar's. `weekdays` and `every_day` sessions
    close at midnight UTC.

    Args:
        exchange: A known exchange.
        now: tz-aware.
        lag: Time after the close until the bar counts as settled.

    Raises:
        ValueError: if the exchange is not known.
    """
    moment = now.tz_convert("UTC").tz_localize(None) - lag
    name = _known(exchange)
    if name not in (WEEKDAYS, EVERY_DAY):
        sessions, closes = _closes(name, moment.year)
        if len(closes) and closes[0] <= moment.to_datetime64():
            place = int(np.searchsorted(closes, moment.to_datetime64(), side="right")) - 1
            if moment <= sessions[-1]:
                return sessions[place]
    day = moment.normalize() - pd.Timedelta(days=1)
    if name != EVERY_DAY and day.day_of_week >= 5:
        day -= pd.Timedelta(days=day.day_of_week - 4)
    return day


def next_sessions(exchange: str, after: pd.Timestamp, count: int) -> pd.DatetimeIndex:
    """The `count` sessions that follow `after`.

    Past the calendar's end every weekday counts as a session.

    Args:
        exchange: A known exchange.
        after: A session, usually the newest bar's.
        count: How many, >= 1.

    Raises:
        ValueError: if the exchange is not known or `count` < 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1. Received {count}.")
    # A year has more than 235 sessions on every exchange.
    last = after + pd.Timedelta(days=30 + count * 366 // 235)
    return expected_sessions(exchange, after + pd.Timedelta(days=1), last)[:count]


def next_open(exchange: str | None, after: pd.Timestamp) -> pd.Timestamp | None:
    """When the session that follows `after` opens, tz-aware; None where no calendar tells.

    Args:
        exchange: Any code, known or not.
        after: A session.
    """
    name = calendar_name(exchange)
    if name is None or name in (WEEKDAYS, EVERY_DAY):
        return None
    place = _sessions(name, after.year).searchsorted(after, side="right")
    opens = _calendar(name, after.year).opens
    return opens.iloc[place] if place < len(opens) else None


def closing_time(exchange: str) -> tuple[time, str]:
    """When a usual session closes: wall-clock time, and the time zone it is in.

    Half days close earlier. `weekdays` and `every_day` sessions close at midnight UTC.

    Args:
        exchange: A known exchange.

    Raises:
        ValueError: if the exchange is not known.
    """
    name = _known(exchange)
    if name in (WEEKDAYS, EVERY_DAY):
        return time(0, 0), "UTC"
    calendar = _calendar(name, pd.Timestamp.now().year)
    return calendar.close_times[-1][1], str(calendar.tz)


def expected_sessions(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """All sessions from `first` to `last`, both included.

    None are expected before the calendar's beginning; past its end every weekday is one.

    Raises:
        ValueError: if the exchange is not known.
    """
    name = _known(exchange)
    if name == EVERY_DAY:
        return _plain(pd.date_range(first, last))
    if name == WEEKDAYS:
        return _plain(pd.bdate_range(first, last))
    kept = _sessions(name, last.year)
    inside = kept[kept.searchsorted(first) : kept.searchsorted(last, side="right")]
    beyond = max(kept[-1] + pd.Timedelta(days=1), first)
    if last < beyond:
        return inside
    return pd.DatetimeIndex(inside.append(_plain(pd.bdate_range(beyond, last))))


def _plain(dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """In the unit of every source's index, and without a frequency to compare."""
    return pd.DatetimeIndex(dates.as_unit("us").to_numpy(), name="session")


def _known(exchange: str) -> str:
    name = calendar_name(exchange)
    if name is None:
        raise ValueError(f"the exchange must be a known one. Received {exchange!r}.")
    return name


@lru_cache(maxsize=256)
def _sessions(name: str, until_year: int) -> pd.DatetimeIndex:
    return _plain(_calendar(name, until_year).sessions)


@lru_cache(maxsize=256)
def _closes(name: str, until_year: int) -> tuple[pd.DatetimeIndex, np.ndarray]:
    closes = _calendar(name, until_year).closes.dt.tz_localize(None).to_numpy()
    return _sessions(name, until_year), closes


def _calendar(name: str, until_year: int) -> ExchangeCalendar:
    # Two years from now at least, so that nearly every caller shares one calendar.
    year = max(until_year, pd.Timestamp.now().year + 1)
    with _BUILDING:
        return _build(name, year)


@lru_cache(maxsize=64)
def _build(name: str, year: int) -> ExchangeCalendar:
    from exchange_calendars import get_calendar

    first, last = pd.Timestamp(_FIRST_YEAR, 1, 1), pd.Timestamp(year, 12, 31)
    # exchange_calendars 4.13 uses what pandas 3.1 deprecates.
    with quiet():
        try:
            return get_calendar(name, start=first, end=last)
        except ValueError:
            usual = get_calendar(name)  # the last 20 years, to the end of what it knows
        earliest, latest = usual.bound_min(), usual.bound_max()
        first = first if earliest is None else max(first, earliest)
        last = last if latest is None else min(last, latest)
        return get_calendar(name, start=first, end=last)
