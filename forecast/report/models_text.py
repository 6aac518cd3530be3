"""The registry as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

from forecast.report.text import aligned, error_text, shown
from forecast.report.wording import wrapped


def model_lines(entries: list[dict[str, Any]]) -> list[str]:
    """A table of runs for each ticker, and who is its champion since when and why.

    Args:
        entries: As `models --json` prints them.
    """
    if not entries:
        return ["There is no trained network yet. Try: forecast train AAPL"]
    lines: list[str] = []
    for entry in entries:
        lines += ["", *_champion_of(entry)]
        whole = [run for run in entry["runs"] if not run["damaged"]]
        if whole:
            lines += ["", *aligned([_RUN_HEADINGS, *(_run_cells(run) for run in whole)])]
        for run in entry["runs"]:
            if run["damaged"]:
                lines += wrapped(f"! {run['run']} is damaged: {run['damaged']}", indent="  ")
            elif run["notice"]:
                lines += wrapped(f"! {run['notice']}.", indent="  ")
    return lines[1:]


def champion_lines(change: dict[str, Any]) -> list[str]:
    """Who is the champion now.

    Args:
        change: As `promote --json` prints it.
    """
    if not change["changed"]:
        return [f"{change['ticker']}: {change['run']} is the champion already."]
    before = f"; before, {change['before']}" if change["before"] else ""
    return [
        f"{change['ticker']}: {change['run']} is the champion now{before}.",
        f"Recorded at {change['at']}: {change['reason']}",
    ]


_RUN_HEADINGS = [
    "  run",
    "network",
    "age",
    "size",
    "pinball",
    "skill",
    "in 80 %",
    "price",
    "spread",
    "bars to",
    "snapshot",
]


def _run_cells(run: dict[str, Any]) -> list[str]:
    scores, verdict = run["scores"], run["verdict"]
    extra = [
        *([run["target"]] if run["target"] != "return" else []),
        *([f"{run['horizon']} ahead"] if run["horizon"] != 1 else []),
        *(["together"] if run["together"] else []),
    ]
    return [
        f"{'*' if run['champion'] else ' '} {run['run']}",
        " ".join([run["network"], *extra]),
        _age(run["age_days"]),
        f"{run['bytes'] / 1000:,.0f} kB",
        shown(scores.get("pinball"), "{:.6f}"),
        shown(scores.get("skill_pinball"), "{:+.2%}"),
        shown(scores.get("coverage_80"), "{:.1%}"),
        verdict.get("price", "–"),
        verdict.get("uncertainty", "–"),
        run["last"],
        run["snapshot"],
    ]


def _champion_of(entry: dict[str, Any]) -> list[str]:
    if entry["error"]:
        return wrapped(f"{entry['ticker']}: {error_text(entry['error'])}", indent="  ")
    if entry["champion"] is None:
        return [f"{entry['ticker']}: no champion."]
    last = entry["history"][-1]
    since = f" since {last['at'].replace('T', ' ').replace('Z', ' UTC')}" if last["at"] else ""
    return wrapped(
        f"{entry['ticker']}: champion {entry['champion']}{since}: {last['reason']}", indent="  "
    )


def _age(days: float | None) -> str:
    if days is None:
        return "–"
    return f"{days * 24:.0f} h" if days < 2 else f"{days:.0f} days"
