"""What every page of a report shares: its frame, its words for figures, its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from forecast.files import write_atomically
from forecast.report import tables, wording
from forecast.report.picture import Picture
from forecast.report.style import PALETTE

_TEMPLATES = Path(__file__).parent / "templates"
_OUTCOMES = {
    "beats": ("up", "▲", "beats"),
    "ties": ("even", "●", "ties with"),
    "loses": ("down", "▼", "loses to"),
}


@dataclass(frozen=True)
class Side:
    """What a page says of one kind of forecast: of prices, or of classes.

    Attributes:
        badges: Under the verdict: its key, what is judged, beside whom.
        figures: The figures to take away, from the network's row of scores and `usual_direction`.
        tables: Makers of the score tables.
        by: Columns of the scores by year or regime.
    """

    badges: tuple[tuple[str, str, str], ...]
    figures: Callable[[Mapping[str, Any]], list[tuple[str, str, str]]]
    tables: tuple[Callable[..., tables.Table | None], ...]
    by: tuple[str, ...]


def write_page(folder: Path, text: str, pictures: Sequence[Picture]) -> list[Path]:
    """Write a page and, beside it, its pictures as PNG files, each whole or not at all.

    Args:
        folder: Exists.
        text: As `render_page` gives it.
        pictures: In the order of the page.

    Returns:
        The PNG files, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    contents = {f"{picture.name}.png": picture.png() for picture in pictures}
    contents["index.html"] = text.encode()
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def render_page(
    document: Mapping[str, Any],
    pictures: Sequence[Picture],
    *,
    template: str,
    sections: Sequence[tuple[str, str]],
    side: Side,
    extra: Sequence[tables.Table] = (),
) -> str:
    """The page as text: self-contained, no script, no address outside it.

    Args:
        document: One entry of what the verb prints as JSON; every key but `ticker` may be absent.
        pictures: Drawn on the page in this order.
        template: Which page.
        sections: `(key, heading)` of the document's keys that are text, rows, or both.
        side: Of prices, or of classes.
        extra: Tables that this template alone knows.
    """
    scores = [row for row in document.get("scores") or [] if isinstance(row, Mapping)]
    network, currency = str(document.get("network")), str(document.get("currency") or "currency")
    own = _own_scores(scores, network)
    page = page_environment().get_template(template)
    return page.render(
        run=_Lenient(document),
        palette=PALETTE,
        verdict=_verdict(document.get("verdict"), side),
        figures=side.figures(own),
        tables=[
            table
            for make in side.tables
            if (table := make(scores, network=network, currency=currency))
        ],
        every=tables.every_figure(scores, network=network, currency=currency),
        breakdowns=_breakdowns(document, network, currency, side),
        extra=extra,
        pictures=[(picture, Markup(picture.svg())) for picture in pictures],
        split=_split(document.get("split")),
        findings=[
            _Lenient(one) for one in document.get("findings") or [] if isinstance(one, Mapping)
        ],
        sections=[
            (title, words, table)
            for key, title in sections
            for words, table in [_section(document.get(key), title, currency, key)]
            if words or table
        ],
    )


@cache
def page_environment() -> Environment:
    """What every page is rendered with: the templates, and words for figures as filters."""
    # StrictUndefined: a misspelt name in the template fails the tests, not the reader.
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters())
    return environment


class _Lenient(dict[str, Any]):
    """A mapping whose missing keys are None: every key of the run's document may be absent."""

    def __missing__(self, key: str) -> None:
        return None


def _filters() -> dict[str, Callable[..., str]]:
    return {
        "number": wording.number,
        "whole": wording.whole,
        "price": wording.price,
        "day": wording.day,
        "known": _known,
        "ahead": wording.ahead,
        "unbroken": wording.unbroken,
        "months": wording.span,
    }


def _known(value: Any) -> str:
    """Any setting's value as text; nothing is an en dash."""
    if value is None or value in ("", [], {}, ()):
        return wording.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return str(value)


def _own_scores(scores: Sequence[Mapping[str, Any]], network: str) -> _Lenient:
    """The network's row at the last step; empty without one.

    With it `usual_direction`: how often the direction of `drift`, the same each time, came there.
    """
    own = [row for row in scores if row.get("model") == network]
    if not own:
        return _Lenient({})
    last = max(own, key=lambda row: row.get("step") or 0)
    usual = [
        row.get("direction_accuracy")
        for row in scores
        if row.get("model") == "drift" and row.get("step") == last.get("step")
    ]
    return _Lenient({"usual_direction": usual[0] if usual else None, **last})


def _verdict(verdict: Any, side: Side) -> dict[str, Any]:
    """The sentence, and a badge for each thing that is judged."""
    known = verdict if isinstance(verdict, Mapping) else {}
    badges = []
    for key, what, rival in side.badges:
        if known.get(key) in _OUTCOMES:
            standing, symbol, verb = _OUTCOMES[known[key]]
            badges.append(
                {"what": what, "standing": standing, "symbol": symbol, "words": f"{verb} {rival}"}
            )
    return {"text": known.get("text"), "badges": badges}


def _breakdowns(
    document: Mapping[str, Any], network: str, currency: str, side: Side
) -> list[tables.Table]:
    """The network's scores by year and by how stormy the market was, at the last step."""
    found = []
    for key, first, caption in (
        ("by_year", "year", f"By year: {network}"),
        ("by_regime", "regime", f"By how stormy the market was: {network}"),
    ):
        rows = [row for row in document.get(key) or [] if isinstance(row, Mapping)]
        last = max((row.get("step") or 1 for row in rows), default=1)
        own = [
            {name: row.get(name) for name in (first, "origins", *side.by)}
            for row in rows
            if row.get("model", network) == network and (row.get("step") or 1) == last
        ]
        table = tables.plain_table(own, caption=caption, currency=currency, ident=key)
        found += [table] if table else []
    return found


def _split(split: Any) -> list[dict[str, Any]]:
    """The parts of the history with the width each takes of a bar."""
    parts = [
        {"name": name, **_Lenient(split[name])}
        for name in ("train", "validation", "test")
        if isinstance(split, Mapping) and isinstance(split.get(name), Mapping)
    ]
    whole = sum(wording.finite(part.get("origins")) or 0 for part in parts) or 1
    return [
        {
            "first": None,
            "last": None,
            "origins": None,
            **part,
            "share": max((wording.finite(part.get("origins")) or 0) / whole, 0.06),
        }
        for part in parts
    ]


def _text(section: Any) -> str | None:
    """The words of a section that is a text, or a mapping with a `text`."""
    words = section.get("text") if isinstance(section, Mapping) else section
    return words if isinstance(words, str) else None


def _section(
    section: Any, caption: str, currency: str, ident: str
) -> tuple[str | None, tables.Table | None]:
    """Words and table of a section: a text, a list of rows, or a mapping with `text`, `rows`."""
    rows = section.get("rows") if isinstance(section, Mapping) else section
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return _text(section), None
    if isinstance(section, Mapping):
        caption = section.get("caption") or caption
    rows = [_between(row) if "upto" in row else row for row in rows]
    return _text(section), tables.plain_table(rows, caption=caption, currency=currency, ident=ident)


def _between(row: Mapping[str, Any]) -> dict[str, Any]:
    """A bin of the calibration: the quantiles it lies between, and its shares of the outcomes."""
    ends = wording.percent(row["above"], 0).removesuffix(" %"), wording.percent(row["upto"], 0)
    return {
        "between_quantiles": " – ".join(ends),
        "expected": row["expected"],
        "observed": row["observed"],
    }
