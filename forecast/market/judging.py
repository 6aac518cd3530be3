"""What an answer, or what is stored, is worth by the rules of now, and what stays on record."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from forecast.market.bars import History
from forecast.market.findings import MOST_LISTED, Finding
from forecast.market.overlap import OVERLAP
from forecast.market.rules import CHANGES, PASSING, Rules
from forecast.market.serving import Served, telling
from forecast.market.sessions import calendar_name
from forecast.market.snapshots import Manifest


def judged_answer(
    history: History, rules: Rules, *, exchange: str | None
) -> tuple[History, list[Finding]]:
    """What a live source answered, fit for the store, and its findings.

    Args:
        history: As the source brought it; not empty.
        rules: How it is judged.
        exchange: Stands in for one that is not known, or None.

    Raises:
        MalformedData: if it is refused.
    """
    if calendar_name(history.exchange) is None:
        history = replace(history, exchange=exchange)
    return rules.check(history, lenient=True, hint=partial(_way_out, history))


def _way_out(history: History, finding: Finding) -> str:
    """What to do about a refused answer: a later start helps where enough bars follow."""
    again = f"forecast fetch {history.ticker}"
    sessions = pd.DatetimeIndex(finding.sessions)
    # Of very many only the first are listed: nobody knows where they end.
    listed = 0 < len(sessions) < MOST_LISTED
    if listed and (history.quotes.index > sessions[-1]).sum() >= OVERLAP:
        start = f"{sessions[-1] + pd.Timedelta(days=1):%Y-%m-%d}"
        return (
            f"{again} later; or set start = {start} (forecast.toml, FORECAST_START), "
            f"then {again} --refresh"
        )
    return f"{again}, later: the source may have mended it"


def judged_now(served: Served, quotes: pd.DataFrame, rules: Rules) -> Served:
    """What is stored by the rules of now, as bars grow stale and settings change.

    Told alone: another home with other settings may use the store. Repairs and changes stay on
    record.
    """
    manifest = served.manifest
    # Every session is over two days after its date: a clock set back drops none of them.
    over = pd.Timestamp(manifest.last, tz="UTC") + pd.Timedelta(days=2)
    rules = replace(rules, now=max(rules.now, over))
    hint = f"forecast fetch {manifest.ticker} --refresh"
    _, odd = rules.check(manifest.history(quotes), lenient=True, hint=lambda _: hint)
    earlier = [
        finding
        for finding in _on_record(manifest)
        if finding.severity == "repair" or finding.kind in CHANGES
    ]
    return telling(served, [*earlier, *odd])


def judged_as_one(
    served: Served, history: History, findings: list[Finding], quotes: pd.DataFrame, rules: Rules
) -> tuple[History, list[Finding]]:
    """Stored and new quotes judged as the one history that they make; repairs stay on record.

    Args:
        served: What is stored.
        history: The answer, checked.
        findings: About it.
        quotes: Both.
        rules: How they are judged.

    Raises:
        MalformedData: if they are refused.
    """
    hint = f"forecast fetch {history.ticker}"
    joined, odd = rules.check(replace(history, quotes=quotes), lenient=True, hint=lambda _: hint)
    earlier = [
        finding
        for finding in _on_record(served.manifest)
        if finding.severity == "repair"
        and finding.sessions[0] < f"{history.quotes.index[0]:%Y-%m-%d}"
    ]
    mended = [finding for finding in findings if finding.severity == "repair"]
    return joined, [*earlier, *mended, *odd]


def _on_record(manifest: Manifest) -> list[Finding]:
    """What was found earlier about the history itself, not about a single answer."""
    findings = [Finding(**finding) for finding in manifest.findings]
    return [finding for finding in findings if finding.kind not in PASSING]
