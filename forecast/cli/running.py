"""What every command does around its verb: settings, progress, printing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecast.cli.options import Shared
from forecast.cli.ticker_lists import listed_snapshots
from forecast.files import home_folder

if TYPE_CHECKING:
    from forecast.config import Settings
    from forecast.pipeline.watch import Watch

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def settings_for(shared: Shared, **flags: Any) -> tuple[Path, Settings]:
    """The home folder, and its settings with what the flags say."""
    from forecast.config import load_settings

    home = home_of(shared)
    return home, load_settings(home, **flags)


def home_of(shared: Shared) -> Path:
    """The home folder: the flag, the variable, or the current folder."""
    return home_folder(shared.home or os.environ.get("FORECAST_HOME") or ".")


@contextmanager
def watching_of(shared: Shared) -> Iterator[Watch]:
    """Progress as the user wants it: a live bar, plain lines, or none."""
    from forecast.progress import silent, watching

    if shared.quiet:
        yield silent()
    else:
        with watching() as watch:
            yield watch


def snapshots(tickers: tuple[str, ...], given: tuple[str, ...]) -> dict[str, str]:
    """Ticker → snapshot; a bare snapshot belongs to the only ticker, a flag beats a file."""
    snapshots = listed_snapshots()
    asked = {ticker.strip().upper() for ticker in tickers}
    for word in given:
        name, separator, snapshot = word.rpartition("=")
        if not separator and len(asked) > 1:
            raise click.UsageError("--as-of needs TICKER=SNAPSHOT where there are several tickers.")
        ticker = (name or tickers[0]).strip().upper()
        if ticker not in asked:
            raise click.UsageError(f"--as-of {word}: {ticker} is not among the tickers asked for.")
        snapshots[ticker] = snapshot
    return snapshots


def day(moment: datetime | None) -> date | None:
    """The day of a date option."""
    return None if moment is None else moment.date()


def failures(failed: list[Any]) -> dict[str, Any]:
    """For several tickers of which some failed; a single failure is an `error` document."""
    if not failed:
        return {}
    return {"failed": [{"ticker": one.ticker, "error": one.error.as_document()} for one in failed]}


def print_lines(lines: list[str]) -> None:
    """Print a result for people."""
    click.echo("\n".join(lines))


def print_json(document: dict[str, Any], *, indent: int | None = 2) -> None:
    """Print the one document of `--json`; None as indent prints it in one line."""
    # A stream's own escape for a character that its encoding lacks is none of JSON's.
    escaped = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    click.echo(json.dumps(document, indent=indent, allow_nan=False, ensure_ascii=escaped))
