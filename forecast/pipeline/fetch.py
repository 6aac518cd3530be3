"""`fetch`: bars of many tickers into the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from forecast.config import Settings
from forecast.market.fetching import Failed, Fetched, fetch_many, fetch_one
from forecast.pipeline.watch import Watch


def fetch(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    start: date | None = None,
    end: date | None = None,
    refresh: bool = False,
    watch: Watch | None = None,
) -> list[Fetched | Failed]:
    """Bring the bars of the tickers into the store; one that fails never fails the others.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/` is.
        settings: The source, the exchange, the quality thresholds.
        start: First session wanted, or None for all.
        end: Last session wanted (inclusive), or None for all.
        refresh: Fetch the whole history again.
        watch: Told as each ticker ends.

    Raises:
        ConfigError: if a setting is refused.
    """
    watch = watch or Watch()
    watch.stage(f"fetching {len(set(tickers))} ticker{'s' if len(set(tickers)) > 1 else ''}")
    done = 0

    def on_done(result: Fetched | Failed) -> None:
        nonlocal done
        done += 1
        watch.step(f"{done}/{len(set(tickers))} {result.ticker}")
        if isinstance(result, Fetched) and result.notice:
            watch.notice(result.notice)

    return fetch_many(
        tickers,
        data=home / "data",
        source=settings.source,
        start=start,
        end=end,
        refresh=refresh,
        on_done=on_done,
    )


def fetch_for(ticker: str, *, home: Path, settings: Settings) -> Fetched:
    """One ticker's bars for another verb: brought if they are not there yet.

    Raises:
        ForecastError: as `fetch_one`.
    """
    return fetch_one(ticker, data=home / "data", source=settings.source)


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
