"""Training batches gathered from windows: slices for causal networks, whole windows for others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from forecast.features.windows import Windows

INFERENCE_WINDOWS = 256
INFERENCE_SLICES = 128
LONGEST_EPOCH = 32
"""Updates until the network is validated again: more would train it past its best weights."""


def training_batches(
    windows: Windows,
    *,
    scored: int | None,
    batch: int,
    balanced: bool,
    longest: int,
    rng: np.random.Generator,
) -> Iterator[list[np.ndarray]]:
    """Without end, the batches of one epoch after the other.

    An epoch is all slices or windows once, or of many a part, and the next epoch goes on where it
    ended (docs/decisions/0250).

    Args:
        windows: Stride-1 windows.
        scored: Steps with a loss in each slice; None for windows, with a loss on the last step.
        batch: Slices or windows a batch.
        balanced: As many of each ticker.
        longest: Batches an epoch, at most.
        rng: For offsets and order.
    """
    while True:
        if scored is None:
            drawn = training_windows(windows, batch=batch, balanced=balanced, rng=rng)
        else:
            drawn = training_slices(windows, scored=scored, batch=batch, balanced=balanced, rng=rng)
        ends = np.linspace(0, len(drawn), -(-len(drawn) // longest) + 1).astype(int)
        yield from (drawn[first:end] for first, end in pairwise(ends))


def validation_batches(windows: Windows, *, scored: int | None) -> list[np.ndarray]:
    """Every window once, in order: positions of windows, or first rows of slices."""
    if scored is None:
        every, size = np.arange(len(windows)), INFERENCE_WINDOWS
    else:
        every, size = slice_starts(windows, scored=scored, rng=None), INFERENCE_SLICES
    return [every[first : first + size] for first in range(0, len(every), size)]


def slice_starts(windows: Windows, *, scored: int, rng: np.random.Generator | None) -> np.ndarray:
    """First rows of slices that score every window's origin about once.

    A slice is the first of `scored` windows and all rows after it that the others add, with a loss
    on the last `scored` rows ("forking sequences", Wen et al. 2017, A Multi-Horizon Quantile
    Recurrent Forecaster). Slices tile each unbroken run of origins from a random offset; where one
    would reach past an end of the run it is moved inwards, so none leaves its part or ticker.

    Args:
        windows: Stride-1 windows.
        scored: Steps with a loss in each slice; no run is shorter.
        rng: For offsets and order; None tiles from the start, in order.

    Returns:
        First rows, shape (slices,).
    """
    starts = []
    for first, count in windows.runs():
        # One tile more than fits, whatever the offset: every tiling has the same number.
        offset = int(rng.integers(scored)) if rng is not None else 0
        tiles = np.arange(-(-count // scored) + (rng is not None)) * scored - offset
        starts.append(first + np.clip(tiles, 0, count - scored))
    joined = np.concatenate(starts)
    return rng.permutation(joined) if rng is not None else joined


def training_slices(
    windows: Windows, *, scored: int, batch: int, balanced: bool, rng: np.random.Generator
) -> list[np.ndarray]:
    """First rows of slices that score every window about once, in batches that all have one size.

    Few windows are tiled several times, each time from another offset, until a batch is full;
    what is left over of many is left out this time.

    Args:
        windows: Stride-1 windows.
        scored: Steps with a loss in each slice.
        batch: Slices a batch.
        balanced: As many slices of each unbroken run, which is a ticker's, as of any other: of a
            short one each row several times, of a long one not all. In all there are about as many.
        rng: For offsets and order.
    """
    tiled = slice_starts(windows, scored=scored, rng=rng)
    while len(tiled) < batch:
        tiled = np.concatenate([tiled, slice_starts(windows, scored=scored, rng=rng)])
    if balanced:
        tiled = _as_many_of_each(tiled, windows.runs(), rng)
    whole = len(tiled) // batch
    return np.split(tiled[: whole * batch], whole)


def training_windows(
    windows: Windows, *, batch: int, balanced: bool, rng: np.random.Generator
) -> list[np.ndarray]:
    """Positions of all windows in random order, in batches that all have one size.

    Args:
        windows: Windows.
        batch: Windows a batch.
        balanced: As `training_slices`.
        rng: For the order.
    """
    order = rng.permutation(len(windows))
    if balanced:
        ends = np.cumsum([count for _, count in windows.runs()])
        runs = [(end - count, count) for end, (_, count) in zip(ends, windows.runs(), strict=True)]
        order = _as_many_of_each(order, runs, rng)
    size = min(batch, len(order))
    whole = len(order) // size
    return np.split(order[: whole * size], whole)


def _as_many_of_each(
    drawn: np.ndarray, runs: Sequence[tuple[int, int]], rng: np.random.Generator
) -> np.ndarray:
    """As many of those drawn of each run as of any other, in all about as many as before."""
    each = -(-len(drawn) // len(runs))
    places = np.searchsorted([first for first, _ in runs], drawn, side="right") - 1
    chosen = [np.resize(drawn[places == number], each) for number in range(len(runs))]
    return rng.permutation(np.concatenate(chosen))


def training_context(lookback: int, scored: int) -> int:
    """Rows before the first scored one of a slice that training reads: fewer than a window's.

    The first scored row sees about a quarter of a window, the last at least a whole one. With a
    whole window before the first, an update would take half as long again
    (docs/decisions/0210-a-quarter-of-a-window-first.md).

    Args:
        lookback: Rows a window.
        scored: Steps with a loss in each slice.
    """
    return max(lookback // 4, lookback - scored)


def gather_slices(
    windows: Windows, starts: np.ndarray, *, scored: int, context: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets of slices.

    Args:
        windows: Stride-1 windows.
        starts: As `slice_starts` gives them.
        scored: Steps with a loss in each slice.
        context: Rows before those; None for `lookback - 1`, with which each scored row sees at
            least a whole window.

    Returns:
        Features (batch, context + scored, n_features), targets (batch, scored, horizon, 1).
    """
    first_scored = starts[:, None] + windows.lookback - 1
    before = windows.lookback - 1 if context is None else context
    rows = first_scored + np.arange(-before, scored)
    return windows.features[rows], windows.targets[rows[:, before:]][..., None]


def gather_windows(windows: Windows, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows and their targets.

    Returns:
        Features (batch, lookback, n_features), targets (batch, horizon, 1).
    """
    rows = windows.starts[positions] + windows.lookback - 1
    return windows.gather(positions), windows.targets[rows][..., None]
