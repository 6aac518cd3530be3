"""What every answer is judged by, whatever source it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from forecast.market.bars import QUOTE_COLUMNS, History
from forecast.market.findings import Finding, Thresholds
from forecast.market.quality import inspect, refuse
from forecast.market.sessions import WEEKDAYS, calendar_name, infer_calendar
from forecast.market.snapshots import Manifest

# Findings of one answer, not of the history that is kept.
PASSING = {"partial", "future", "unsettled"}
CHANGES = {"split", "dividend", "correction", "rounding", "truncation"}


@dataclass(frozen=True)
class Rules:
    """What every answer is judged by.

    Attributes:
        now: The clock, tz-aware.
        exchange: Overrides the source's, or None.
        thresholds: Of the quality pass.
    """

    now: pd.Timestamp
    exchange: str | None
    thresholds: Thresholds

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all but the clock: where it is another, the same quotes may be judged anew."""
        return hashlib.sha256(repr((self.exchange, self.thresholds)).encode()).hexdigest()

    def check(
        self, history: History, *, lenient: bool, hint: Callable[[Finding], str]
    ) -> tuple[History, list[Finding]]:
        """The history fit for the store, its own exchange settled, and the findings.

        Args:
            history: As the source brought it.
            lenient: As in `quality.inspect`.
            hint: What to do about a history that is refused because of a finding.

        Raises:
            MalformedData: if there is a `reject` among the findings.
        """
        exchange = settle_exchange(history, self.now)
        calendar = calendar_name(self.exchange) or calendar_name(exchange) or WEEKDAYS
        quotes = history.quotes[QUOTE_COLUMNS].astype("float64")
        quotes.index = pd.DatetimeIndex(quotes.index, name="session").as_unit("us")
        quotes, findings = inspect(
            quotes, calendar=calendar, now=self.now, lenient=lenient, thresholds=self.thresholds
        )
        refuse(history.ticker, findings, hint=hint)
        return replace(history, quotes=quotes, exchange=exchange), findings


def settle_exchange(history: History, now: pd.Timestamp) -> str:
    """The exchange whose sessions the history keeps: the source's, or inferred.

    Args:
        history: As the source brought it, unchecked.
        now: tz-aware; a session after it, such as a mistyped year, tells of no calendar.
    """
    if history.exchange is not None and calendar_name(history.exchange) is not None:
        return history.exchange
    sessions = pd.DatetimeIndex(history.quotes.index).unique().sort_values()
    sessions = sessions[sessions <= now.tz_convert("UTC").tz_localize(None) + pd.Timedelta(days=1)]
    return infer_calendar(sessions, history.ticker) if len(sessions) else WEEKDAYS


def says_as_much(manifest: Manifest, findings: list[Finding]) -> bool:
    """Whether the manifest holds these findings, those of a passing answer or change aside."""
    aside = PASSING | CHANGES
    kept = [one for one in manifest.findings if one["kind"] not in aside]
    return kept == [one.as_document() for one in findings if one.kind not in aside]
