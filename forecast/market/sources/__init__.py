"""Where bars come from; each source is one module with a `fetch`."""

from __future__ import annotations

from collections.abc import Callable

from forecast.market.bars import History
from forecast.market.sources import csv_files, sample, yahoo

# Each is called as fetch(ticker, start, end, **own), where `csv` needs folder= and `yahoo` cache=.
# None stands for: nothing new in that range.
SOURCES: dict[str, Callable[..., History | None]] = {
    "yahoo": yahoo.fetch,
    "sample": sample.fetch,
    "csv": csv_files.fetch,
}
