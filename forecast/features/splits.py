"""Chronological parts of the origins, purged by the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.errors import NotEnoughBars

TRAIN_SHARE, VALIDATION_SHARE = 0.70, 0.15
MIN_ORIGINS = 200
"""Fewer origins than this leave too short a test part to say anything about."""


@dataclass(frozen=True)
class Split:
    """Positions among the origins of one ticker: three ranges in time order.

    The last `horizon` origins before each boundary belong to no part: their outcome is known
    only after the next part has begun.
    """

    train: range
    validation: range
    test: range


@dataclass(frozen=True)
class Boundaries:
    """Where the parts of several tickers begin, the same sessions for all.

    With parts of its own each, a young ticker would train while an old one is tested, and bring the
    market's news with it.

    Attributes:
        validation: No training outcome is of this session or a later one.
        test: No validation outcome is.
    """

    validation: pd.Timestamp
    test: pd.Timestamp


def chronological(origins: int, *, horizon: int, sessions: int, ticker: str) -> Split:
    """70 % training, 15 % validation, 15 % test, in time order, purged by the horizon.

    Args:
        origins: Number of origins whose outcome is known, in time order; may be negative.
        horizon: Sessions ahead, >= 1; so many origins are dropped before each boundary.
        sessions: Bars behind these origins, for the message.
        ticker: Named in the message.

    Raises:
        NotEnoughBars: if the test part would be too short, saying how many sessions are needed.
    """
    least = least_origins(horizon)
    needed = sessions - origins + least
    require_sessions(
        sessions,
        needed=needed,
        ticker=ticker,
        why=f"{least} origins and their windows",
        hint=f"a longer history, or {what_helps(horizon)}",
    )
    first = round(origins * TRAIN_SHARE)
    second = round(origins * (TRAIN_SHARE + VALIDATION_SHARE))
    return Split(
        train=range(first - horizon),
        validation=range(first, second - horizon),
        test=range(second, origins),
    )


def common_boundaries(origins: Sequence[pd.DatetimeIndex]) -> Boundaries:
    """70 % of the origins of all tickers lie before the validation part, 85 % before the test part.

    Args:
        origins: Of each ticker those whose outcome is known, increasing; at least one in all.
    """
    sessions, counts = np.unique(np.concatenate(origins), return_counts=True)
    before = np.cumsum(counts) - counts
    return Boundaries(
        *(
            pd.Timestamp(sessions[np.abs(before - share * counts.sum()).argmin()])
            for share in (TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE)
        )
    )


def at_boundaries(
    origins: pd.DatetimeIndex, boundaries: Boundaries, *, horizon: int, ticker: str
) -> Split:
    """One ticker's parts where they begin at given sessions, purged by the horizon.

    Args:
        origins: Those whose outcome is known, increasing.
        boundaries: First sessions of the validation and the test part.
        horizon: Sessions ahead, >= 1; so many origins are dropped before each boundary.
        ticker: Named in the message.

    Raises:
        NotEnoughBars: if a part has fewer origins than that of the shortest history that may be
            trained alone, saying which.
    """
    first, second = (
        int(place) for place in origins.searchsorted([boundaries.validation, boundaries.test])
    )
    least = least_origins(horizon)
    test_share = 1 - TRAIN_SHARE - VALIDATION_SHARE
    for name, share, found, where in (
        ("training", TRAIN_SHARE, first, f"before {boundaries.validation:%Y-%m-%d}"),
        ("validation", VALIDATION_SHARE, second - first, f"before {boundaries.test:%Y-%m-%d}"),
        ("test", test_share, len(origins) - second, f"from {boundaries.test:%Y-%m-%d} on"),
    ):
        if found < round(share * least):
            raise NotEnoughBars(
                f"{ticker}: trained together, a ticker must have at least {round(share * least)} "
                f"origins in the {name} part, {where} for all tickers. It has {found}.",
                hint=f"forecast train {ticker}, or other tickers beside it",
            )
    return Split(
        train=range(first - horizon),
        validation=range(first, second - horizon),
        test=range(second, len(origins)),
    )


def first_test_bar(sessions: int, *, before: int, horizon: int, ticker: str) -> int:
    """Position among the bars of the first test origin of `train`.

    Args:
        sessions: Bars.
        before: Bars up to the first origin, itself included.
        horizon: Sessions ahead.
        ticker: Named in the message.

    Raises:
        NotEnoughBars: saying how many sessions are needed.
    """
    origins = sessions - before - horizon + 1
    split = chronological(origins, horizon=horizon, sessions=sessions, ticker=ticker)
    return before - 1 + split.test.start


def what_helps(horizon: int) -> str:
    """The setting that asks for many sessions at this horizon, to be made smaller."""
    smaller = "horizon" if least_origins(horizon) > MIN_ORIGINS else "lookback"
    return f"a smaller '{smaller}'"


def require_sessions(
    sessions: int, *, needed: int, ticker: str, why: str, hint: str, history: str = "a history"
) -> None:
    """Refuse a history that is too short.

    Raises:
        NotEnoughBars: if `sessions` is below `needed`.
    """
    if sessions < needed:
        raise NotEnoughBars(
            f"{ticker}: {history} must have at least {needed} sessions (for {why}). "
            f"Received {sessions}.",
            hint=hint,
        )


def least_origins(horizon: int) -> int:
    """How many origins a history must have to be split, or a first fold to be trained on."""
    return max(MIN_ORIGINS, 20 * horizon)
