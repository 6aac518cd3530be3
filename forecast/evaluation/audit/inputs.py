"""Features, windows and what is fitted for them: computed again on histories that end otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.evaluation.audit.histories import (
    CUT_OFF,
    FIRST_BAR,
    Check,
    changed_after,
    difference_at,
    first_difference,
    future_check,
    other_histories,
    places,
)
from forecast.features.indicators import INDICATORS
from forecast.features.inputs import Inputs, fit_on, warm_up_of
from forecast.features.splits import Split
from forecast.features.windows import Windows
from forecast.networks.batches import slice_starts
from forecast.networks.training import SCORED_STEPS

SETTLED = 1e-6
"""Relative difference below which an indicator counts as independent of the first bar."""

_EPOCHS, _STARTS = 12, 3


def indicator_checks(bars: pd.DataFrame, names: Sequence[str], *, cuts: int) -> list[Check]:
    """Each indicator on histories that end otherwise.

    Args:
        bars: More rows than the longest warm-up.
        names: Keys of `INDICATORS`.
        cuts: At how many places.
    """
    compute = {name: INDICATORS[name].compute for name in names}
    whole = {name: of(bars).to_numpy() for name, of in compute.items()}
    differences: dict[str, str] = {}
    for known, how, history in other_histories(bars, places(warm_up_of(names), len(bars), cuts)):
        for name, of in compute.items():
            found = of(history).to_numpy()[:known]
            row = first_difference(whole[name][:known], found)
            if row is not None and name not in differences:
                differences[name] = difference_at(bars, row, known, how)
    return [future_check(name, differences.get(name), cuts) for name in names]


def window_checks(bars: pd.DataFrame, inputs: Inputs, *, ticker: str, cuts: int) -> list[Check]:
    """Windows, their targets, and the unit that forecasts are measured in.

    The window that `predict` makes from a history that ends at an origin must be the one that
    was trained or scored with; the outcome of the newest origins must not be known.
    """
    whole, unit = inputs.windows(bars, ticker=ticker), inputs.unit.at(bars).to_numpy()
    warm_up, horizon = warm_up_of(inputs.feature_names), inputs.horizon
    differences: dict[str, str] = {}
    least = warm_up + inputs.lookback + horizon
    for known, how, history in other_histories(bars, places(least, len(bars) - horizon, cuts)):
        other = inputs.windows(history, ticker=ticker)
        rows = known - warm_up
        settled = rows - horizon
        again = inputs.unit.at(history).to_numpy()
        # What it is, the row of its first value, and the two sides.
        pairs = [
            ("windows", warm_up, whole.features[:rows], other.features[:rows]),
            ("targets", warm_up, whole.targets[:settled], other.targets[:settled]),
            ("unit of the target", 0, unit[:known], again[:known]),
        ]
        if how == CUT_OFF:
            newest = inputs.newest(history, ticker=ticker).gather(np.array([0]))
            trained_with = whole.gather(np.array([rows - inputs.lookback]))
            pairs.append(("newest window", known - 1, trained_with, newest))
            unknown = np.full((horizon, 1), np.nan, dtype="float32")
            pairs.append(("targets", warm_up + settled, unknown, other.targets[settled:, -1:]))
        for name, offset, expected, found in pairs:
            row = first_difference(expected, found)
            if row is not None:
                differences.setdefault(name, difference_at(bars, offset + row, known, how))
    subjects = ("windows", "newest window", "targets", "unit of the target")
    return [future_check(name, differences.get(name), cuts) for name in subjects]


def training_part_checks(
    bars: pd.DataFrame, inputs: Inputs, split: Split, *, ticker: str
) -> list[Check]:
    """Scaler, target and volatility unit fitted again with every later bar changed."""
    warm_up = warm_up_of(inputs.feature_names)
    known = warm_up + inputs.lookback + split.train.stop - 1
    before = inputs.as_document()
    refitted = fit_on(
        changed_after(bars, known),
        split.train,
        ticker=ticker,
        feature_names=inputs.feature_names,
        lookback=inputs.lookback,
        horizon=inputs.horizon,
        target=str(before["target"]["kind"]),
        ahead=inputs.week is not None,
    )
    after = refitted.as_document()
    last = f"{bars.index[known - 1]:%Y-%m-%d}"
    return [
        Check(
            "training part",
            subject,
            before[subject] == after[subject],
            f"the same with every bar after {last} changed"
            if before[subject] == after[subject]
            else f"changes with bars after {last}, the last training origin",
        )
        for subject in ("scaler", "target", "unit", "week")
        if before[subject] is not None
    ]


def slice_checks(windows: Windows, split: Split) -> list[Check]:
    """No row of a training slice lies after the last training origin; the purge holds."""
    train = windows.take(split.train)
    scored = min(SCORED_STEPS, len(train))
    last = int(train.starts[-1]) + windows.lookback - 1
    reach = [
        int(starts.max()) + windows.lookback - 1 + scored - 1
        for seed in range(_EPOCHS)
        for starts in [slice_starts(train, scored=scored, rng=np.random.default_rng(seed))]
    ]
    ends = f"last row {max(reach)}, last training origin in row {last}"
    checks = [Check("training part", "slices", max(reach) <= last, ends)]
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    for earlier, later in (("train", "validation"), ("validation", "test")):
        known = parts[earlier].stop - 1 + windows.horizon
        first = parts[later].start
        origin = f"{windows.origin[first]:%Y-%m-%d}"
        checks.append(
            Check(
                "purge",
                f"{earlier} before {later}",
                known < first,
                f"the last outcome is known {first - known} session"
                f"{'' if first - known == 1 else 's'} before the first origin, {origin}",
            )
        )
    return checks


def first_bar_checks(bars: pd.DataFrame, names: Sequence[str]) -> list[Check]:
    """How long each indicator remembers the first bar: information, no leak.

    Some are recursions (Wilder's smoothing, exponential averages) whose first value fades by a
    constant factor each session; others know a fixed number of bars and forget at once.
    """
    checks = []
    firsts = [round(len(bars) * share / (2 * _STARTS)) for share in range(1, _STARTS + 1)]
    for name in names:
        indicator = INDICATORS[name]
        whole = indicator.compute(bars).to_numpy()
        worst: int | None = 0
        for first in firsts:
            later = indicator.compute(bars.iloc[first:]).to_numpy()[indicator.warm_up :]
            same = whole[first + indicator.warm_up :]
            size = np.maximum(np.abs(same), np.median(np.abs(same)))
            unsettled = np.flatnonzero(~(np.abs(later - same) <= SETTLED * size))
            rows = int(unsettled[-1]) + 1 if len(unsettled) else 0
            worst = None if worst is None or rows == len(later) else max(worst, rows)
        detail = (
            "never settles: it depends on the first bar for ever"
            if worst is None
            else "does not depend on the first bar"
            if worst == 0
            else f"agrees to {SETTLED:g} after {worst} further row{'' if worst == 1 else 's'}"
        )
        checks.append(Check(FIRST_BAR, name, True, f"warm-up {indicator.warm_up}; {detail}"))
    return checks
