"""Lookback windows over flat rows: nothing is copied until a batch is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Windows:
    """Windows of one or several tickers over one flat table of rows.

    Window `i` is rows `starts[i] … starts[i] + lookback - 1`; its last row is the origin. No
    window crosses from one ticker to the next.

    Attributes:
        features: scaled, shape (rows, n_features), float32, no NaN.
        targets: encoded target of each row as origin, shape (rows, horizon), float32; NaN where
            the outcome is not known yet.
        starts: first row of each window, increasing, shape (n,).
        lookback: rows a window.
        horizon: steps ahead.
        origin: session of each window's last row, shape (n,).
        feature_names: one a column, without those of the sessions ahead.
        known: numbers known of each session ahead (`features.calendar`), in `horizon * known`
            columns at the right end.
    """

    features: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    lookback: int
    horizon: int
    origin: pd.DatetimeIndex
    feature_names: tuple[str, ...]
    known: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def y(self) -> np.ndarray:
        """Encoded targets of the windows, shape (n, horizon)."""
        return self.targets[self.starts + self.lookback - 1]

    def gather(self, positions: np.ndarray | slice) -> np.ndarray:
        """The windows at `positions`, shape (batch, lookback, n_features)."""
        return self.features[self.starts[positions, None] + np.arange(self.lookback)]

    def take(self, positions: range | np.ndarray) -> Windows:
        """The same rows with some of the windows only."""
        chosen = np.asarray(positions)
        return replace(self, starts=self.starts[chosen], origin=self.origin[chosen])

    def runs(self) -> list[tuple[int, int]]:
        """Stretches of windows that follow each other row by row: (first start, how many)."""
        breaks = np.flatnonzero(np.diff(self.starts) != 1) + 1
        edges = np.r_[0, breaks, len(self.starts)]
        return [(int(self.starts[a]), int(b - a)) for a, b in pairwise(edges) if b > a]


def make_windows(
    features: np.ndarray,
    targets: np.ndarray,
    sessions: pd.DatetimeIndex,
    *,
    lookback: int,
    feature_names: Sequence[str],
    known: int = 0,
) -> Windows:
    """All windows of one ticker at stride 1 whose outcome is known.

    Args:
        features: Scaled, shape (rows, n_features).
        targets: Encoded, shape (rows, horizon); NaN in the last `horizon` rows.
        sessions: Of the rows, shape (rows,).
        lookback: Rows a window, >= 1.
        feature_names: One a column, without those of the sessions ahead.
        known: Numbers known of each session ahead, at the right end of the rows.

    Returns:
        `rows - lookback - horizon + 1` windows (none, if that is not positive).
    """
    horizon = targets.shape[1]
    count = max(len(features) - lookback - horizon + 1, 0)
    starts = np.arange(count)
    return Windows(
        features=np.ascontiguousarray(features, dtype="float32"),
        targets=np.ascontiguousarray(targets, dtype="float32"),
        starts=starts,
        lookback=lookback,
        horizon=horizon,
        origin=sessions[starts + lookback - 1],
        feature_names=tuple(feature_names),
        known=known,
    )


def with_column(windows: Windows, name: str, value: float) -> Windows:
    """The same windows with a first column that has one value in every row."""
    column = np.full((len(windows.features), 1), value, dtype="float32")
    return replace(
        windows,
        features=np.hstack([column, windows.features]),
        feature_names=(name, *windows.feature_names),
    )


def concatenate(parts: Sequence[Windows]) -> Windows:
    """Windows of several tickers over one table of rows; lookback and features must agree.

    Nothing is copied where there is only one.

    Raises:
        ValueError: if they do not.
    """
    if len(parts) == 1:
        return parts[0]
    _require_alike(parts)
    return _joined(
        parts,
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def _joined(parts: Sequence[Windows], features: np.ndarray, targets: np.ndarray) -> Windows:
    """Windows of several tickers over the rows of all of them."""
    offsets = np.cumsum([0, *(len(part.features) for part in parts[:-1])])
    return replace(
        parts[0],
        features=features,
        targets=targets,
        starts=np.concatenate(
            [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
        ),
        origin=pd.DatetimeIndex(np.concatenate([part.origin for part in parts])),
    )


def _require_alike(parts: Sequence[Windows]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if (part.lookback, part.horizon, part.feature_names, part.known) != (
            first.lookback,
            first.horizon,
            first.feature_names,
            first.known,
        ):
            raise ValueError("windows of different lookback, horizon or features cannot be joined.")


class RowTable:
    """One table of rows that the windows of many tickers are moved into, one ticker at a time.

    So no row lies in memory twice, as it would while finished tables are joined.
    """

    def __init__(self, rows: int) -> None:
        """Make room.

        Args:
            rows: At most so many; what is not used takes no memory.
        """
        self._room = rows
        self._features = np.empty((0, 0), dtype="float32")
        self._targets = np.empty((0, 0), dtype="float32")
        self._parts: list[Windows] = []
        self._used = 0

    def move(self, windows: Windows) -> Windows:
        """The same windows as a view of the table's next rows.

        Raises:
            ValueError: if there is no room, or lookback, horizon or features are others than those
                of the windows before.
        """
        if self._parts:
            _require_alike([self._parts[0], windows])
        else:
            self._features = np.empty((self._room, windows.features.shape[1]), dtype="float32")
            self._targets = np.empty((self._room, windows.horizon), dtype="float32")
        rows = slice(self._used, self._used + len(windows.features))
        self._features[rows], self._targets[rows] = windows.features, windows.targets
        self._used = rows.stop
        view = replace(windows, features=self._features[rows], targets=self._targets[rows])
        self._parts.append(view)
        return view

    def whole(self) -> Windows:
        """The windows of all tickers, in the order in which they were moved; at least one."""
        return _joined(self._parts, self._features[: self._used], self._targets[: self._used])


def take_of_each(whole: Windows, counts: Sequence[int], chosen: Sequence[range]) -> Windows:
    """The windows at some positions of each ticker's, out of those of all; the rows are shared.

    Args:
        whole: As `concatenate` or `RowTable.whole` gave it.
        counts: Of windows, for each ticker.
        chosen: Positions among each ticker's windows.
    """
    firsts = np.cumsum([0, *counts[:-1]])
    return whole.take(
        np.concatenate(
            [np.arange(a + own.start, a + own.stop) for a, own in zip(firsts, chosen, strict=True)]
        )
    )
