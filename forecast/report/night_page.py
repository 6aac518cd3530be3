"""The page of a night: what happened to each ticker, and what is forecast for the next session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.files import write_atomically
from forecast.report import wording
from forecast.report.page import page_environment
from forecast.report.style import PALETTE
from forecast.report.tables import METRICS, Cell, Row, Table

_STATUS = {
    "done": ("up", "✓", "done"),
    "nothing": ("even", "–", "nothing to do"),
    "late": ("down", "◷", "late"),
    "failed": ("down", "✕", "failed"),
}
_ROOM = 1.12
"""How much wider than the widest 90 % interval the bars' scale is."""


@dataclass(frozen=True)
class Fan:
    """A forecast of one session as a bar: places on its scale [% of the width].

    Attributes:
        bands: `(left, width)` of the 90, 80 and 50 % interval.
        point: Of the point forecast.
        words: The same for somebody who cannot see it.
    """

    bands: list[tuple[float, float]]
    point: float
    words: str


def write_night(folder: Path, document: Mapping[str, Any]) -> Path:
    """Write a night's page, whole or not at all.

    Args:
        folder: Is made if it is not there.
        document: As `nightly --json` prints it.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    page = folder / "index.html"
    write_atomically(page, render_night(document).encode())
    return page


def render_night(document: Mapping[str, Any]) -> str:
    """The page as text: self-contained, no script, no address outside it."""
    entries: Sequence[Mapping[str, Any]] = document["tickers"]
    scale = _ROOM * max((_reach(entry) for entry in entries), default=0.0)
    return (
        page_environment()
        .get_template("night.html")
        .render(
            night=document,
            palette=PALETTE,
            badges=_badges(entries),
            figures=_figures(entries),
            verdict=_verdict(entries),
            rows=[(entry, _STATUS[entry["status"]], _said(entry)) for entry in entries],
            forecasts=[
                (entry, _first(entry), _fan(entry, scale))
                for entry in entries
                if entry["forecast"] is not None
            ],
            scale=wording.percent(scale),
            judged=_judged(entries),
            live=_live(entries),
            alarms=[entry for entry in entries if entry["alarms"] or entry["notices"]],
        )
    )


def _badges(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """`(standing, symbol, words)` of each status that there is."""
    badges = []
    for status, (standing, symbol, words) in _STATUS.items():
        many = sum(entry["status"] == status for entry in entries)
        if many:
            badges.append((standing, symbol, f"{many} {words}"))
    return badges


def _figures(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """The four figures to take away: `(value, what, note)`."""
    trained = [entry for entry in entries if entry["trained"]]
    promoted = sum(entry["promoted"] for entry in trained)
    issued, settled, corrected, void = (
        sum(entry[key] for entry in entries) for key in ("issued", "settled", "corrected", "void")
    )
    anew = f"; {corrected} corrected" if corrected else ""
    never = f"; {void} void" if void else ""
    return [
        _figure(issued, "forecast", "recorded", "tonight"),
        _figure(settled, "outcome", "settled", f"of forecasts recorded before{anew}{never}"),
        _figure(len(trained), "challenger", "trained", "and judged beside the champion"),
        (wording.whole(promoted), "promoted", "to champion"),
    ]


def _figure(many: int, what: str, done: str, note: str) -> tuple[str, str, str]:
    number, _, noun = wording.count(many, what).partition(" ")
    return number, f"{noun} {done}", note


def _verdict(entries: Sequence[Mapping[str, Any]]) -> str:
    """What somebody must know who reads one sentence only."""
    failed, late = (
        [entry["ticker"] for entry in entries if entry["status"] == status]
        for status in ("failed", "late")
    )
    alarmed, noticed = (
        [entry["ticker"] for entry in entries if entry[said]] for said in ("alarms", "notices")
    )
    if not entries:
        return "The night was stopped before any ticker was done."
    said = []
    if failed:
        said.append(f"{_list(failed)} could not be done: the next run tries again.")
    if late:
        said.append(f"{_list(late)} could not be trained before the deadline.")
    if alarmed:
        said.append(f"Drift was seen in {_list(alarmed)}.")
    if noticed:
        said.append(f"There is a notice about {_list(noticed)}.")
    return " ".join(said) or "All is well."


def _list(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _said(entry: Mapping[str, Any]) -> str:
    """What happened to the ticker, in words."""
    parts = [entry["reason"]] if entry["reason"] else []
    if entry["error"]:
        parts.append(f"{entry['error']['type']}: {entry['error']['message']}")
        if entry["error"]["hint"]:
            parts.append(f"Try: {entry['error']['hint']}")
    if entry["unissued"]:
        parts.append(f"No forecast was recorded: {entry['unissued']}")
    text = ". ".join(part.strip().rstrip(".") for part in parts)
    return f"{text[0].upper()}{text[1:]}." if text else wording.NOTHING


def _first(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    step: Mapping[str, Any] = entry["forecast"]["steps"][0]
    return step


def _change(entry: Mapping[str, Any], name: str) -> float:
    """A price of the next session against the last close, as a fraction."""
    return float(_first(entry)[name] / entry["forecast"]["last_close"] - 1)


def _reach(entry: Mapping[str, Any]) -> float:
    if entry["forecast"] is None:
        return 0.0
    return max(abs(_change(entry, "p05")), abs(_change(entry, "p95")))


def _fan(entry: Mapping[str, Any], scale: float) -> Fan:
    def place(name: str) -> float:
        return 50 + 50 * _change(entry, name) / scale if scale else 50.0

    bands = [
        (place(low), place(high) - place(low))
        for low, high in (("p05", "p95"), ("p10", "p90"), ("p25", "p75"))
    ]
    low, high = (wording.percent(_change(entry, name), signed=True) for name in ("p10", "p90"))
    return Fan(bands, place("predicted"), f"80 % interval from {low} to {high}")


def _judged(entries: Sequence[Mapping[str, Any]]) -> Table | None:
    """What the decisions on tonight's challengers rest on."""
    rows = []
    for entry in entries:
        figures = entry["figures"] or {}
        rival = "champion" if figures.get("champion") else "ewma"
        against = figures.get(rival)
        if against is None:
            continue
        standing = "up" if entry["promoted"] else "even"
        cells = [
            Cell("promoted" if entry["promoted"] else "not promoted", standing=standing),
            Cell(rival),
            *(
                Cell(
                    wording.percent(against[loss]["difference"], 2, signed=True).removesuffix(" %"),
                    note=_p(against[loss]),
                )
                for loss in ("pinball", "mse")
            ),
            Cell(METRICS["coverage_80"].show(figures["coverage_80"])),
            Cell(wording.whole(figures["origins"])),
        ]
        rows.append(Row(entry["ticker"], entry["run"] or "", False, cells))
    if not rows:
        return None
    columns = [
        ("Decision", ""),
        ("Beside", ""),
        ("Pinball", "% above"),
        ("Squared error", "% above"),
        ("In 80 % band", "%"),
        ("Forecasts", ""),
    ]
    return Table(
        "Tonight’s challengers", columns, [("", rows)], ident="challengers", names="Ticker"
    )


def _live(entries: Sequence[Mapping[str, Any]]) -> Table | None:
    """How the forecasts on record turned out, and in small print what the backtest promised."""
    rows = []
    for entry in entries:
        live = entry["live"]
        if live is None:
            continue
        cells = [
            Cell(wording.whole(live["forecasts"])),
            *(
                Cell(show(live[name]), f"promised {show(live['promised'][name])}")
                for name in ("pinball", "skill_pinball", "skill_mse", "coverage_80")
                for show in [METRICS[name].show]
            ),
        ]
        step = live.get("step", 1)
        note = "" if step == 1 else wording.ahead(step)
        rows.append(Row(entry["ticker"], note, False, cells))
    if not rows:
        return None
    columns = [
        ("Outcomes", ""),
        ("Pinball", "% of price"),
        ("Skill, spread", "% against ewma"),
        ("Skill, price", "% against last close"),
        ("In 80 % band", "%"),
    ]
    return Table("Live, and as promised", columns, [("", rows)], ident="live", names="Ticker")


def _p(compared: Mapping[str, Any]) -> str:
    if "p_not_worse" in compared:
        return f"within the margin: p {wording.equals(compared['p_not_worse'])}"
    return f"p {wording.equals(compared['p_different'])}"
