"""A process that issues and settles night after night, until it is killed."""

from __future__ import annotations

import resource
from pathlib import Path

from ledger.issues import bars_of, issue_at

from forecast.errors import ForecastError
from forecast.ledger import open_ledger


def write(home: Path, ticker: str, said: Path, largest: int | None = None) -> None:
    """Issue and settle; each origin recorded, and the error met, becomes a line of `said`.

    Args:
        home: Home folder.
        ticker: Whose forecasts.
        said: File that holds this process to its word.
        largest: No file may grow beyond so many bytes, as on a full disk.
    """
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    bars = bars_of(4000)
    with said.open("a", buffering=1) as lines:
        try:
            with open_ledger(home, wait=60) as ledger:
                for row in range(len(ledger.origins(ticker)), len(bars) - 1):
                    one = issue_at(bars, row, ticker=ticker, horizon=2)
                    ledger.settle(
                        ticker, bars.iloc[: row + 1], snapshot=one.snapshot, now=one.issued_at
                    )
                    ledger.issue(one, known_until=one.origin)
                    lines.write(f"{one.origin}\n")
        except ForecastError as error:
            lines.write(f"{type(error).__name__}: {error}\n")
