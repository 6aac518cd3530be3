"""What the ledger holds of a ticker's session, whichever of its runs recorded it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forecast.ledger import Ledger
from forecast.market.sessions import last_completed
from forecast.nightly.plan import Plan, exchange_of

_KINDS = {"settled": "settlement", "corrected": "correction", "void": "void"}


def recorded(ledger: Ledger, plan: Plan, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry of a run with what runs recorded that were killed before they could tell it.

    Args:
        ledger: Open.
        plan: The ticker's night.
        entry: What this run did.

    Returns:
        The entry with the outcomes recorded since the session was completed, and the forecast that
        was issued from it; null where that one is not this run's champion's.
    """
    exchange, session = exchange_of(plan.fetched), plan.key.session
    kinds = [
        kind
        for kind, moment in ledger.told(plan.ticker, since=session)
        if f"{last_completed(exchange, pd.Timestamp(moment)):%Y-%m-%d}" == session
    ]
    counts = {name: max(entry[name], kinds.count(kind)) for name, kind in _KINDS.items()}
    issuer = ledger.issuer(plan.ticker, session)
    if issuer is None:
        return {**entry, **counts}
    forecast = entry["forecast"]
    known = forecast if forecast is not None and forecast["run"] == issuer else None
    return {**entry, **counts, "issued": True, "unissued": None, "forecast": known}
