"""What is odd about quotes that keep every rule: told, and left as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.market.findings import Finding, Thresholds, found
from forecast.market.sessions import EVERY_DAY, WEEKDAYS, expected_sessions, last_completed

_SPLIT_RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50])
_LOCAL = 61


def oddities(
    quotes: pd.DataFrame, *, calendar: str, now: pd.Timestamp, limits: Thresholds, live: bool
) -> list[Finding]:
    """Everything odd about a history, of severity `warn`.

    Args:
        quotes: As in `History.quotes`, checked; not empty.
        calendar: The exchange's.
        now: tz-aware.
        limits: When something counts as odd.
        live: From a feed, whose newest bar grows stale; a file may end when it likes.
    """
    return [
        *_missing(quotes, calendar),
        *_jumps(quotes, limits),
        *_splits_as_traded(quotes),
        *_flat_runs(quotes, limits.flat_run),
        *_volumes(quotes),
        *_lengths(quotes, calendar, now, limits, live=live),
    ]


def _missing(quotes: pd.DataFrame, calendar: str) -> list[Finding]:
    sessions = pd.DatetimeIndex(quotes.index)
    expected = expected_sessions(calendar, sessions[0], sessions[-1])
    absent = expected.difference(sessions)
    if calendar == WEEKDAYS:
        # Holidays are not known: only more than a week without a bar is odd.
        run = np.r_[0, np.cumsum(np.diff(expected.get_indexer(absent)) > 1)] if len(absent) else []
        lengths = np.bincount(run)[run] if len(absent) else np.array([], dtype=int)
        absent = absent[lengths > 7]
    findings = []
    if len(absent):
        what = f"no bar though the exchange traded ({calendar}); left out"
        findings.append(found("warn", "missing", absent, what))
    if calendar not in (WEEKDAYS, EVERY_DAY):
        closed = sessions.difference(expected)
        closed = closed[closed >= expected[0]] if len(expected) else closed[:0]
        if len(closed):
            what = f"a bar though the exchange was closed ({calendar}); kept"
            findings.append(found("warn", "unexpected", closed, what))
    return findings


def _jumps(quotes: pd.DataFrame, limits: Thresholds) -> list[Finding]:
    if len(quotes) < 3:
        return []
    returns = np.log(quotes["adj_close"]).diff()
    size = returns.abs()
    scale = 1.4826 * size.rolling(_LOCAL, center=True, min_periods=1).median()
    # Quiet stretches of equal closes have no scale of their own.
    scale = np.maximum(scale, 1.4826 * size.median() / 2)
    jump = ((size > limits.jump * scale) & (size > limits.jump_floor)).to_numpy()
    like_split = jump & _like_split(size)
    findings = []
    if like_split.any():
        what = "the price moved as in a split, in prices said to be adjusted; kept"
        findings.append(found("warn", "split_like", quotes.index[like_split], what))
    jump = jump & ~like_split
    if jump.any():
        largest = np.expm1(returns.to_numpy()[jump])
        largest = largest[np.abs(largest).argmax()]
        what = f"a jump of {limits.jump:g} robust deviations or more (up to {largest:+.0%}); kept"
        findings.append(found("warn", "jump", quotes.index[jump], what))
    return findings


def _like_split(size: pd.Series) -> np.ndarray:
    """Where a change, as the absolute value of its logarithm, is by the ratio of a split."""
    ratio = np.exp(size.to_numpy())
    near = np.abs(ratio[:, None] / _SPLIT_RATIOS - 1).min(axis=1) < 0.03
    return near & (ratio > 1.4)


def _splits_as_traded(quotes: pd.DataFrame) -> list[Finding]:
    factor = np.log(quotes["adj_close"]) - np.log(quotes["close"])
    split = _like_split(factor.diff().abs())
    if not split.any():
        return []
    what = "close moved as in a split and adj_close did not, so volume may not be adjusted; kept"
    return [found("warn", "split_volume", quotes.index[split], what)]


def _flat_runs(quotes: pd.DataFrame, shortest: int) -> list[Finding]:
    close = quotes["close"].to_numpy()
    run = np.cumsum(np.r_[True, close[1:] != close[:-1]]) - 1
    lengths = np.bincount(run)
    flat = lengths[run] >= shortest
    if not flat.any():
        return []
    what = f"{shortest} or more equal closes in a row (longest: {lengths.max()}); kept"
    return [found("warn", "flat_run", quotes.index[flat], what)]


def _volumes(quotes: pd.DataFrame) -> list[Finding]:
    none = (quotes["volume"] == 0).to_numpy()
    if none.all():
        return [Finding("warn", "zero_volume", [], "no session has a volume; kept")]
    if none.any():
        return [found("warn", "zero_volume", quotes.index[none], "a volume of zero; kept")]
    return []


def _lengths(
    quotes: pd.DataFrame, calendar: str, now: pd.Timestamp, limits: Thresholds, *, live: bool
) -> list[Finding]:
    findings = []
    if len(quotes) < limits.few_sessions:
        what = f"{len(quotes)} sessions, fewer than {limits.few_sessions}; kept"
        findings.append(Finding("warn", "few_sessions", [], what))
    if live:
        newest, done = quotes.index[-1], last_completed(calendar, now)
        behind = len(expected_sessions(calendar, newest + pd.Timedelta(days=1), done))
        if behind > limits.stale_sessions:
            what = f"the newest bar is more than {limits.stale_sessions} sessions old"
            findings.append(Finding("warn", "stale", [f"{newest:%Y-%m-%d}"], what))
    return findings
