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
        feature_names: one a column.
    """

    features: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    lookback: int
    horizon: int
    origin: pd.DatetimeIndex
    feature_names: tuple[str, ...]

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
) -> Windows:
    """All windows of one ticker at stride 1 whose outcome is known.

    Args:
        features: Scaled, shape (rows, n_features).
        targets: Encoded, shape (rows, horizon); NaN in the last `horizon` rows.
        sessions: Of the rows, shape (rows,).
        lookback: Rows a window, >= 1.
        feature_names: One a column.

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
    )


def concatenate(parts: Sequence[Windows]) -> Windows:
    """Windows of several tickers over one table of rows; lookback and features must agree.

    Nothing is copied where there is only one.

    Raises:
        ValueError: if they do not.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        if (part.lookback, part.horizon, part.feature_names) != (
            first.lookback,
            first.horizon,
            first.feature_names,
        ):
            raise ValueError("windows of different lookback, horizon or features cannot be joined.")
    offsets = np.cumsum([0, *(len(part.features) for part in parts[:-1])])
    return replace(
        first,
        features=np.concatenate([part.features for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        starts=np.concatenate(
            [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
        ),
        origin=pd.DatetimeIndex(np.concatenate([part.origin for part in parts])),
    )


def share(parts: Sequence[Windows]) -> tuple[Windows, list[Windows]]:
    """The windows of several tickers over one table of rows, and each ticker's as a view of it.

    Raises:
        ValueError: if lookback or features do not agree.
    """
    whole = concatenate(parts)
    ends = np.cumsum([len(part.features) for part in parts])
    views = [
        replace(part, features=whole.features[a:b], targets=whole.targets[a:b])
        for part, a, b in zip(parts, [0, *ends[:-1]], ends, strict=True)
    ]
    return whole, views


def take_of_each(whole: Windows, counts: Sequence[int], chosen: Sequence[range]) -> Windows:
    """The windows at some positions of each ticker's, out of those of all; the rows are shared.

    Args:
        whole: As `concatenate` or `share` gave it.
        counts: Of windows, for each ticker.
        chosen: Positions among each ticker's windows.
    """
    firsts = np.cumsum([0, *counts[:-1]])
    return whole.take(
        np.concatenate(
            [np.arange(a + own.start, a + own.stop) for a, own in zip(firsts, chosen, strict=True)]
        )
    )
