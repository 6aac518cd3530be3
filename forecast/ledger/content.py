"""Does each entry say what it must: that the chain is unbroken does not show it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from forecast.errors import ForecastError
from forecast.ledger.entries import Issue, canonical, instant, issue_document


@dataclass(frozen=True)
class _Later:
    """What entries about one step of an issue hold, beside the issue's own words."""

    issue: int
    step: int
    snapshot: str | None
    settled_at: datetime


@dataclass(frozen=True)
class _Outcome(_Later):
    # No price moves so far; beyond, prices and their squares overflow.
    outcome: Annotated[float, Field(ge=-100, le=100)]


@dataclass(frozen=True)
class _Void(_Later):
    reason: str


_ISSUE = TypeAdapter(Issue)
_LATER: dict[str, TypeAdapter[_Outcome] | TypeAdapter[_Void]] = {
    "settlement": TypeAdapter(_Outcome),
    "correction": TypeAdapter(_Outcome),
    "void": TypeAdapter(_Void),
}
# Nesting that the parser cannot follow, and moments that UTC has no year for, are among them.
_FAULTS = (ForecastError, KeyError, TypeError, ValueError, RecursionError, OverflowError)
_OF_THE_ISSUE = ("kind", "ticker", "origin", "session")
_Steps = dict[int, tuple[str, str, str]]
"""Ticker, origin and session of each step that an issue holds; none of another entry."""


def read_entries(
    bodies: Iterable[tuple[int, str]],
) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    """Entries as documents, and what is wrong with those that do not say what they must.

    Args:
        bodies: Number and body of each, in order; some may be missing.

    Returns:
        Number and document of each entry that says what it must; a sentence for each other one.
    """
    entries: list[tuple[int, dict[str, Any]]] = []
    problems: list[str] = []
    known: dict[int, _Steps] = {}
    for number, body in bodies:
        try:
            entry = json.loads(body)
            if entry["kind"] == "issue":
                known[number] = _issued(entry, body)
            else:
                _check_later(entry, body, number, known)
                known[number] = {}
        except _FAULTS as fault:
            problems.append(
                f"entry {number} ({named(body)}) does not say what it must: {_told(fault)}"
            )
        else:
            entries.append((number, entry))
    return entries, problems


def named(body: str) -> str:
    """An entry in words, as far as it can be read; fit to be printed."""
    try:
        entry = json.loads(body)
        return _plain(f"{entry['kind']} of {entry['ticker']}, origin {entry['origin']}")
    except _FAULTS:
        return "no readable entry"


def _issued(entry: dict[str, Any], body: str) -> _Steps:
    issue = _ISSUE.validate_json(body, strict=True)
    document = issue_document(issue, known_until=issue.origin)
    if document != entry:
        wrong = sorted(name for name in document if entry.get(name) != document[name])
        raise ValueError(f"not as the ledger writes {', '.join(wrong) or 'its parts'}")
    _require_canonical(entry, body)
    return {
        step["step"]: (entry["ticker"], entry["origin"], step["session"]) for step in entry["steps"]
    }


def _check_later(
    entry: dict[str, Any], body: str, number: int, known: Mapping[int, _Steps]
) -> None:
    if entry["kind"] not in _LATER:
        raise ValueError(f"kind {entry['kind']!r} is none")
    later = _LATER[entry["kind"]].validate_json(body, strict=True)
    if entry["settled_at"] != instant(later.settled_at):
        raise ValueError("not as the ledger writes settled_at")
    if extra := sorted(entry.keys() - {*_OF_THE_ISSUE, *asdict(later)}):
        raise ValueError(f"such an entry holds no {', '.join(extra)}")
    if entry["settled_at"] < entry["session"]:
        raise ValueError(f"of {entry['session']} nothing was known at {entry['settled_at']}")
    if later.issue >= number:
        raise ValueError(f"entry {later.issue} comes later")
    # Of a damaged ledger an issue may be unreadable while its settlement is not.
    steps = known.get(later.issue)
    same = (entry["ticker"], entry["origin"], entry["session"])
    if steps is not None and steps.get(later.step) != same:
        raise ValueError(f"entry {later.issue} issued no such step")
    _require_canonical(entry, body)


def _require_canonical(entry: dict[str, Any], body: str) -> None:
    """The same document in another text: a name that is there twice, other spaces."""
    if canonical(entry) != body:
        raise ValueError("not in the ledger's one way of writing")


def _plain(text: str) -> str:
    """Without what a terminal obeys, or no text can be written with."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _told(fault: Exception) -> str:
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    if isinstance(fault, ValidationError):
        first = fault.errors()[0]
        return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
    if isinstance(fault, KeyError):
        return f"no {fault.args[0]}"
    return _plain(fault.message if isinstance(fault, ForecastError) else str(fault))
