"""What a study may read: the bars before the test part, and the rows' hashes that prove it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from forecast.features.splits import Split, first_test_bar
from forecast.market.fetching import Fetched
from forecast.market.snapshots import encode
from forecast.pipeline.provenance import data_hash


@dataclass(frozen=True)
class Part:
    """The bars of a ticker, cut off before the test part.

    Attributes:
        fetched: The ticker with the bars that may be read and no others.
        test: Bars from the first test origin on, as `train` would see them.
    """

    fetched: Fetched
    test: pd.DataFrame

    @property
    def bars(self) -> pd.DataFrame:
        """The bars that may be read."""
        return self.fetched.bars

    def rows(self) -> list[tuple[str, str, str]]:
        """Part (`read` or `test`), session and hash of every row."""
        return [
            (name, f"{session:%Y-%m-%d}", digest)
            for name, bars in (("read", self.bars), ("test", self.test))
            for session, digest in zip(bars.index, row_hashes(bars), strict=True)
        ]

    def table(self) -> bytes:
        """The rows as a CSV file."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["part", "session", "sha256"])
        writer.writerows(self.rows())
        return text.getvalue().encode()

    def as_document(self) -> dict[str, Any]:
        """First, last, number and one hash of the rows of both parts."""
        read, test = (set(row_hashes(bars)) for bars in (self.bars, self.test))
        return {
            "read": _described(self.bars),
            "test": _described(self.test),
            "in_both": len(read & test),
            "file": "rows.csv",
        }


def before_test(fetched: Fetched, *, least: int, horizon: int) -> Part:
    """Cut off what `train` would score on, for any setting of the space.

    Args:
        fetched: All bars.
        least: Fewest bars up to the first origin that a setting of the space needs: with these
            the test part begins the earliest.
        horizon: Sessions ahead.

    Raises:
        NotEnoughBars: saying how many sessions are needed.
    """
    bars = fetched.bars
    first = first_test_bar(len(bars), before=least, horizon=horizon, ticker=fetched.ticker)
    last = bars.index[first - 1]
    # The content too: what is not there cannot be read.
    quotes = fetched.history.quotes.loc[:last]
    cut = replace(fetched, content=encode(quotes), end=last.date())
    return Part(cut, bars.iloc[first:])


def moved_earlier(splits: Sequence[Split], by: int) -> list[Split]:
    """The same sessions to validate and test on for settings whose first origin is earlier.

    Args:
        splits: Of the settings with the latest first origin.
        by: Sessions that the first origin is earlier; training has so many origins more.
    """

    def later(part: range) -> range:
        return range(part.start + by, part.stop + by)

    return [
        Split(range(one.train.stop + by), later(one.validation), later(one.test)) for one in splits
    ]


def row_hashes(bars: pd.DataFrame) -> list[str]:
    """SHA-256 of each row: `2013-03-01,open,high,low,close,volume`, numbers as Python has them."""
    days = pd.DatetimeIndex(bars.index).strftime("%Y-%m-%d")
    return [
        hashlib.sha256(",".join([day, *map(repr, row)]).encode()).hexdigest()
        for day, row in zip(days, bars.to_numpy("float64").tolist(), strict=True)
    ]


def _described(bars: pd.DataFrame) -> dict[str, Any]:
    return {
        "first": f"{bars.index[0]:%Y-%m-%d}",
        "last": f"{bars.index[-1]:%Y-%m-%d}",
        "rows": len(bars),
        "sha256": data_hash(bars),
    }
