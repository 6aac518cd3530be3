"""A folder that is finished: its page is drawn, then its document is written, last of all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.errors import ArtifactError
from forecast.files import write_json
from forecast.market.fetching import Fetched

PAGE = "index.html"


def finished(
    path: Path,
    *,
    asked: Mapping[str, Any],
    forecasts: Path,
    read: Callable[[Path], pd.DataFrame],
    usable: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> tuple[dict[str, Any], pd.DataFrame, Path] | None:
    """Document, forecasts and page, if they are whole and were asked for in the same way.

    Args:
        path: Of the document; the page lies beside it.
        asked: What its `settings` must be.
        forecasts: Their file.
        read: File → frame; raises ArtifactError.
        usable: Whether the document will do.
    """
    page = path.with_name(PAGE)
    try:
        document = json.loads(path.read_bytes())
        if document["settings"] != asked or not usable(document) or not page.is_file():
            return None
        return {**document, "status": "current"}, read(forecasts), page
    except (OSError, ValueError, KeyError, TypeError, ArtifactError):
        # Not there yet, or damaged: then it is made again from what is kept.
        return None


def finish(
    path: Path,
    document: dict[str, Any],
    draw: Callable[[], list[Path]],
    *,
    begun: float,
    home: Path,
) -> None:
    """Draw the page, then write the document, with its `plots` and how long all of it took.

    Args:
        path: Of the document.
        document: Its `seconds` are a mapping; the page tells those up to here.
        draw: Writes pictures and page; gives their files.
        begun: When the work began, by `time.perf_counter`.
        home: Which the plots' paths are relative to.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    document["seconds"]["total"] = time.perf_counter() - begun
    drawn = draw()
    document["plots"] = [one.relative_to(home).as_posix() for one in drawn if one.suffix == ".png"]
    document["seconds"]["total"] = time.perf_counter() - begun
    write_json(path, document)


def bars_document(fetched: Fetched) -> dict[str, Any]:
    """Which bars the work was done on, as JSON."""
    return {
        "source": fetched.source,
        "snapshot": fetched.snapshot,
        "currency": fetched.history.currency,
        "notice": fetched.notice,
        "findings": [finding.as_document() for finding in fetched.findings],
    }
