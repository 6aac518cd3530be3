"""Yahoo's chart answer, checked before yfinance parses it.

yfinance sorts, drops duplicates and empty rows, fills volumes and hides most errors without a word;
so form is checked on the answer itself. What the rows say (a NaN, a negative open, a day told
twice) is left to the quality pass.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import NoneType
from typing import Any
from zoneinfo import ZoneInfo

from forecast.errors import (
    MalformedData,
    RateLimited,
    SourceError,
    SourceUnavailable,
    UnknownTicker,
)

_ARRAYS = ["open", "high", "low", "close", "volume"]

# 999 is Yahoo's own, of old.
_REFUSALS = (429, 999)


class Fault(Exception):  # noqa: N818
    """What went wrong with one request, before it is known whether another try helps.

    Not an OSError: yfinance swallows those while it fetches its cookie.
    """

    def __init__(
        self,
        kind: type[SourceError],
        message: str,
        *,
        again: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.again, self.retry_after = kind, message, again, retry_after


class NoBars(Exception):  # noqa: N818
    """Yahoo knows the ticker and has no bar in the range."""


def read_chart(status: int, body: bytes, *, retry_after: str | None) -> dict[str, Any]:
    """The one result of a chart answer.

    Args:
        status: HTTP status.
        body: As received.
        retry_after: The header of that name.

    Raises:
        Fault: if it is anything but a chart.
        NoBars: if Yahoo says that the range has none.
    """
    if status in _REFUSALS:
        raise Fault(RateLimited, f"Too Many Requests ({status})", retry_after=_seconds(retry_after))
    if status >= 500:
        raise Fault(SourceUnavailable, f"HTTP status {status}", retry_after=_seconds(retry_after))
    if status in (401, 403):
        raise Fault(SourceUnavailable, f"access denied (status {status})")
    try:
        document = json.loads(body)
    except ValueError as error:
        if status == 404:
            raise Fault(UnknownTicker, "not found (404)", again=False) from error
        if b"Will be right back" in body:
            raise Fault(SourceUnavailable, "Yahoo says 'Will be right back'") from error
        what = "HTML" if body.lstrip()[:1] == b"<" else "text"
        raise Fault(MalformedData, f"{what} instead of JSON (status {status})") from error
    chart = document.get("chart") if isinstance(document, dict) else None
    complaint = _complaint(chart)
    if status == 404 or "not found" in complaint.lower():
        raise Fault(UnknownTicker, complaint or "not found (404)", again=False)
    if "Data doesn't exist" in complaint:
        raise NoBars(complaint)
    if status >= 400 or complaint:
        raise Fault(MalformedData, f"{complaint or 'an error'} (status {status})")
    result = chart.get("result") if isinstance(chart, dict) else None
    if not isinstance(result, list) or not result or not isinstance(result[0], dict):
        raise Fault(MalformedData, "a chart without a result")
    return result[0]


def check_meta(result: dict[str, Any]) -> None:
    """Hold the chart's `meta` to a time zone that exists, and to names that are text or null.

    Raises:
        Fault: if it does not keep to that.
    """
    found = result.get("meta")
    meta: dict[str, Any] = found if isinstance(found, dict) else {}
    zone = meta.get("exchangeTimezoneName")
    try:
        ZoneInfo(zone or "")
    except (TypeError, ValueError, OSError) as error:
        raise Fault(MalformedData, f"{zone!r} as the exchange's time zone") from error
    for name in ("exchangeName", "currency"):
        value = meta.get(name)
        if not isinstance(value, str | None):
            raise Fault(MalformedData, f"{value!r} as {name!r}")


def check_rows(result: dict[str, Any]) -> None:
    """Hold the chart's arrays to their form: daily, equal lengths, numbers or null, whole stamps.

    Args:
        result: Its `meta` checked.

    Raises:
        Fault: naming the first rule broken.
        NoBars: if there are no rows.
    """
    interval = result["meta"].get("dataGranularity", "1d")
    if interval != "1d":
        raise Fault(MalformedData, f"{interval!r} as the bars' interval")
    indicators = result.get("indicators")
    quote = _first(indicators, "quote")
    stamps: Any = result.get("timestamp")
    if not stamps and not any(quote.get(name) for name in _ARRAYS):
        raise NoBars("no rows")
    columns = {"timestamp": stamps, **{name: quote.get(name) for name in _ARRAYS}}
    if isinstance(indicators, dict) and "adjclose" in indicators:
        columns["adjclose"] = _first(indicators, "adjclose").get("adjclose")
    elif _dividends(result):
        raise Fault(MalformedData, "dividends without adjusted closes ('adjclose' is missing)")
    lengths = {
        name: len(values) if isinstance(values, list) else None for name, values in columns.items()
    }
    if None in lengths.values() or len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise Fault(MalformedData, f"arrays of unequal length ({told})")
    for name, values in columns.items():
        kinds = {int} if name == "timestamp" else {int, float, NoneType}
        if set(map(type, values)) - kinds:
            odd = next(value for value in values if type(value) not in kinds)
            raise Fault(MalformedData, f"{odd!r} in '{name}'")


def _dividends(result: dict[str, Any]) -> Any:
    events = result.get("events")
    return events.get("dividends") if isinstance(events, dict) else None


def _complaint(chart: Any) -> str:
    error = chart.get("error") if isinstance(chart, dict) else None
    if not error:
        return ""
    if isinstance(error, dict):
        return ": ".join(str(error[key]) for key in ("code", "description") if error.get(key))
    return str(error)


def _first(parent: Any, name: str) -> dict[str, Any]:
    entries = parent.get(name) if isinstance(parent, dict) else None
    if isinstance(entries, list) and entries and isinstance(entries[0], dict):
        return entries[0]
    if entries in (None, [], [None]) and name == "quote":
        return {}
    raise Fault(MalformedData, f"indicators without '{name}'")


def _seconds(header: str | None) -> float | None:
    """`Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); None if absent or neither."""
    if not header:
        return None
    try:
        if header.isdecimal():
            return float(header) if len(header) < 10 else None
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
