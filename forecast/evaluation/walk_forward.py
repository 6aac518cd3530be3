"""Walk-forward folds: train on what came before, forecast the next block, go on."""

from __future__ import annotations

import numpy as np

from forecast.features.splits import (
    TRAIN_SHARE,
    VALIDATION_SHARE,
    Split,
    least_origins,
    require_sessions,
    what_helps,
)

FIRST_SHARE = 0.5
"""Share of the origins before the first test block."""
SCHEMES = ("expanding", "rolling")
_FEWEST_TESTED = 20
_VALIDATION = VALIDATION_SHARE / (TRAIN_SHARE + VALIDATION_SHARE)


def walk_forward(
    origins: int,
    *,
    folds: int,
    horizon: int,
    scheme: str,
    sessions: int,
    ticker: str,
    history: str = "a history",
) -> list[Split]:
    """Folds whose test blocks follow each other without a gap to the last origin.

    The first half of the origins is the first fold's training and validation; the rest is cut
    into equal test blocks. Before each test block come the origins whose outcome is known at its
    first origin; the last part of them (the share that `train` takes) is the validation part.
    Both boundaries are purged by the horizon, as `Split` says.

    Args:
        origins: Number of origins whose outcome is known, in time order; may be negative.
        folds: How many test blocks, >= 2.
        horizon: Sessions ahead, >= 1.
        scheme: `expanding` trains from the first origin on, `rolling` on as many origins as the
            first fold has.
        sessions: Bars behind these origins, for the message.
        ticker: Named in the message.
        history: What these bars are, for the message.

    Returns:
        Positions among the origins, in time order; every origin of the second half is tested once.

    Raises:
        NotEnoughBars: if a part would be too short, saying how many sessions are needed.
        ValueError: if there is no such scheme.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}. Received {scheme!r}.")
    least_tested = max(_FEWEST_TESTED, 2 * horizon)
    least_first = least_origins(horizon)
    for_first = round(least_first / FIRST_SHARE)
    least = max(for_first, round(folds * least_tested / (1 - FIRST_SHARE)))
    helps = what_helps(horizon) if least == for_first else "fewer --folds"
    require_sessions(
        sessions,
        needed=sessions - origins + least,
        ticker=ticker,
        why=f"{folds} folds and {least} origins",
        hint=f"a longer history, or {helps}",
        history=history,
    )
    from sklearn.model_selection import TimeSeriesSplit

    tested = int(origins * (1 - FIRST_SHARE)) // folds
    first = origins - folds * tested - horizon
    cuts = TimeSeriesSplit(
        n_splits=folds,
        test_size=tested,
        gap=horizon,
        max_train_size=first if scheme == "rolling" else None,
    ).split(np.empty((origins, 1)))
    return [_fold(before, test, horizon) for before, test in cuts]


def _fold(before: np.ndarray, test: np.ndarray, horizon: int) -> Split:
    start, stop = int(before[0]), int(before[-1]) + 1
    boundary = stop - round(len(before) * _VALIDATION)
    return Split(
        train=range(start, boundary - horizon),
        validation=range(boundary, stop),
        test=range(int(test[0]), int(test[-1]) + 1),
    )
