"""The nights' log: one line of JSON a fact, rotated, without secrets.

{"at": "2026-11-20T23:31:07.412Z", "fact": "ticker done", "ticker": "AAPL", "promoted": true, …}
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import numpy as np

from forecast.files import unwritable

LARGEST = 5_000_000
KEPT = 9
_NAME = "nightly.jsonl"
_PASSWORD = re.compile(r"(?<=://)[^/\s@\"']+@")
_HIDDEN = "***"


class NightLog:
    """Facts, a line each, in `logs/nightly.jsonl` of a home.

    Lines are appended whole, so that a killed night leaves no half one but the last. A disk that
    is full costs lines, never the night.
    """

    def __init__(self, handler: RotatingFileHandler, secrets: tuple[str, ...]) -> None:
        self._handler = handler
        # The longest first: one may hold another.
        self._secrets = sorted(secrets, key=len, reverse=True)

    def fact(self, fact: str, /, **details: Any) -> None:
        """Write one line.

        Args:
            fact: What happened, in one or two words: `promoted`, `failed`, `night began`.
            details: What is known about it. Dates, paths, sets and numbers of numpy are written as
                JSON knows them, NaN as null; an error as its type and message.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        document = {"at": now, "fact": fact, **{name: _plain(one) for name, one in details.items()}}
        line = json.dumps(self._clean(document), ensure_ascii=False, allow_nan=False)
        self._handler.handle(logging.makeLogRecord({"msg": line}))

    def _clean(self, value: Any) -> Any:
        """The value without what must stay secret, in texts at any depth."""
        if isinstance(value, dict):
            return {self._clean(key): self._clean(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        if not isinstance(value, str):
            return value
        for secret in self._secrets:
            value = value.replace(secret, _HIDDEN)
        return _PASSWORD.sub(f"{_HIDDEN}@", value)


@contextmanager
def night_log(home: Path, *, secrets: tuple[str | None, ...] = ()) -> Iterator[NightLog]:
    """The log of a home's nights, for one writer at a time: call it under the night's lock.

    Args:
        home: The home folder.
        secrets: Texts that no line may hold, such as the webhook's address. User and password in
            any address are taken out besides.

    Raises:
        ArtifactError: if the file cannot be written at the start.
    """
    path = home / "logs" / _NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Handler(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8")
        _end_half_line(path)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield NightLog(handler, tuple(secret for secret in secrets if secret))
    finally:
        # What a full disk did not take is tried again here; its loss has been told.
        with suppress(OSError):
            handler.close()


class _Handler(RotatingFileHandler):
    """Says once on stderr that lines are lost, instead of a traceback for each."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        if not self._told:
            self._told = True
            print(f"NOTICE: {self.baseFilename} loses lines: {sys.exc_info()[1]}", file=sys.stderr)


def _end_half_line(path: Path) -> None:
    """Close the line that a killed night was writing, so that the next one stands alone."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _plain(value: Any) -> Any:
    """The value as JSON knows it."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(one) for one in value), key=str)
    return _scalar(value.item() if isinstance(value, np.generic) else value)


def _scalar(value: Any) -> str | int | float | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return value.isoformat() if isinstance(value, date) else str(value)
