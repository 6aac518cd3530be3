"""Several tickers in one network: where their parts begin, and the proof that none sees ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast.config import Settings
from forecast.errors import NotEnoughBars
from forecast.evaluation.audit import as_document, refuse_leaks
from forecast.evaluation.audit.group import Span, group_checks
from forecast.evaluation.audit.histories import Check
from forecast.features.inputs import known_origins, origins_of
from forecast.features.splits import (
    Boundaries,
    at_boundaries,
    chronological,
    common_boundaries,
)
from forecast.market.fetching import Fetched
from forecast.pipeline.preparing import PARTS, Prepared, Ready, features_of


def agree(
    fetched: Sequence[Fetched], settings: Settings
) -> tuple[Boundaries | None, dict[str, NotEnoughBars]]:
    """Where the parts of these tickers begin, the same sessions for all.

    A ticker whose history is too short for it, or lies elsewhere, is left out; the boundaries are
    those of the tickers that stay, so that training these alone gives the same.

    Args:
        fetched: Several tickers.
        settings: Of features, lookback and horizon.

    Returns:
        The boundaries, None if no ticker stays; and for each ticker left out, why.

    Raises:
        ConfigError: if a feature is unknown.
    """
    shape = {"lookback": settings.lookback, "horizon": settings.horizon}
    origins: dict[str, pd.DatetimeIndex] = {}
    left_out: dict[str, NotEnoughBars] = {}
    for one in fetched:
        days = one.days
        names = features_of(settings)
        own = known_origins(days, names, **shape)
        try:
            # Alone it must be long enough as well. Below none, too, to say how many it lacks.
            count = origins_of(len(days), names, **shape)
            chronological(count, horizon=settings.horizon, sessions=len(days), ticker=one.ticker)
        except NotEnoughBars as error:
            left_out[one.ticker] = error
        else:
            origins[one.ticker] = own
    while origins:
        boundaries = common_boundaries(list(origins.values()))
        short = _too_short(origins, boundaries, settings.horizon)
        if not short:
            return boundaries, left_out
        left_out |= short
        origins = {ticker: own for ticker, own in origins.items() if ticker not in short}
    return None, left_out


def require_apart(ready: Sequence[Ready]) -> list[Ready]:
    """The same tickers, their audit with what holds among them.

    Raises:
        LeakError: if a part of one overlaps an earlier part of another.
    """
    checks = group_checks({one.ticker: spans_of(one) for one in ready})
    refuse_leaks(checks, ticker=ready[0].ticker)
    return [replace(one, audit=_with(one.audit, checks)) for one in ready]


def spans_of(one: Prepared | Ready) -> dict[str, Span]:
    """Training, validation and test part of a ticker as `group_checks` takes them.

    Of the test part the last outcomes are left out: no part comes after it.
    """
    origins, spans = one.windows.origin, {}
    for name in PARTS:
        part: range = getattr(one.split, name)
        known = min(part.stop - 1 + one.windows.horizon, len(origins) - 1)
        spans[name] = (origins[part.start], origins[known])
    return spans


def _with(audit: Mapping[str, Any], checks: Sequence[Check]) -> dict[str, Any]:
    return as_document([*(Check(**row) for row in audit["rows"]), *checks])


def _too_short(
    origins: Mapping[str, pd.DatetimeIndex], boundaries: Boundaries, horizon: int
) -> dict[str, NotEnoughBars]:
    short = {}
    for ticker, own in origins.items():
        try:
            at_boundaries(own, boundaries, horizon=horizon, ticker=ticker)
        except NotEnoughBars as error:
            short[ticker] = error
    return short
