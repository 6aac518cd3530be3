"""The live track record as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

from forecast.report.text import P_VALUE, aligned, shown
from forecast.report.wording import ahead, count, narrowest, price, wrapped

_FIGURES = [
    ("forecasts", "forecasts", "{:,}"),
    ("MSE", "mse_price", "{:.6g}"),
    ("MAE", "mae_price", "{:.5g}"),
    ("skill MSE", "skill_mse", "{:+.2%}"),
    ("p", "dm_p_mse", P_VALUE),
    ("pinball", "pinball", "{:.6f}"),
    ("skill spread", "skill_pinball", "{:+.2%}"),
    ("p", "dm_p_pinball", P_VALUE),
    ("in 50 %", "coverage_50", "{:.1%}"),
    ("80 %", "coverage_80", "{:.1%}"),
    ("90 %", "coverage_90", "{:.1%}"),
]
_NONE = (
    "No forecast is recorded yet. `forecast nightly` issues one a session and ticker, before its "
    "outcome can be known, and settles it when the outcome's bar is complete."
)
_NONE_OF_IT = "No forecast of this ticker is recorded; `forecast ledger` lists those that have one."


def ledger_lines(document: dict[str, Any]) -> list[str]:
    """The scores of every ticker at its newest forecast's last step, or one ticker in full.

    Args:
        document: As `ledger --json` prints it.
    """
    entries = document["tickers"]
    if not entries:
        lines = wrapped(_NONE_OF_IT if document["entries"] else _NONE)
    elif "newest" in entries[0]:
        lines = _in_full(entries[0])
    else:
        lines = _table(entries, document["all"])
    if document["export"]:
        lines += ["", f"Exported: {document['export']}"]
    return [*lines, "", *check_lines(document)]


def check_lines(document: dict[str, Any]) -> list[str]:
    """Whether the record is as it was written, and if not, what is wrong.

    Args:
        document: As `ledger --verify --json` prints it.
    """
    entries = f"{document['entries']:,} {'entry' if document['entries'] == 1 else 'entries'}"
    if not document["problems"]:
        end = f"; the last one's hash is {document['head']}" if document["entries"] else ""
        return [f"Record: {document['ledger']}, {entries}, as written{end}"]
    return [
        f"Record: {document['ledger']} is NOT as it was written ({entries} read):",
        *(f"  {problem}" for problem in document["problems"]),
    ]


def _table(entries: list[dict[str, Any]], pooled: list[dict[str, Any]]) -> list[str]:
    rows = []
    for entry in entries:
        known = [row for row in entry["scores"] if row["step"] <= entry["step"]]
        scores = known[-1] if known else {}
        promised = scores.get("promised", {})
        rows.append(
            [
                entry["ticker"],
                shown(scores.get("step"), "{}"),
                *_cells(scores),
                shown(promised.get("skill_pinball"), "{:+.2%}"),
                shown(promised.get("coverage_80"), "{:.1%}"),
                str(entry["pending"]),
                str(entry["void"]),
            ]
        )
    rows += [["all", str(row["step"]), *_cells(row), "–", "–", "", ""] for row in pooled]
    headings = ["promised: skill", "80 %", "pending", "void"]
    return aligned([["ticker", "step", *(name for name, _, _ in _FIGURES), *headings], *rows])


def _in_full(entry: dict[str, Any]) -> list[str]:
    told = [count(entry["settled"], "outcome")]
    told += [f"{entry[name]} {name}" for name in ("pending", "void", "corrected") if entry[name]]
    lines = [
        f"{entry['ticker']}: {', '.join(entry['networks'])}, {count(entry['issued'], 'forecast')} "
        f"from {entry['first']} to {entry['last']} by {count(entry['runs'], 'run')}; "
        f"{', '.join(told)}",
        "",
    ]
    if entry["scores"]:
        lines += [*_beside_promises(entry["scores"]), ""]
    cells = [["issued", "for", "forecast", "80 % band", "came", ""]]
    within = narrowest(entry["newest"])
    for one in entry["newest"]:
        cells.append(
            [
                one["origin"],
                one["session"],
                price(one["predicted"], within),
                f"{price(one['p10'], within)} – {price(one['p90'], within)}",
                price(one["actual"], within),
                _remark(one),
            ]
        )
    picture = ["", f"Picture: {entry['plot']}"] if entry["plot"] else []
    return [*lines, *aligned(cells), *picture]


def _beside_promises(scores: list[dict[str, Any]]) -> list[str]:
    rows = []
    for row in scores:
        rows.append([ahead(row["step"]), *_cells(row)])
        if row["promised"]["pinball"] is not None:
            rows.append(["  the backtest had promised", *_cells(row["promised"])])
            rows.append(["  live minus promised", *_cells(row["gap"], signed=True)])
    lines = aligned([["", *(name for name, _, _ in _FIGURES)], *rows])
    if untold := max(row["promised"]["unknown"] for row in scores):
        lines += ["", f"Of {count(untold, 'forecast')} the run is gone, and its promise with it."]
    return lines


def _cells(row: dict[str, Any], *, signed: bool = False) -> list[str]:
    """A row's figures; of a difference with their sign."""
    return [
        shown(row.get(key), form.replace("{:.", "{:+.") if signed else form)
        for _, key, form in _FIGURES
    ]


def _remark(one: dict[str, Any]) -> str:
    if one["actual"] is None:
        return one["status"]
    words = ["inside" if one["inside_80"] else "outside"]
    return ", ".join([*words, *(["corrected"] if one["corrected"] else [])])
