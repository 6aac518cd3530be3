"""Does each entry say what it must: that the chain is unbroken does not show it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from forecast.errors import ForecastError
from forecast.ledger.entries import Issue, instant, issue_document


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
        except (ForecastError, KeyError, TypeError, ValueError) as fault:
            problems.append(
                f"entry {number} ({named(body)}) does not say what it must: {_told(fault)}"
            )
        else:
            entries.append((number, entry))
    return entries, problems


def named(body: str) -> str:
    """An entry in words, as far as it can be read."""
    try:
        entry = json.loads(body)
        return f"{entry['kind']} of {entry['ticker']}, origin {entry['origin']}"
    except (ValueError, KeyError, TypeError):
        return "no readable entry"


def _issued(entry: dict[str, Any], body: str) -> _Steps:
    issue = _ISSUE.validate_json(body, strict=True)
    document = issue_document(issue, known_until=issue.origin)
    if document != entry:
        wrong = sorted(name for name in document if entry.get(name) != document[name])
        raise ValueError(f"not as the ledger writes {', '.join(wrong) or 'its parts'}")
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
    if later.issue >= number:
        raise ValueError(f"entry {later.issue} comes later")
    # Of a damaged ledger an issue may be unreadable while its settlement is not.
    steps = known.get(later.issue)
    same = (entry["ticker"], entry["origin"], entry["session"])
    if steps is not None and steps.get(later.step) != same:
        raise ValueError(f"entry {later.issue} issued no such step")


def _told(fault: Exception) -> str:
    if isinstance(fault, ValidationError):
        first = fault.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(fault, KeyError):
        return f"no {fault.args[0]}"
    return fault.message if isinstance(fault, ForecastError) else str(fault)
