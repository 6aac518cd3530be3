"""`@FILE` among the tickers: a file of tickers, one a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from forecast.errors import ConfigError, ForecastError

Command = TypeVar("Command", bound=Callable[..., Any])

_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+")
_KEY = f"{__name__}.snapshots"


def expand(
    context: click.Context, parameter: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    """The tickers, with each `@FILE` replaced by those in the file.

    A line is a ticker, or `TICKER=SNAPSHOT` as `--as-of` takes it; what follows a `#` is a comment.

    Raises:
        ConfigError: if a file cannot be read or holds no ticker, or a line is something else.
    """
    takes_snapshots = any(one.name == "as_of" for one in context.command.params)
    tickers: list[str] = []
    for word in words:
        if not word.startswith("@"):
            tickers.append(word)
            continue
        path = Path(word[1:])
        for number, ticker, snapshot in _read(path):
            if snapshot is not None and not takes_snapshots:
                raise ConfigError(
                    f"forecast {context.info_name} takes tickers without a snapshot. Line {number} "
                    f"of {path} names {snapshot}.",
                    hint=f"leave out ={snapshot}",
                )
            tickers.append(ticker)
            if snapshot is not None:
                context.meta.setdefault(_KEY, {})[ticker] = snapshot
    return tuple(tickers)


def listed_snapshots() -> dict[str, str]:
    """Ticker → snapshot, of the files that this command was given."""
    found: dict[str, str] = click.get_current_context().meta.get(_KEY, {})
    return found


def _read(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """Line number, ticker and snapshot."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise ConfigError(
            f"@{path} must name a text file of tickers, one a line. There is none at {path}.",
            hint=f"ls {path.parent}",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} must be a readable text file of tickers, one a line. Reading it failed: "
            f"{error}.",
            hint=f"head {path}",
        ) from error
    found = list(_entries(path, lines))
    if not found:
        raise ConfigError(
            f"{path} must hold at least one ticker. It has none in {len(lines)} lines.",
            hint="a ticker on each line, such as AAPL",
        )
    yield from found


def _entries(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, str, str | None]]:
    from forecast.market.bars import check_ticker

    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        # A ticker may hold an equals sign itself, as EURUSD=X does.
        before, _, last = text.rpartition("=")
        snapshot = last if before and _SNAPSHOT.fullmatch(last) else None
        try:
            ticker = check_ticker(text if snapshot is None else before)
        except ForecastError as error:
            raise ConfigError(
                f"every line of {path} must be a ticker. Line {number} is {text!r}: "
                f"{error.message}",
                hint=f"correct line {number}, or put a # before it",
            ) from error
        yield number, ticker, snapshot


def tickers_argument(*, required: bool = True) -> Callable[[Command], Command]:
    """The argument of every command that takes tickers."""
    metavar = "TICKER..." if required else "[TICKER...]"
    return click.argument("tickers", nargs=-1, required=required, metavar=metavar, callback=expand)
