"""What was fetched as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

from forecast.report.text import error_text

_DATES = 3


def fetch_lines(documents: list[dict[str, Any]]) -> list[str]:
    """A line a ticker, its findings below it, and a summary of many.

    Args:
        documents: Entries of `fetch --json`.
    """
    lines = []
    width = max(len(one["ticker"]) for one in documents)
    for one in documents:
        if one["error"]:
            lines.append(f"{one['ticker']:<{width}}  failed   {error_text(one['error'])}")
            continue
        lines.append(
            f"{one['ticker']:<{width}}  {one['status']:<7}  {one['sessions']:,} sessions  "
            f"{one['first']} to {one['last']}  {one['source']}"
            + (f"  {one['change']}" if one["change"] else "")
        )
        for finding in one["findings"]:
            told = f"{finding['severity']}: {finding['did']}{_when(finding['sessions'])}"
            lines.append(f"{'':<{width}}  {told}")
    if len(documents) > 1:
        failed = sum(one["error"] is not None for one in documents)
        lines.append(f"{len(documents) - failed} of {len(documents)} tickers are in the store.")
    return lines


def _when(sessions: list[str]) -> str:
    """The first sessions that a finding concerns; how many they are it says itself."""
    if not sessions:
        return ""
    return f" ({', '.join(sessions[:_DATES])}{', …' if len(sessions) > _DATES else ''})"
