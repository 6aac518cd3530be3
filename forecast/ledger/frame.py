"""The track record: every issued step beside its outcome, as a frame and as a file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.files import write_atomically

REFERENCE_COLUMNS = [f"reference_{name}" for name in QUANTILE_COLUMNS]
_KINDS = {
    "ticker": "str",
    "origin": "datetime64[s]",
    "issued_at": "datetime64[us, UTC]",
    "run": "str",
    "network": "str",
    "snapshot": "str",
    "step": "int64",
    "session": "datetime64[s]",
    "last_close": "float64",
    "point": "float64",
    **dict.fromkeys(QUANTILE_COLUMNS, "float64"),
    "reference_point": "float64",
    **dict.fromkeys(REFERENCE_COLUMNS, "float64"),
    "status": "str",
    "actual": "float64",
    "corrected": "float64",
    "settled_at": "datetime64[us, UTC]",
    "reason": "str",
}
RECORD_COLUMNS = list(_KINDS)


def record_frame(entries: Iterable[tuple[int, Mapping[str, Any]]]) -> pd.DataFrame:
    """The track record of entries.

    Args:
        entries: Number and document of each, in order.

    Returns:
        A row an issued step in the order they were issued, columns `RECORD_COLUMNS`. Log returns
        from the origin's close: `point`, the quantiles, their `reference_…` counterparts, `actual`
        (the first settlement; NaN while pending or where void) and `corrected` (the newest
        correction; NaN without one). `last_close` is in the money of its day [quote currency].
        `status` is `pending`, `settled` or `void`; `settled_at` is when it left `pending`, and
        `reason` why it is void, else empty.
    """
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for number, entry in entries:
        if entry["kind"] == "issue":
            for step in entry["steps"]:
                rows[number, step["step"]] = _issued(entry, step)
            continue
        # Of a damaged ledger an issue may be unreadable while its settlement is not.
        row = rows.get((entry["issue"], entry["step"]))
        if row is None:
            continue
        if entry["kind"] == "correction":
            row["corrected"] = entry["outcome"]
        elif entry["kind"] == "void":
            row |= {"status": "void", "reason": entry["reason"], "settled_at": entry["settled_at"]}
        else:
            settled = {"actual": entry["outcome"], "settled_at": entry["settled_at"]}
            row |= {"status": "settled", **settled}
    frame = pd.DataFrame(list(rows.values()), columns=RECORD_COLUMNS)
    for name in ("issued_at", "settled_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    return frame.astype(_KINDS)


def write_record(path: Path, record: pd.DataFrame) -> None:
    """Write a track record as `.csv` or `.parquet`, whole or not at all; floats read back exactly.

    Raises:
        ArtifactError: if the folder cannot be written.
        ValueError: if the name ends otherwise.
    """
    if path.suffix == ".csv":
        text = record.assign(
            **{name: record[name].dt.strftime("%Y-%m-%d") for name in ("origin", "session")}
        ).to_csv(index=False, lineterminator="\n")
        write_atomically(path, text.encode())
    elif path.suffix == ".parquet":
        buffer = io.BytesIO()
        record.to_parquet(buffer, index=False)
        write_atomically(path, buffer.getvalue())
    else:
        raise ValueError(f"a track record is written as .csv or .parquet. Received {path.name}.")


def _issued(entry: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    same = ("ticker", "origin", "issued_at", "run", "network", "snapshot", "last_close")
    return {
        **{name: entry[name] for name in same},
        **{name: step[name] for name in ("step", "session", "point", "reference_point")},
        **dict(zip(QUANTILE_COLUMNS, step["quantiles"], strict=True)),
        **dict(zip(REFERENCE_COLUMNS, step["reference_quantiles"], strict=True)),
        "status": "pending",
        "reason": "",
    }
