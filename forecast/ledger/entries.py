"""What the ledger holds: entries as canonical JSON, each bound to all before it by its hash.

issue         a forecast of the coming sessions, as it was when its outcome could not be known
settlement    the outcome of one step, from the first bars that held it
void          one step's outcome that will not come: the session has no bar
correction    one step's outcome that later bars tell otherwise
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from forecast.errors import ArtifactError
from forecast.features.targets import LEVELS
from forecast.market.bars import check_ticker

GENESIS = hashlib.sha256(b"forecast ledger 1").hexdigest()
"""What the first entry's hash is built on."""


@dataclass(frozen=True)
class IssuedStep:
    """The forecast of one coming session, and of the reference from the same origin.

    Attributes:
        step: Sessions ahead, >= 1.
        session: The session forecast.
        point: Log return from the origin's close.
        quantiles: Log returns at `LEVELS`, 7, non-decreasing.
        reference_point: The point forecast of `ewma`.
        reference_quantiles: The quantiles of `ewma`.
    """

    step: int
    session: date
    point: float
    quantiles: tuple[float, ...]
    reference_point: float
    reference_quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Issue:
    """One ticker's forecast from one origin.

    Attributes:
        ticker: Such as `AAPL`.
        origin: The last session whose bar it was made from.
        issued_at: When it was made, tz-aware.
        run: The run whose network made it.
        network: Such as `lstm`.
        snapshot: The bars it was made from.
        last_close: Close at the origin in that day's money, unadjusted [quote currency].
        steps: Steps 1, 2, … in order.
    """

    ticker: str
    origin: date
    issued_at: datetime
    run: str
    network: str
    snapshot: str
    last_close: float
    steps: tuple[IssuedStep, ...]


def canonical(document: dict[str, Any]) -> str:
    """The one text of a document: sorted keys, no spaces, ASCII, floats that read back exactly.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def link(previous: str, number: int, body: str) -> str:
    """An entry's hash: SHA-256 over the hash before it, its number and its canonical JSON."""
    return hashlib.sha256(f"{previous}\n{number}\n{body}".encode()).hexdigest()


def instant(moment: datetime) -> str:
    """A tz-aware moment in UTC, to the microsecond.

    Raises:
        ValueError: if it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs its time zone. Received {moment!r}.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def issue_document(issue: Issue, *, known_until: date) -> dict[str, Any]:
    """The issue as an entry, if it makes sense and was made before its outcome could be known.

    Args:
        issue: The forecast.
        known_until: The last completed session.

    Raises:
        ValueError: if a number is not finite, quantiles cross, a close is not positive, steps are
            not 1, 2, … or sessions not in order, or it was made after the first of them.
        UnknownTicker: if the ticker is none.
        ArtifactError: if a session forecast has already closed.
    """
    steps = [_step_document(step) for step in issue.steps]
    origin, sessions = _day(issue.origin), [step["session"] for step in steps]
    if [step["step"] for step in steps] != list(range(1, len(steps) + 1)) or not steps:
        raise ValueError(f"steps must be 1, 2, … Received {[step.step for step in issue.steps]}.")
    if any(a >= b for a, b in pairwise([origin, *sessions])):
        raise ValueError(f"sessions must follow {origin} in order. Received {sessions}.")
    (last_close,) = _finite("last_close", [issue.last_close], 1)
    if last_close <= 0:
        raise ValueError(f"the last close must be a positive number. Received {last_close}.")
    for name in ("run", "network", "snapshot"):
        if not getattr(issue, name):
            raise ValueError(f"an issue must name its {name}.")
    ticker, known = check_ticker(issue.ticker), _day(known_until)
    if sessions[0] <= known:
        raise ArtifactError(
            f"{ticker}: a forecast must be recorded before its outcome can be known. Received one "
            f"of session {sessions[0]}; the session {known} has closed.",
            hint=f"forecast fetch {ticker}, so that the forecast starts at the newest close",
        )
    issued_at = instant(issue.issued_at)
    # Wherever the exchange is: no session closes later than the day after it begins.
    if issued_at >= _day(issue.steps[0].session + timedelta(days=1)):
        raise ValueError(f"issued at {issued_at}, after the session {sessions[0]} had closed.")
    return {
        "kind": "issue",
        "ticker": ticker,
        "origin": origin,
        "issued_at": issued_at,
        "run": issue.run,
        "network": issue.network,
        "snapshot": issue.snapshot,
        "last_close": last_close,
        "steps": steps,
    }


def _step_document(step: IssuedStep) -> dict[str, Any]:
    return {
        "step": int(step.step),
        "session": _day(step.session),
        "point": _finite("point", [step.point], 1)[0],
        "quantiles": _ordered("quantiles", step.quantiles),
        "reference_point": _finite("reference_point", [step.reference_point], 1)[0],
        "reference_quantiles": _ordered("reference_quantiles", step.reference_quantiles),
    }


def _ordered(name: str, values: Sequence[float]) -> list[float]:
    numbers = _finite(name, values, len(LEVELS))
    if any(low > high for low, high in pairwise(numbers)):
        raise ValueError(f"{name} must not decrease. Received {numbers}.")
    return numbers


def _finite(name: str, values: Sequence[float], count: int) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} must be {count} finite numbers. Received {numbers}.")
    return numbers


def _day(value: date) -> str:
    # A pandas timestamp is a date too, with a time of day that would spoil comparisons.
    return f"{value:%Y-%m-%d}"
