"""The page of `tune`, made of the same parts as a run's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forecast.report import run_page, wording
from forecast.report.page import render_page, write_page
from forecast.report.searches import pictures_of
from forecast.report.tuning_text import setting_text, settings_text

_SECTIONS = (
    ("ranking", "The best trials"),
    ("unfinished", "Trials that failed or were cut short"),
    ("walk_forward", "Where each trial was scored"),
    ("proof", "What was read"),
)
_SHOWN = 20


def write_tuning(folder: Path, *, document: Mapping[str, Any]) -> list[Path]:
    """Draw the pictures of a search and write its page.

    Args:
        folder: Exists.
        document: As `tune --json` prints it.

    Returns:
        The PNG files in the order of the page, then `index.html`.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    pictures = pictures_of(document)
    trials, rows = document["trials"], document["rows"]
    done = sorted((one for one in trials if one["state"] == "done"), key=lambda one: one["value"])
    shown = {
        **document,
        "ranking": {
            "caption": f"Trials, the lowest held-out loss first{_of(done)}",
            "rows": [_trial(one, document["loss"]) for one in done[:_SHOWN]],
        },
        "unfinished": {
            "caption": "Each is counted as a trial",
            "rows": [_unfinished(one) for one in trials if one["state"] != "done"],
        },
        "walk_forward": {
            "text": "For each fold the network, its inputs and the calibration were fitted again "
            "on earlier sessions only; every trial is scored on the same sessions.",
            "caption": "Held-out sessions of each fold",
            "rows": [
                {
                    "fold": fold["fold"],
                    "sessions": wording.span(fold["first"], fold["last"]),
                    "origins": fold["origins"],
                }
                for fold in document["folds"]
            ],
        },
        "proof": {
            "text": f"The search was handed the bars to {wording.day(rows['read']['last'])} and "
            f"no later one. Of the {rows['test']['rows']:,} rows from "
            f"{wording.day(rows['test']['first'])} on, which train scores on, "
            f"{rows['in_both'] or 'none'} is among the {rows['read']['rows']:,} that were read: "
            "rows.csv holds the hash of every row, each trial that of all it read.",
            "caption": "Rows by their hash",
            "rows": [
                {
                    "part": name,
                    "first": rows[name]["first"],
                    "last": rows[name]["last"],
                    "rows": wording.whole(rows[name]["rows"]),
                }
                for name in ("read", "test")
            ],
        },
    }
    text = render_page(
        shown, pictures, template="tuning.html", sections=_SECTIONS, side=run_page.PRICES
    )
    return write_page(folder, text, pictures)


def _of(done: list[Mapping[str, Any]]) -> str:
    return f" ({_SHOWN} of {len(done)})" if len(done) > _SHOWN else ""


def _trial(one: Mapping[str, Any], loss: str) -> dict[str, Any]:
    return {
        "trial": f"{one['trial']} (as set)" if one["default"] else str(one["trial"]),
        loss: one["value"],
        "seconds": one["seconds"],
        **{name: setting_text(value) for name, value in one["settings"].items()},
    }


def _unfinished(one: Mapping[str, Any]) -> dict[str, Any]:
    error = one["error"] or {}
    return {
        "trial": str(one["trial"]),
        "state": one["state"],
        "why": wording.shorten(error.get("message") or "above the median of the others", 100),
        "settings": settings_text(one["settings"]),
    }
