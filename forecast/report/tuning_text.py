"""A search as plain lines, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast.report.text import aligned, shown
from forecast.report.wording import wrapped

_SHOWN = 10
_NAMED = 4


def tuning_lines(document: Mapping[str, Any]) -> list[str]:
    """Heading, the best trials and the settings as they are, what went wrong, and what to do next.

    Args:
        document: As `tune --json` prints it.
    """
    trials, read = document["trials"], document["rows"]["read"]
    counts = document["counts"]
    kept = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    lines = [
        f"{document['ticker']}: {document['search']} search, {len(trials)} trials ({kept}), "
        f"{len(document['folds'])} folds, bars to {read['last']} ({document['source']})",
        "",
        *trial_table(trials, _SHOWN, document["loss"]),
        "",
        *wrapped(document["text"]),
    ]
    for one in trials:
        if one["state"] == "failed":
            text = f"trial {one['trial']} failed: {one['error']['message']}"
            lines += wrapped(text, indent="  ")
    return [
        *lines,
        "",
        f"Best settings: {document['tuned']} (forecast train {document['ticker']} uses them)",
        f"Report: {document['report']}",
    ]


def trial_table(trials: list[Mapping[str, Any]], most: int, loss: str) -> list[str]:
    """The best trials, the best first, and always the one with the settings as they are.

    Args:
        trials: As in `tune --json`.
        most: So many.
        loss: Its name: `pinball` or `log_loss`.
    """
    done = sorted((one for one in trials if one["state"] == "done"), key=lambda one: one["value"])
    top = done[:most]
    top += [one for one in done[most:] if one["default"]]
    if not top:
        return ["no trial is finished yet"]
    names = list(top[0]["settings"])
    heading = [
        "trial",
        loss.replace("_", " "),
        "seconds",
        *(name.replace("_", " ") for name in names),
    ]
    return aligned([heading, *(_cells(one, names) for one in top)])


def setting_text(value: Any) -> str:
    """A value as one word: `64+64`, `gru`, `0.003`."""
    if isinstance(value, list):
        shown = [str(part) for part in value[:_NAMED]]
        more = len(value) - _NAMED
        return "+".join(shown) + (f"+{more} more" if more > 0 else "")
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_text(values: Mapping[str, Any]) -> str:
    """`network gru, units 64+64, learning rate 0.003`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {setting_text(value)}" for name, value in values.items()
    )


def _cells(one: Mapping[str, Any], names: list[str]) -> list[str]:
    mark = " (as set)" if one["default"] else ""
    return [
        f"{one['trial']}{mark}",
        shown(one["value"], "{:.6f}"),
        f"{one['seconds']:.1f}",
        *(setting_text(one["settings"][name]) for name in names),
    ]
