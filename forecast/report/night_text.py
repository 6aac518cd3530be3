"""A night in lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast.report.wording import count, narrowest, price


def night_lines(document: Mapping[str, Any]) -> list[str]:
    """The night as `forecast nightly` prints it: a ticker a line, then the page.

    Args:
        document: As `nightly --json` prints it.
    """
    entries = document["tickers"]
    lines = [line for entry in entries for line in _entry_lines(entry)]
    if document["stopped"]:
        lines.append("Stopped before all tickers were done; the next run goes on from there.")
    lines.append(f"{count(len(entries), 'ticker')} in {document['seconds']:.1f} s")
    if document["page"]:
        lines.append(f"Page: {document['page']}")
    return lines


def _entry_lines(entry: Mapping[str, Any]) -> list[str]:
    head = f"{entry['ticker']:<6} {entry['session'] or '–':<10} {entry['status']}"
    said = [entry["reason"]] if entry["reason"] else []
    if entry["error"]:
        said.append(f"{entry['error']['type']}: {entry['error']['message']}")
    lines = [f"{head}: {'. '.join(part.rstrip('.') for part in said)}" if said else head]
    forecast = entry["forecast"]
    if forecast:
        first = forecast["steps"][0]
        within = narrowest([first])
        text = (
            f"{first['session']}: {price(first['predicted'], within)}, four times in five "
            f"{price(first['p10'], within)} to {price(first['p90'], within)}"
        )
        issued = "recorded" if entry["issued"] else f"not recorded: {entry['unissued']}"
        lines.append(f"       {text} ({issued})")
    elif entry["unissued"]:
        lines.append(f"       no forecast: {entry['unissued']}")
    lines += [f"       notice: {notice}" for notice in entry["notices"]]
    lines += [f"       alarm: {alarm}" for alarm in entry["alarms"]]
    return lines
