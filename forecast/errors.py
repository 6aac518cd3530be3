"""Every error the program raises on purpose.

ForecastError
├── ConfigError           a setting, flag or variable is unknown or out of range
├── SourceError           bars could not be brought
│   ├── UnknownTicker     the source has no such ticker
│   ├── SourceUnavailable the source cannot be reached, or answers with a fault
│   ├── RateLimited       the source refuses for now
│   └── MalformedData     the source answered, but not with bars
├── BarsError             bars break their contract
├── NotEnoughBars         too short a history for what was asked
├── TrainingError         training diverged
├── LeakError             something sees bars that come after the forecast's origin
├── ArtifactError         a saved file is missing, damaged or of another version
└── BusyError             another process holds the lock

A message says what must hold, what came and where; the hint is the next command.
"""

from __future__ import annotations

import traceback
from pathlib import Path


class ForecastError(Exception):
    """Base of all errors that a user can do something about."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} Try: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # The keyword-only hint would be lost when an error crosses a process boundary.
        return _rebuild, (type(self), self.message, self.hint)

    def as_document(self) -> dict[str, str | None]:
        """The error as the JSON object that `--json` prints."""
        return {"type": type(self).__name__, "message": self.message, "hint": self.hint}


def _rebuild(kind: type[ForecastError], message: str, hint: str | None) -> ForecastError:
    return kind(message, hint=hint)


class ConfigError(ForecastError):
    """A setting, flag or variable is unknown or out of range."""


class SourceError(ForecastError):
    """Bars could not be brought."""


class UnknownTicker(SourceError):  # noqa: N818
    """The source has no such ticker."""


class SourceUnavailable(SourceError):  # noqa: N818
    """The source cannot be reached, or answers with a fault."""


class RateLimited(SourceError):  # noqa: N818
    """The source refuses for now."""


class MalformedData(SourceError):  # noqa: N818
    """The source answered, but not with bars."""


class BarsError(ForecastError):
    """Bars break their contract."""


class NotEnoughBars(ForecastError):  # noqa: N818
    """Too short a history for what was asked."""


class TrainingError(ForecastError):
    """Training diverged."""


class LeakError(ForecastError):
    """Something sees bars that come after the forecast's origin."""


class ArtifactError(ForecastError):
    """A saved file is missing, damaged or of another version."""


class BusyError(ForecastError):
    """Another process holds the lock."""


def as_known(failure: Exception, *, ticker: str, hint: str | None = None) -> ForecastError:
    """Any failure as this program's error: one ticker's fault must not end the others' work.

    Args:
        failure: What was raised; it becomes the error's cause.
        ticker: For which.
        hint: The next command, if nobody foresaw this failure; None for the same one, of the
            ticker alone.
    """
    if isinstance(failure, ForecastError):
        return failure
    if isinstance(failure, OSError):
        system = from_system(failure)
        known = ForecastError(f"{ticker}: {system.message}", hint=system.hint)
    else:
        known = ForecastError(
            f"{ticker}: its job must end without a fault. {type(failure).__name__} at "
            f"{raised_at(failure)}: {failure}",
            hint=hint or f"the same command for {ticker} alone, with --debug",
        )
    known.__cause__ = failure
    return known


def raised_at(failure: Exception) -> str:
    """Where a failure was raised, `file.py:12`."""
    where = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{Path(where.filename).name}:{where.lineno}"


def from_system(failure: OSError) -> ForecastError:
    """What the operating system refused, as this program's error."""
    named = f" ({failure.filename})" if failure.filename is not None else ""
    return ForecastError(
        f"the system refused a file: {failure.strerror or failure}{named}.",
        hint="check the folder's permissions and free space, or choose another --home",
    )
