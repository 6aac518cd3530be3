"""What bars say about forecasts: outcomes, corrections, and sessions that never came."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from forecast.ledger.entries import instant

TOLERANCE = 1e-6
"""Outcomes that differ by less are the same: vendors round adjusted prices [log return]."""
STOPPED_AFTER = timedelta(days=30)
"""A session without a bar for so long, and no later bar either, will not have one."""


@dataclass(frozen=True)
class Settlement:
    """What settling one ticker did.

    Attributes:
        settled: Steps whose outcome is now recorded.
        corrected: Steps settled before whose outcome was recorded anew.
        pending: Steps that still wait for their bar.
        void: Steps of which it is now recorded that no bar will come.
    """

    settled: int
    corrected: int
    pending: int
    void: int = 0

    @property
    def news(self) -> bool:
        """Whether anything was recorded."""
        return self.settled + self.corrected + self.void > 0


@dataclass(frozen=True)
class Known:
    """The newest outcome recorded for one step; None where the step is void."""

    outcome: float | None


@dataclass(frozen=True)
class Closes:
    """Adjusted closes of one snapshot by ISO date; none where no bars could be had."""

    by_session: Mapping[str, float]
    sessions: list[str]

    @classmethod
    def of(cls, bars: pd.DataFrame | None) -> Closes:
        """The closes of bars.

        Raises:
            ValueError: if the bars are empty, or sessions are not in order.
        """
        if bars is None:
            return cls({}, [])
        if bars.empty or not bars.index.is_monotonic_increasing or not bars.index.is_unique:
            raise ValueError("bars to settle with must be in order and at least one.")
        sessions = pd.DatetimeIndex(bars.index).strftime("%Y-%m-%d").tolist()
        return cls(dict(zip(sessions, bars["close"].tolist(), strict=True)), sessions)

    def outcome(self, origin: str, session: str) -> float | None:
        """Log return from the close at the origin; None where one of both has no bar.

        Raises:
            ValueError: if a close is not a positive finite number.
        """
        before, after = self.by_session.get(origin), self.by_session.get(session)
        if before is None or after is None:
            return None
        if not (0 < before < math.inf and 0 < after < math.inf):
            raise ValueError(f"closes must be positive. Received {before} and {after}.")
        return math.log(after / before)

    def why_never(self, origin: str, session: str, today: date) -> str | None:
        """Why no outcome will come, in words; None as long as it may."""
        if session in self.by_session:
            return f"the bars hold no close at the origin {origin}"
        later = bisect_right(self.sessions, session)
        if later < len(self.sessions):
            return f"no bar of {session}; the next one is of {self.sessions[later]}"
        if today - date.fromisoformat(session) > STOPPED_AFTER:
            last = (
                f"the last one is of {self.sessions[-1]}" if self.sessions else "none could be had"
            )
            return f"no bar of {session} or later within {STOPPED_AFTER.days} days; {last}"
        return None


def new_entries(
    issues: Iterable[tuple[int, Mapping[str, Any]]],
    known: Mapping[tuple[int, int], Known],
    closes: Closes,
    *,
    snapshot: str | None,
    now: datetime,
) -> Iterator[dict[str, Any] | None]:
    """What to record about each step of each issue: an entry, or None for one that waits.

    A step whose newest recorded outcome still holds gives nothing.

    Args:
        issues: Entry number and document of each issue of one ticker.
        known: By entry number and step, the newest outcome recorded.
        closes: Of one snapshot.
        snapshot: Its name; None where there are no bars.
        now: tz-aware.

    Raises:
        ValueError: if there is a bar of a day that had not begun.
    """
    today = now.astimezone(UTC).date()
    if closes.sessions and closes.sessions[-1] > f"{today}":
        raise ValueError(f"bars must not be of after {today}. Received {closes.sessions[-1]}.")
    for number, issue in issues:
        for step in issue["steps"]:
            origin, session = issue["origin"], step["session"]
            outcome = closes.outcome(origin, session)
            before = known.get((number, step["step"]))
            news: dict[str, Any]
            if outcome is not None and before is None:
                news = {"kind": "settlement", "outcome": outcome}
            elif outcome is not None and before is not None and _differs(before, outcome):
                news = {"kind": "correction", "outcome": outcome}
            elif before is not None:
                continue
            elif reason := closes.why_never(origin, session, today):
                news = {"kind": "void", "reason": reason}
            else:
                yield None
                continue
            yield news | {
                "issue": number,
                "ticker": issue["ticker"],
                "origin": origin,
                "step": step["step"],
                "session": session,
                "snapshot": snapshot,
                "settled_at": instant(now),
            }


def _differs(before: Known, outcome: float) -> bool:
    return before.outcome is None or abs(outcome - before.outcome) > TOLERANCE
