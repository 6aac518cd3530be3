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
    least = max(MIN_ORIGINS, 20 * horizon)
    needed = sessions - origins + least
    require_sessions(
        sessions, needed=needed, ticker=ticker, why=f"{least} origins and their windows"
    )
    first = round(origins * TRAIN_SHARE)
    second = round(origins * (TRAIN_SHARE + VALIDATION_SHARE))
    return Split(
        train=range(first - horizon),
        validation=range(first, second - horizon),
        test=range(second, origins),
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


def require_sessions(sessions: int, *, needed: int, ticker: str, why: str) -> None:
    """Refuse a history that is too short.

    Raises:
        NotEnoughBars: if `sessions` is below `needed`.
    """
    if sessions < needed:
        raise NotEnoughBars(
            f"{ticker}: a history must have at least {needed} sessions (for {why}). "
            f"Received {sessions}.",
            hint="a longer history, or a smaller --lookback",
        )
