"""What is said of a history: findings, how severe they are, and from when on something is one.

Findings are of three severities. `reject`: the history is not used at all. `repair`: a safe change,
made and reported. `warn`: left as it is. `docs/data.md` has the table of all kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

Severity = Literal["reject", "repair", "warn"]

# A finding that concerns most of a history would make every manifest as long as the history.
MOST_LISTED = 250


@dataclass(frozen=True)
class Thresholds:
    """When something counts as odd; the defaults are tuned on 88 US tickers.

    Attributes:
        jump: A close-to-close return is a jump above so many robust standard deviations (the
            median absolute return of the surrounding 61 sessions, scaled to a normal's).
        jump_floor: … and above this size [log return].
        flat_run: So many equal closes in a row, or more, are a finding.
        few_sessions: Fewer sessions than this are a finding.
        stale_sessions: A newest bar older than so many sessions is a finding (Yahoo only).
        rounding: OHLC order broken by no more than this fraction is rounding, and is clamped.
    """

    jump: float = 12.0
    jump_floor: float = 0.15
    flat_run: int = 6
    few_sessions: int = 250
    stale_sessions: int = 5
    rounding: float = 1e-6


@dataclass(frozen=True)
class Finding:
    """One thing that is odd about a history.

    Attributes:
        severity: See the module.
        kind: One word, e.g. `jump`.
        sessions: ISO dates concerned, increasing, at most `MOST_LISTED` of them.
        did: What was found and what was done, for a person.
    """

    severity: Severity
    kind: str
    sessions: list[str]
    did: str

    def as_document(self) -> dict[str, Any]:
        """The finding as `fetch --json` and the manifest show it."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "sessions": self.sessions,
            "did": self.did,
        }


def found(severity: Severity, kind: str, sessions: pd.Index, did: str) -> Finding:
    """A finding about these sessions, counted and told the first of them."""
    count = len(sessions)
    listed = f", the first {MOST_LISTED} listed" if count > MOST_LISTED else ""
    return Finding(
        severity, kind, _dates(sessions), f"{count} session{'s'[: count > 1]}{listed}: {did}"
    )


def broken(
    kind: str,
    rule: str,
    quotes: pd.DataFrame,
    where: np.ndarray | pd.Series,
    column: str | None = None,
) -> list[Finding]:
    """A reject, if a rule does not hold somewhere; with the first value that breaks it.

    Args:
        kind: Of the finding.
        rule: What must hold.
        quotes: With n rows.
        where: The rows that break it, shape (n,).
        column: Whose value is told, or None.
    """
    mask = np.asarray(where, dtype=bool)
    if not mask.any():
        return []
    first, count = int(mask.argmax()), int(mask.sum())
    value = f" ({quotes[column].iloc[first]})" if column else ""
    what = (
        f"{rule}. Received {count} row{'s'[: count > 1]} where it is not so, "
        f"first session {quotes.index[first].date().isoformat()}{value}."
    )
    return [Finding("reject", kind, _dates(quotes.index[mask]), what)]


def _dates(sessions: pd.Index) -> list[str]:
    return [session.date().isoformat() for session in sessions[:MOST_LISTED]]
