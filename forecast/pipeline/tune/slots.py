"""A study's folder: one file a finished trial, one lock a trial that is being made.

The folder is the journal. A trial belongs to whoever holds the lock on its file; the system lets
go of it when the process ends, however that comes about, and the next one takes the trial over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.files import locked, write_json

STATES = ("done", "pruned", "failed")


@dataclass(frozen=True)
class Slots:
    """The trials of a study.

    Attributes:
        folder: Of the study.
    """

    folder: Path

    def result(self, number: int) -> dict[str, Any] | None:
        """What came of a trial, or None if it is not finished; a damaged file is not."""
        try:
            document = json.loads(self._path(number, "json").read_bytes())
        except (OSError, ValueError):
            return None
        known = isinstance(document, dict) and document.get("state") in STATES
        return document if known and document.get("trial") == number else None

    def write(self, number: int, document: dict[str, Any]) -> None:
        """Keep what came of a trial; the file is whole or not there."""
        write_json(self._path(number, "json"), document)

    @contextmanager
    def claim(self, number: int) -> Iterator[bool]:
        """Whether this process may make the trial; nobody else may within the block."""
        with locked(self._path(number, "lock"), wait=0) as mine:
            yield mine

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Held for what only one process may do at a time."""
        with locked(self.folder / "study.lock", wait=-1):
            yield

    def _path(self, number: int, ending: str) -> Path:
        return self.folder / "trials" / f"{number:04d}.{ending}"
