"""Where bars come from; each source is one module with a `fetch`."""

from __future__ import annotations

from collections.abc import Callable

from forecast.errors import ConfigError
from forecast.market.bars import History
from forecast.market.sources import csv_files, sample, yahoo

# Each is called as fetch(ticker, start) for all bars from `start` on; of their own `csv` needs
# folder= and `yahoo` cache=. None stands for: nothing new in that range.
SOURCES: dict[str, Callable[..., History | None]] = {
    "yahoo": yahoo.fetch,
    "sample": sample.fetch,
    "csv": csv_files.fetch,
}


def check_source(source: str) -> str:
    """The same source, if it is one: for a setting.

    Args:
        source: `auto`, a key of `SOURCES`, or `csv:DIR`.

    Raises:
        ConfigError: if it is none, or DIR begins with a `~` and names a user not known here.
    """
    kind, _, folder = source.partition(":")
    if kind not in ("auto", *SOURCES) or (kind == "csv") != bool(folder) or source.endswith(":"):
        choices = ["auto", *("csv:DIR" if name == "csv" else name for name in SOURCES)]
        raise ConfigError(
            f"the source must be one of {', '.join(choices)}. Received {source!r}.",
            hint="csv:DIR, where DIR holds TICKER.csv" if kind == "csv" else "auto",
        )
    if folder:
        csv_files.folder_of(source)
    return source
