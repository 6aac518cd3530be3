"""Does anything see the future? Everything is computed again on histories that end otherwise.

Two histories that are the same up to an origin must give the same features, windows and forecasts
at that origin and before it, bit for bit, whatever comes after: nothing (the history is cut off)
or something wild (prices, ranges and volumes changed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import pandas as pd

from forecast.errors import LeakError
from forecast.evaluation.audit.forecasts import calibration_checks
from forecast.evaluation.audit.histories import FIRST_BAR, Check
from forecast.evaluation.audit.inputs import (
    first_bar_checks,
    indicator_checks,
    slice_checks,
    training_part_checks,
    window_checks,
)
from forecast.features.indicators import INDICATORS
from forecast.features.inputs import Inputs, warm_up_of
from forecast.features.splits import Split

_QUICK_SESSIONS, _QUICK_CUTS, _CUTS = 1000, 2, 12


def require_no_leak(
    bars: pd.DataFrame, inputs: Inputs, split: Split, *, ticker: str
) -> list[Check]:
    """The cheap part of the audit, for every training: chosen features, few cut points.

    Args:
        bars: All bars of the ticker.
        inputs: As `fit_inputs` gave them for these bars.
        split: As `fit_inputs` gave it.
        ticker: Named in the error.

    Raises:
        LeakError: if anything sees the future, saying what.
    """
    least = warm_up_of(inputs.feature_names) + inputs.lookback + inputs.horizon
    recent = bars.iloc[-max(_QUICK_SESSIONS, 2 * least) :]
    checks = [
        *indicator_checks(recent, inputs.feature_names, cuts=_QUICK_CUTS),
        *training_part_checks(bars, inputs, split, ticker=ticker),
        # Without the anchor: it may lie before these bars, which are in the money fitted on.
        *window_checks(recent, replace(inputs, anchor=None), ticker=ticker, cuts=_QUICK_CUTS),
        *slice_checks(inputs.windows(bars, ticker=ticker), split),
        *calibration_checks(bars, inputs, split, ticker=ticker, cuts=_QUICK_CUTS),
    ]
    refuse_leaks(checks, ticker=ticker)
    return checks


def refuse_leaks(checks: Sequence[Check], *, ticker: str) -> None:
    """Raise if a check found a leak.

    Raises:
        LeakError: saying what sees the future.
    """
    leaks = [check for check in checks if not check.passed]
    if leaks:
        raise LeakError(
            f"{ticker}: nothing may depend on bars after the origin of a forecast. "
            + " ".join(f"{leak.subject}: {leak.detail}." for leak in leaks),
            hint=f"forecast audit {ticker}, and correct or leave out what it names",
        )


def audit_bars(bars: pd.DataFrame, inputs: Inputs, split: Split, *, ticker: str) -> list[Check]:
    """Everything that needs no network: all indicators, scaler, target, windows, calibration.

    Args:
        bars: All bars of the ticker.
        inputs: As `fit_inputs` gave them for these bars.
        split: As `fit_inputs` gave it.
        ticker: Named in errors.
    """
    return [
        *indicator_checks(bars, list(INDICATORS), cuts=_CUTS),
        *training_part_checks(bars, inputs, split, ticker=ticker),
        *window_checks(bars, inputs, ticker=ticker, cuts=_CUTS),
        *slice_checks(inputs.windows(bars, ticker=ticker), split),
        *calibration_checks(bars, inputs, split, ticker=ticker, cuts=_CUTS),
        *first_bar_checks(bars, list(INDICATORS)),
    ]


def as_document(checks: Sequence[Check]) -> dict[str, object]:
    """The table as JSON, for a run's metrics and its page: `passed`, `text`, `rows`."""
    leaks = [check for check in checks if not check.passed]
    # The others are information, which cannot fail.
    counted = sum(check.check != FIRST_BAR for check in checks)
    text = (
        f"{counted} checks: everything was computed again on histories cut off or changed "
        f"after an origin, and compared bit for bit. "
    )
    found = ", ".join(leak.subject for leak in leaks)
    return {
        "passed": not leaks,
        "text": text + (f"These see the future: {found}." if leaks else "Nothing sees the future."),
        "rows": as_rows(checks),
    }


def as_rows(checks: Sequence[Check]) -> list[dict[str, object]]:
    """One mapping a check, as JSON."""
    return [asdict(check) for check in checks]
