"""Several tickers in one network: nothing that it learns from lies in the test part of any."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from forecast.evaluation.audit.histories import Check

Span = tuple[pd.Timestamp, pd.Timestamp]
"""First origin of a part, and the session by which its last outcome is known."""


def group_checks(spans: Mapping[str, Mapping[str, Span]]) -> list[Check]:
    """The purge across tickers: they share a market, so one's future tells of another's.

    Args:
        spans: Ticker → part → span.
    """
    checks = []
    for earlier, later in (("train", "validation"), ("validation", "test")):
        known, latest = max((own[earlier][1], ticker) for ticker, own in spans.items())
        first, soonest = min((own[later][0], ticker) for ticker, own in spans.items())
        checks.append(
            Check(
                "purge",
                f"{earlier} before {later}, {len(spans)} tickers",
                known < first,
                f"the last outcome is known on {known:%Y-%m-%d} ({latest}), "
                f"the first origin is {first:%Y-%m-%d} ({soonest})",
            )
        )
    return checks
