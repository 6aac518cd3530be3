"""`fetch`: bars of many tickers into the store; and of one ticker, for the other verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError, BusyError
from forecast.market.fetching import Failed, Fetched, distinct, fetch_many, fetch_one
from forecast.market.findings import Thresholds
from forecast.market.store import Store
from forecast.market.upkeep import prune
from forecast.pipeline.watch import Watch
from forecast.registry import named_snapshots


def fetch(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    start: date | None = None,
    end: date | None = None,
    refresh: bool = False,
    now: datetime | None = None,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> list[Fetched | Failed]:
    """Bring the bars of the tickers into the store; one that fails never fails the others.

    Old snapshots beyond `keep_snapshots` are removed from the home's own store, save those that a
    saved run names and those replaced within the last day, which may be in use.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/` is.
        settings: The source, the store, the exchange, the first session, the quality thresholds.
        start: First session wanted, or None for that of the settings.
        end: Last session wanted (inclusive), or None for all.
        refresh: Fetch the whole history again.
        now: The clock; None for the real one. Sessions not completed by then are left out.
        as_of: Ticker → snapshot to serve; no source is asked for these.
        watch: Told as each ticker ends.

    Raises:
        ConfigError: if a setting is refused.
    """
    watch = watch or Watch()
    count = len(distinct(tickers))
    watch.stage(f"fetching {count} ticker{'s' if count > 1 else ''}")
    done = 0

    def on_done(result: Fetched | Failed) -> None:
        nonlocal done
        done += 1
        watch.step(done, count, result.ticker)
        if isinstance(result, Fetched) and result.notice:
            watch.notice(result.notice)

    results = fetch_many(
        tickers,
        start=start or settings.start,
        end=end,
        refresh=refresh,
        now=now,
        as_of=as_of,
        on_done=on_done,
        **_market(home, settings),
    )
    _prune(results, home, settings, watch)
    return results


def fetch_for(
    ticker: str, *, home: Path, settings: Settings, as_of: Mapping[str, str] | None = None
) -> Fetched:
    """One ticker's bars for another verb: brought if they are not there yet.

    Raises:
        ForecastError: as `fetch_one`.
    """
    snapshot = (as_of or {}).get(ticker)
    return fetch_one(ticker, start=settings.start, as_of=snapshot, **_market(home, settings))


def as_document(result: Fetched | Failed) -> dict[str, Any]:
    """One ticker's entry of `fetch --json`."""
    if isinstance(result, Failed):
        return {
            "ticker": result.ticker,
            "status": "failed",
            "source": None,
            "sessions": None,
            "first": None,
            "last": None,
            "snapshot": None,
            "change": None,
            "findings": [],
            "error": result.error.as_document(),
        }
    return {
        "ticker": result.ticker,
        "status": result.status,
        "source": result.source,
        "sessions": result.sessions,
        "first": result.first,
        "last": result.last,
        "snapshot": result.snapshot,
        "change": result.change,
        "findings": [finding.as_document() for finding in result.findings],
        "error": None,
    }


def _prune(
    results: Sequence[Fetched | Failed], home: Path, settings: Settings, watch: Watch
) -> None:
    if settings.store:
        return  # Other homes may use it, and what their runs name is not known here.
    updated = [one for one in results if isinstance(one, Fetched) and one.status == "updated"]
    if not updated:
        return
    store, named = Store.open(settings.data(home)), named_snapshots(home)
    for one in updated:
        try:
            prune(
                store,
                one.ticker,
                keep=settings.keep_snapshots,
                now=pd.Timestamp(one.manifest.fetched_at),
                named=named.get(one.ticker, ()),
            )
        except (ArtifactError, BusyError) as error:
            watch.notice(f"{one.ticker}: its bars are stored, and old snapshots stay. {error}")


def _market(home: Path, settings: Settings) -> dict[str, Any]:
    """What the market floor takes from the settings."""
    return {
        "data": settings.data(home),
        "source": settings.source,
        "exchange": settings.exchange,
        "thresholds": Thresholds(**settings.quality.model_dump()),
    }
