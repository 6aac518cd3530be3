"""Results as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

_COLUMNS = [
    ("model", "model", "{}"),
    ("MSE", "mse_price", "{:.6g}"),
    ("MAE", "mae_price", "{:.5g}"),
    ("skill MSE", "skill_mse", "{:+.2%}"),
    ("p", "dm_p_mse", "{:.3f}"),
    ("direction", "direction_accuracy", "{:.1%}"),
    ("pinball", "pinball", "{:.6f}"),
    ("skill spread", "skill_pinball", "{:+.2%}"),
    ("p", "dm_p_pinball", "{:.3f}"),
    ("in 80 % band", "coverage_80", "{:.1%}"),
]


def score_lines(document: dict[str, Any]) -> list[str]:
    """Heading, score table of the last step, verdict, and where the report is.

    Args:
        document: A run as `train --json` prints it.
    """
    step = document["horizon"]
    rows = [row for row in document["scores"] if row["step"] == step]
    cells = [[heading for heading, _, _ in _COLUMNS]]
    for row in rows:
        cells.append(
            ["–" if row.get(key) is None else form.format(row[key]) for _, key, form in _COLUMNS]
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(_COLUMNS))]
    test = document["split"]["test"]
    ahead = "one session ahead" if step == 1 else f"{step} sessions ahead"
    lines = [
        f"{document['ticker']}: {document['network']}, {ahead}, {test['origins']} forecasts of "
        f"sessions it never saw, {test['first']} to {test['last']} "
        f"({document['source']})",
        "",
    ]
    for line in cells:
        first, rest = line[0].ljust(widths[0]), zip(line[1:], widths[1:], strict=True)
        lines.append("  ".join([first, *(cell.rjust(width) for cell, width in rest)]))
    return [*lines, "", document["verdict"]["text"], "", f"Report: {document['report']}"]


def forecast_lines(document: dict[str, Any]) -> list[str]:
    """The coming sessions as a table.

    Args:
        document: A forecast as `predict --json` prints it.
    """
    lines = [
        f"{document['ticker']}: {document['network']} from {document['origin']}, last close "
        f"{document['last_close']:,.2f} ({document['source']}, run {document['run']})",
        "",
        f"{'session':<12}{'forecast':>12}{'80 % band':>24}{'90 % band':>24}{'up':>8}",
    ]
    for step in document["steps"]:
        inner = f"{step['p10']:,.2f} – {step['p90']:,.2f}"
        outer = f"{step['p05']:,.2f} – {step['p95']:,.2f}"
        lines.append(
            f"{step['session']:<12}{step['predicted']:>12,.2f}{inner:>24}{outer:>24}"
            f"{step['probability_up']:>8.0%}"
        )
    return [*lines, "", f"Plot: {document['plot']}"]


def fetch_lines(documents: list[dict[str, Any]]) -> list[str]:
    """A line a ticker, its findings below it, and a summary of many.

    Args:
        documents: Entries of `fetch --json`.
    """
    lines = []
    width = max(len(one["ticker"]) for one in documents)
    for one in documents:
        if one["error"]:
            lines.append(f"{one['ticker']:<{width}}  failed   {_error_text(one['error'])}")
            continue
        lines.append(
            f"{one['ticker']:<{width}}  {one['status']:<7}  {one['sessions']:,} sessions  "
            f"{one['first']} to {one['last']}  {one['source']}"
            + (f"  {one['change']}" if one["change"] else "")
        )
        for finding in one["findings"]:
            lines.append(f"{'':<{width}}  {finding['severity']}: {finding['did']}")
    if len(documents) > 1:
        failed = sum(one["error"] is not None for one in documents)
        lines.append(f"{len(documents) - failed} of {len(documents)} tickers are in the store.")
    return lines


def _error_text(error: dict[str, Any]) -> str:
    hint = f" Try: {error['hint']}" if error["hint"] else ""
    return f"{error['type']}: {error['message']}{hint}"
