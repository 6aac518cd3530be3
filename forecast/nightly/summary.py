"""What a night did, as JSON: an entry a ticker; and the page that shows it.

    reports/nightly/2026-11-20/index.html     the page
    reports/nightly/2026-11-20/summary.json   the same, unrounded

The date is the newest session that was completed of any ticker; where none could be looked at, the
day in UTC. Runs that come later for the same session add what they did; what an earlier one did
stays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from forecast.errors import ForecastError
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.files import write_json
from forecast.ledger import Settlement
from forecast.nightly.commit import Committed
from forecast.nightly.plan import Plan
from forecast.nightly.work import Forecast, Outcome

_Status = Literal["done", "nothing", "failed", "late"]
DONE: Final = "done"
NOTHING: Final = "nothing"
FAILED: Final = "failed"
LATE: Final = "late"
_COUNTS = ("settled", "corrected", "void")
_TRAINING = ("trained", "promoted", "reason", "run", "why", "figures", "seconds")
_FORECAST = ("issued", "unissued", "forecast")


@dataclass(frozen=True)
class _Entry:
    """A ticker's entry; what `figures`, `forecast` and `live` hold is their makers' affair."""

    ticker: str
    session: str | None
    status: _Status
    trained: bool = False
    promoted: bool = False
    reason: str | None = None
    run: str | None = None
    champion: str | None = None
    issued: bool = False
    settled: int = 0
    corrected: int = 0
    void: int = 0
    error: dict[str, str | None] | None = None
    why: str | None = None
    unissued: str | None = None
    figures: dict[str, Any] | None = None
    forecast: dict[str, Any] | None = None
    notices: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    live: dict[str, Any] | None = None
    seconds: float = 0.0


_ENTRY = TypeAdapter(_Entry)


def nothing(plan: Plan, *, reason: str | None, settled: Settlement | None = None) -> dict[str, Any]:
    """The entry of a ticker for which nothing was done, but perhaps to settle; and why."""
    return _entry(
        plan.ticker,
        plan.key.session,
        NOTHING,
        reason=reason,
        **(_settled(settled) if settled else {}),
        notices=[plan.notice] if plan.notice else [],
    )


def failed(
    ticker: str,
    session: str | None,
    error: ForecastError,
    *,
    settled: Settlement | None = None,
) -> dict[str, Any]:
    """The entry of a ticker for which nothing could be done, but perhaps to settle."""
    return _entry(
        ticker,
        session,
        FAILED,
        **(_settled(settled) if settled else {}),
        error=error.as_document(),
    )


def entry_of(
    plan: Plan,
    outcome: Outcome,
    done: Committed,
    *,
    late: bool,
    why: str | None,
    settled: Settlement,
    champion: str | None,
    notices: Sequence[str],
    alarms: Sequence[str],
    live: dict[str, Any] | None,
) -> dict[str, Any]:
    """The entry of a ticker whose job came to an end.

    Args:
        plan: Its night.
        outcome: Of its job.
        done: What that changed.
        late: Its training was left out, because the deadline had passed.
        why: A challenger was due, or None.
        settled: What the bars of tonight told of forecasts recorded before.
        champion: The run that serves now.
        notices: What was odd.
        alarms: What drifted.
        live: From `live_record`.
    """
    decision = done.decision
    if late:
        reason: str | None = f"the deadline passed before it could be trained ({why})"
    elif decision is not None:
        reason = decision.reason
    else:
        reason = None if outcome.error else "no training was due"
    status: _Status = FAILED if outcome.error else LATE if late else DONE
    return _entry(
        plan.ticker,
        plan.key.session,
        status,
        trained=decision is not None,
        promoted=done.promoted,
        reason=reason,
        run=decision.run if decision else None,
        champion=champion,
        issued=done.issued,
        **_settled(settled),
        error=outcome.error.as_document() if outcome.error else None,
        why=why,
        unissued=done.unissued,
        figures=decision.figures if decision else None,
        forecast=_forecast(outcome.forecast),
        notices=list(notices),
        alarms=list(alarms),
        live=live,
        seconds=round(outcome.seconds, 3),
    )


def document_of(
    entries: list[dict[str, Any]], *, now: pd.Timestamp, seconds: float, stopped: bool
) -> dict[str, Any]:
    """The night as `nightly --json` prints it."""
    sessions = [entry["session"] for entry in entries if entry["session"]]
    night = max(sessions, default=f"{now:%Y-%m-%d}")
    return {
        "night": night,
        "now": now.isoformat(),
        "tickers": entries,
        "stopped": stopped,
        "seconds": round(seconds, 3),
        "page": f"reports/nightly/{night}/index.html",
    }


def alert_of(document: dict[str, Any]) -> str | None:
    """What somebody must be told about the night, in a few lines; None if all is well."""
    lines = []
    for entry in document["tickers"]:
        said = [*entry["alarms"], *entry["notices"]]
        if entry["error"]:
            error = entry["error"]
            hint = f" Try: {error['hint']}" if error["hint"] else ""
            said.insert(0, f"{error['type']}: {error['message']}{hint}")
        elif entry["status"] == LATE:
            said.insert(0, entry["reason"])
        lines += [f"{entry['ticker']}: {sentence}" for sentence in said]
    if document["stopped"]:
        lines.append("It was stopped before all tickers were done.")
    if not lines:
        return None
    return "\n".join([f"forecast nightly, {document['night']}:", *lines])


def write(home: Path, document: dict[str, Any], done: Sequence[dict[str, Any]]) -> None:
    """Write the night's summary and page, with what earlier runs of the same date did.

    Where a run changes nothing and there is a page already, that one stays as it is.

    Args:
        home: Where `reports/` is.
        document: The night.
        done: Entries of the tickers' last nights that were done.

    Raises:
        ArtifactError: if they cannot be written.
    """
    from forecast.report.night_page import write_night

    folder = (home / document["page"]).parent
    earlier = _read(folder / "summary.json")
    merged = {entry["ticker"]: entry for entry in earlier["tickers"]}
    # What a run did that was killed before it could write the page; told twice it changes nothing.
    untold = [entry for entry in map(_sound, done) if entry]
    untold = [entry for entry in untold if entry["session"] == document["night"]]
    for entry in [*untold, *document["tickers"]]:
        merged[entry["ticker"]] = _added(merged.get(entry["ticker"]), entry)
    whole = {**document, "tickers": list(merged.values())}
    same = all(earlier.get(name) == whole[name] for name in ("tickers", "stopped"))
    if same and (folder / "index.html").exists():
        return
    write_night(folder, whole)
    write_json(folder / "summary.json", whole)


def _added(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """What two runs did for a ticker's session, as one entry; a night that is done stays done.

    One run's training and one run's forecast are told, not parts of both: what was promoted, or
    else trained; what was recorded. Counts are the session's, not the run's. What was added before
    changes nothing.
    """
    if before is None or len({before["session"], after["session"]} - {None}) > 1:
        return after
    done = before["status"] == DONE != after["status"]
    last, other = (before, after) if done else (after, before)
    trained = max((last, other), key=lambda entry: (entry["promoted"], entry["trained"]))
    # A session has one forecast on record: the first.
    first, second = (before, after) if before["issued"] else (last, other)
    issued = max((first, second), key=lambda entry: (entry["issued"], bool(entry["forecast"])))
    said = {name: [*before[name], *after[name]] for name in ("notices", "alarms")}
    if done and after["error"]:
        said["notices"].append(
            f"a later run failed: {after['error']['type']}: {after['error']['message']}"
        )
    if done and after["status"] == LATE:
        said["notices"].append(f"a later run was late: {after['reason']}")
    return {
        **last,
        **{name: last[name] or other[name] for name in ("session", "champion", "live")},
        **{name: max(before[name], after[name]) for name in _COUNTS},
        **{name: trained[name] for name in _TRAINING},
        **{name: issued[name] for name in _FORECAST},
        **{name: list(dict.fromkeys(sentences)) for name, sentences in said.items()},
    }


def _read(path: Path) -> dict[str, Any]:
    """An earlier run's document, without tickers where it cannot be read."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        entries = [entry for entry in map(_sound, document["tickers"]) if entry]
        return {**document, "tickers": entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {"tickers": []}


def _sound(entry: Any) -> dict[str, Any] | None:
    """An earlier run's entry, an older version's too; None where a value in it is odd."""
    try:
        whole = _entry(**entry)
        _ENTRY.validate_json(json.dumps(whole), strict=True)
    except (TypeError, ValueError):
        return None
    return whole


def _entry(ticker: str, session: str | None, status: _Status, **known: Any) -> dict[str, Any]:
    return {**asdict(_Entry(ticker, session, status)), **known}


def _settled(settled: Settlement) -> dict[str, int]:
    return {
        "settled": settled.settled,
        "corrected": settled.corrected,
        "void": settled.void,
    }


def _forecast(forecast: Forecast | None) -> dict[str, Any] | None:
    """The coming sessions in today's money, as `predict --json` gives them."""
    if forecast is None:
        return None
    close = forecast.last_close
    return {
        "origin": f"{forecast.origin:%Y-%m-%d}",
        "run": forecast.run,
        "network": forecast.network,
        "last_close": close,
        "steps": [
            {
                "step": step.step,
                "session": step.session.isoformat(),
                "predicted": close * float(np.exp(step.point)),
                **{
                    name: close * float(np.exp(value))
                    for name, value in zip(QUANTILE_COLUMNS, step.quantiles, strict=True)
                },
            }
            for step in forecast.steps
        ],
    }
