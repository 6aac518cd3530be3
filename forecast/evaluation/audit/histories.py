"""Histories that are the same up to an origin and end otherwise, and what a comparison found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

CUT_OFF, CHANGED = "cut off", "changed"
FIRST_BAR = "first bar"
_SEED = 7


@dataclass(frozen=True)
class Check:
    """One line of the audit.

    Attributes:
        check: What was asked: `future`, `training part`, `purge`, `first bar` or `record`.
        subject: Of what: an indicator's name, `scaler`, `windows`, …
        passed: False is a leak. `first bar` is information and always passes.
        detail: What was compared, or where the first difference lies.
    """

    check: str
    subject: str
    passed: bool
    detail: str


def other_histories(
    bars: pd.DataFrame, cuts: Sequence[int]
) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """How many rows are the same, what happened after them, and the history."""
    for known in cuts:
        yield known, CUT_OFF, bars.iloc[:known]
        yield known, CHANGED, changed_after(bars, known)


def places(least: int, rows: int, count: int) -> list[int]:
    """Numbers of known rows spread from `least` to all but one."""
    return sorted({int(cut) for cut in np.linspace(least, rows - 1, count + 1)[1:]})


def changed_after(bars: pd.DataFrame, known: int) -> pd.DataFrame:
    """Bars that keep their contract, with every row from `known` on changed wildly."""
    rng, rows = np.random.default_rng(_SEED + known), len(bars) - known
    level, up, down = np.exp(rng.normal(0.0, [[2.0], [0.3], [0.3]], (3, rows)))
    high = level * np.maximum(up, 1 / up)
    low = level * np.minimum(down, 1 / down)
    factors = np.column_stack([level, high, low, level, np.exp(rng.normal(0.0, 3.0, rows))])
    changed = bars.copy()
    changed.iloc[known:] = bars.iloc[known:].to_numpy() * factors
    return changed


def first_difference(expected: np.ndarray, found: np.ndarray) -> int | None:
    """First row in which two arrays are not the same bit for bit; NaN equals NaN."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return 0
    bits = np.dtype(f"u{expected.dtype.itemsize}")
    one, other = (np.where(np.isnan(side), np.nan, side) for side in (expected, found))
    differ = one.astype(expected.dtype).view(bits) != other.astype(expected.dtype).view(bits)
    rows = np.flatnonzero(differ.reshape(len(differ), -1).any(axis=1))
    return int(rows[0]) if len(rows) else None


def difference_at(bars: pd.DataFrame, row: int, known: int, how: str) -> str:
    """In words: which row differs, and after which one the history was made another."""
    return (
        f"differs at {bars.index[row]:%Y-%m-%d} when the bars after "
        f"{bars.index[known - 1]:%Y-%m-%d} are {how}"
    )


def future_check(subject: str, difference: str | None, cuts: int) -> Check:
    """The line about one subject: its first difference, or that there is none."""
    same = f"same bit for bit at {cuts} places, later bars cut off or changed"
    return Check("future", subject, difference is None, difference or same)


def record_check(
    name: str, recorded: np.ndarray, again: np.ndarray, *, unit: str, rounding: float
) -> Check:
    """The line about what a run recorded of its network, a row a forecast, and the same made again.

    Args:
        name: Of the network.
        recorded: What was written.
        again: What the saved network says now.
        unit: Of both.
        rounding: How far apart they may be.
    """
    subject = f"network {name}"
    if recorded.shape != again.shape:
        detail = f"{len(recorded)} forecasts recorded, {len(again)} made again"
        return Check("record", subject, False, detail)
    apart = float(np.abs(recorded - again).max())
    detail = f"{len(again)} forecasts made again, at most {apart:.1g} apart [{unit}]"
    return Check("record", subject, apart <= rounding, detail)
