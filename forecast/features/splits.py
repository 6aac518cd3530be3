"""Chronological parts of the origins, purged by the horizon."""

from __future__ import annotations

from dataclasses import dataclass

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


def chronological(origins: int, *, horizon: int) -> Split:
    """70 % training, 15 % validation, 15 % test, in time order, purged by the horizon.

    Args:
        origins: Number of origins whose outcome is known, in time order.
        horizon: Sessions ahead, >= 1; so many origins are dropped before each boundary.

    Raises:
        ValueError: if a part would be empty.
    """
    first = round(origins * TRAIN_SHARE)
    second = round(origins * (TRAIN_SHARE + VALIDATION_SHARE))
    parts = range(first - horizon), range(first, second - horizon), range(second, origins)
    if not all(parts):
        raise ValueError(f"{origins} origins are too few for a horizon of {horizon}.")
    return Split(*parts)


def require_sessions(
    sessions: int, *, warm_up: int, lookback: int, horizon: int, ticker: str
) -> None:
    """Refuse a history that is too short to train on and to score.

    Args:
        sessions: Bars at hand.
        warm_up: Rows that the features use up.
        lookback: Rows a window.
        horizon: Sessions ahead.
        ticker: Named in the message.

    Raises:
        NotEnoughBars: saying how many sessions are needed.
    """
    needed = warm_up + lookback - 1 + horizon + max(MIN_ORIGINS, 20 * horizon)
    if sessions < needed:
        raise NotEnoughBars(
            f"{ticker}: a history must have at least {needed} sessions (warm-up {warm_up}, "
            f"lookback {lookback}, horizon {horizon}, {max(MIN_ORIGINS, 20 * horizon)} origins). "
            f"Received {sessions}.",
            hint="a longer history, or a smaller --lookback",
        )
