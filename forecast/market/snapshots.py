"""One snapshot: what is known about it, and its quotes as a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import ArtifactError
from forecast.market.bars import QUOTE_COLUMNS, History

_LIBRARIES = ("numpy", "pandas", "pyarrow", "yfinance", "exchange_calendars")


@dataclass(frozen=True)
class Manifest:
    """What is known about one snapshot.

    Attributes:
        snapshot: Its id: UTC time and the first digits of its SHA-256.
        ticker: Such as `AAPL`.
        source: `yahoo`, `sample` or `csv`.
        fetched_at: UTC time, ISO 8601.
        first: First session, ISO date.
        last: Last session, ISO date.
        rows: Number of sessions.
        sha256: Of the Parquet file.
        exchange: As the source gives it, or the calendar its sessions seem to keep.
        currency: Quote currency, or None.
        timezone: The exchange's time zone, or None.
        findings: As `Finding.as_document`.
        change: How the part known before differed: `split`, `dividend`, `correction`,
            `rounding`, `truncation`, or None.
        parent: The snapshot it followed, or None.
        libraries: Versions that wrote it.
    """

    snapshot: str
    ticker: str
    source: str
    fetched_at: str
    first: str
    last: str
    rows: int
    sha256: str
    exchange: str
    currency: str | None
    timezone: str | None
    findings: list[dict[str, Any]]
    change: str | None
    parent: str | None
    libraries: dict[str, str]

    def history(self, quotes: pd.DataFrame) -> History:
        """The snapshot's quotes, or some of them, with what the source said of the ticker."""
        return History(
            self.ticker, quotes, self.source, self.exchange, self.currency, self.timezone
        )


@dataclass(frozen=True)
class Marks:
    """What is known about a snapshot's being the newest; changes without its quotes changing.

    Attributes:
        asked_from: First session that was asked for, ISO date; None for all there is.
        whole_at: When the whole history was last fetched (not only what was missing); UTC.
        fingerprint: SHA-256 of the settings it was judged by, and of the files it was made from;
            None where these cannot tell whether there is anything new.
    """

    asked_from: str | None
    whole_at: str
    fingerprint: str | None


@dataclass(frozen=True)
class Newest:
    """A source's newest snapshot with a whole manifest.

    Attributes:
        manifest: Its manifest.
        marks: The pointer's; None where there is none or it was damaged.
        damage: The message about the pointer or a newer manifest that is not whole, or None.
    """

    manifest: Manifest
    marks: Marks | None
    damage: str | None = None


def encode(quotes: pd.DataFrame) -> bytes:
    """Quotes as a Parquet file: `session` as a date, `QUOTE_COLUMNS` as doubles, page checksums."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"session": pa.array(quotes.index.to_numpy().astype("datetime64[D]"))}
    columns |= {name: pa.array(quotes[name].to_numpy("float64")) for name in QUOTE_COLUMNS}
    sink = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        sink,
        compression="zstd",
        use_dictionary=["dividends", "splits"],
        write_page_checksum=True,
    )
    return sink.getvalue()


def decode(content: bytes) -> pd.DataFrame:
    """Quotes from a Parquet file, as in `History.quotes`.

    Raises:
        ArtifactError: if a page's checksum or the format is wrong.
    """
    table = _read(content, QUOTE_COLUMNS)
    values = np.column_stack([table.column(name).to_numpy() for name in QUOTE_COLUMNS])
    return pd.DataFrame(values, index=_sessions(table), columns=QUOTE_COLUMNS)


def decode_sessions(content: bytes) -> pd.DatetimeIndex:
    """The sessions alone; the rest of the file is not read.

    Raises:
        ArtifactError: as `decode`.
    """
    return _sessions(_read(content, []))


def _read(content: bytes, columns: Sequence[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        return file.read(["session", *columns], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(f"a snapshot must be a Parquet file of quotes. {error}.") from error


def _sessions(table: Any) -> pd.DatetimeIndex:
    sessions = table.column("session").to_numpy().astype("datetime64[us]")
    return pd.DatetimeIndex(sessions, name="session")


@cache
def libraries() -> dict[str, str]:
    """Versions of the libraries that shape a snapshot."""
    from importlib.metadata import version

    return {name: version(name) for name in _LIBRARIES}
