"""The faults: each turns a good answer into what Yahoo sends on a bad day.

A fault is a function from `Answer` to `Answer`; those made with `on_rows` edit the chart's arrays
and leave the time zone look-up (`range=1d`) alone.
"""

import json
from collections.abc import Callable
from typing import Any

from loopback.yahoo import Answer, Fault


def too_many_requests(retry_after: str | None = None) -> Fault:
    """429, with or without Retry-After."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return lambda _: Answer(429, b"Too Many Requests\r\n", headers)


def broken(status: int = 503, retry_after: str | None = None) -> Fault:
    """A fault of the server's own."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return lambda _: Answer(status, b"<html><body>Service Unavailable</body></html>", headers)


def html(_: Answer) -> Answer:
    """A web page instead of JSON."""
    return Answer(200, b"<!doctype html><html><body>Sign in</body></html>")


def down(_: Answer) -> Answer:
    """What Yahoo shows while it is being mended."""
    return Answer(200, b"<html>Will be right back... Thank you for your patience.</html>")


def silent(_: Answer) -> Answer:
    """No answer, until who asked gives up."""
    return Answer(0, None, silent=True)


def cut(_: Answer) -> Answer:
    """The connection closed without an answer."""
    return Answer(0, None)


def cut_short(answer: Answer) -> Answer:
    """The connection closed in the middle of the answer."""
    return Answer(answer.status, answer.body, answer.headers, part=0.5)


def no_result(_: Answer) -> Answer:
    """`result: []`, which yfinance takes for a delisted ticker."""
    return Answer.of({"chart": {"result": [], "error": None}})


def no_such_range(_: Answer) -> Answer:
    """The other way in which Yahoo says that a range has no bars."""
    told = {"code": "Bad Request", "description": "Data doesn't exist for startDate = 1"}
    return Answer.of({"chart": {"result": None, "error": told}}, 400)


def stale_crumb(_: Answer) -> Answer:
    """What a crumb of yesterday gets."""
    told = {"code": "Unauthorized", "description": "Invalid Crumb"}
    return Answer.of({"finance": {"result": None, "error": told}}, 401)


def on_rows(edit: Callable[[dict[str, Any], dict[str, list[Any]]], None]) -> Fault:
    """A fault that edits the chart's result, and its columns by name, in place."""

    def spoil(answer: Answer) -> Answer:
        document = json.loads(answer.body or b"{}")
        results = document.get("chart", {}).get("result")
        if not results or len(results[0].get("timestamp", [])) < 2:
            return answer
        indicators = results[0]["indicators"]
        edit(
            results[0],
            {"timestamp": results[0]["timestamp"]}
            | indicators["quote"][0]
            | indicators["adjclose"][0],
        )
        return Answer.of(document)

    return spoil


def ragged(column: str = "close") -> Fault:
    """One array a value short."""
    return on_rows(lambda _, columns: columns[column].pop())


def unadjusted() -> Fault:
    """A dividend, and no adjusted closes."""

    def take_away(result: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        del result["indicators"]["adjclose"]
        paid = {"amount": 0.24, "date": columns["timestamp"][1]}
        result["events"] = {"dividends": {str(paid["date"]): paid}}

    return on_rows(take_away)


def truncated(rows: int) -> Fault:
    """The last rows missing from every array."""

    def cut_off(_: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        for values in columns.values():
            del values[-rows:]

    return on_rows(cut_off)


def cell(column: str, row: int, value: Any) -> Fault:
    """One value replaced: null, a negative price, a high below the low, text."""
    return on_rows(lambda _, columns: columns[column].__setitem__(row, value))


def empty_row(row: int) -> Fault:
    """One row of nulls."""

    def clear(_: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        for name, values in columns.items():
            if name != "timestamp":
                values[row] = None

    return on_rows(clear)


def repeated_row(row: int) -> Fault:
    """A row sent twice."""

    def repeat(_: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        for values in columns.values():
            values.insert(row, values[row])

    return on_rows(repeat)


def repeated_session(row: int) -> Fault:
    """A row with the stamp of the one before it, an hour later: two closes for one day."""
    return on_rows(
        lambda _, columns: columns["timestamp"].__setitem__(
            row, columns["timestamp"][row - 1] + 3600
        )
    )


def unsorted() -> Fault:
    """All rows, the newest first."""

    def reverse(_: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        for values in columns.values():
            values.reverse()

    return on_rows(reverse)


def live_row(seconds: int, **values: float) -> Fault:
    """The last row once more, so many seconds later, as Yahoo appends it on a trading day."""

    def append(_: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        for name, column in columns.items():
            column.append(values.get(name, column[-1]))
        columns["timestamp"][-1] += seconds

    return on_rows(append)


def meta(**values: Any) -> Fault:
    """Other values in `meta`, also for the time zone look-up; None takes one away."""

    def spoil(answer: Answer) -> Answer:
        document = json.loads(answer.body or b"{}")
        known = document["chart"]["result"][0]["meta"]
        known.update(values)
        for name in [name for name, value in values.items() if value is None]:
            del known[name]
        return Answer.of(document)

    return spoil
