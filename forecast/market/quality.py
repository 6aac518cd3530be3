"""One pass over a source's quotes: what is wrong with them, and what was done about it.

Findings are of three severities. `reject`: the history is not used at all. `repair`: a safe change,
made and reported. `warn`: left as it is. `docs/data.md` has the table of all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecast.errors import MalformedData
from forecast.market.bars import PRICE_COLUMNS
from forecast.market.sessions import EVERY_DAY, WEEKDAYS, expected_sessions, last_completed

Severity = Literal["reject", "repair", "warn"]

# A finding that concerns most of a history would make every manifest as long as the history.
MOST_LISTED = 250

# The squares and products of larger numbers, or of smaller prices, leave the 64-bit floats.
_LARGEST, _SMALLEST = 1e100, 1e-100
# Older than any exchange's daily prices: a mistyped year, or a program's word for no date.
_OLDEST = pd.Timestamp("1800-01-01")

_PRICES = [*PRICE_COLUMNS, "adj_close"]
_SPLIT_RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50])
_LOCAL = 61
# A long weekend has four days from bar to bar; a few bars may lie anyhow.
_WIDEST, _TO_TELL = 4, 10


@dataclass(frozen=True)
class Thresholds:
    """When something counts as odd; the defaults are tuned on 88 US tickers.

    Attributes:
        jump: A close-to-close return is a jump above so many robust standard deviations (the
            median absolute return of the surrounding 61 sessions, scaled to a normal's).
        jump_floor: … and above this size [log return].
        flat_run: So many equal closes in a row, or more, are a finding.
        few_sessions: Fewer sessions than this are a finding.
        stale_sessions: A newest bar older than so many sessions is a finding (Yahoo only).
        rounding: OHLC order broken by no more than this fraction is rounding, and is clamped.
    """

    jump: float = 12.0
    jump_floor: float = 0.15
    flat_run: int = 6
    few_sessions: int = 250
    stale_sessions: int = 5
    rounding: float = 1e-6


@dataclass(frozen=True)
class Finding:
    """One thing that is odd about a history.

    Attributes:
        severity: See the module.
        kind: One word, e.g. `jump`.
        sessions: ISO dates concerned, increasing, at most `MOST_LISTED` of them.
        did: What was found and what was done, for a person.
    """

    severity: Severity
    kind: str
    sessions: list[str]
    did: str

    def as_document(self) -> dict[str, Any]:
        """The finding as `fetch --json` and the manifest show it."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "sessions": self.sessions,
            "did": self.did,
        }


def inspect(
    quotes: pd.DataFrame,
    *,
    calendar: str,
    now: pd.Timestamp,
    lenient: bool = False,
    thresholds: Thresholds | None = None,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Quotes fit for the store, and everything odd about them.

    Args:
        quotes: As in `History.quotes`, but unchecked: any order, NaN, any numbers.
        calendar: The exchange's, see `sessions.calendar_name`.
        now: tz-aware; sessions that are not completed by then are dropped.
        lenient: For a live feed (Yahoo): repeated rows and zero prices are dropped, unsorted rows
            sorted, each reported. In a file of the user's these are rejects.
        thresholds: When something counts as odd.

    Returns:
        The quotes, repaired, and the findings. With a `reject` among these, the quotes are of
        no use: see `refuse`.
    """
    limits = thresholds or Thresholds()
    quotes, findings = _drop_empty(quotes)
    if lenient:
        quotes, tidied = _tidy(quotes)
        findings += tidied
    rejects = _check_index(quotes)
    if rejects:
        return quotes, findings + rejects
    quotes, dropped = _drop_uncompleted(quotes, last_completed(calendar, now), now)
    findings += dropped
    if quotes.empty:
        return quotes, findings
    rejects = _check_spacing(quotes) + _check_numbers(quotes)
    if rejects:
        return quotes, findings + rejects
    quotes, clamped = _clamp_rounding(quotes, limits.rounding)
    findings += clamped
    rejects = _check_order(quotes)
    if rejects:
        return quotes, findings + rejects
    findings += _missing(quotes, calendar)
    findings += _jumps(quotes, limits)
    findings += _splits_as_traded(quotes)
    findings += _flat_runs(quotes, limits.flat_run)
    findings += _volumes(quotes)
    findings += _lengths(quotes, calendar, now, limits, live=lenient)
    return quotes, findings


def refuse(ticker: str, findings: Iterable[Finding], *, hint: Callable[[Finding], str]) -> None:
    """Raise for the first `reject`, if there is one, with what `hint` says to do about it.

    Raises:
        MalformedData: naming the rule, what came and the first session.
    """
    for finding in findings:
        if finding.severity == "reject":
            raise MalformedData(f"{ticker}: {finding.did}", hint=hint(finding))


def _drop_empty(quotes: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    empty = quotes[_PRICES].isna().all(axis=1).to_numpy()
    if not empty.any():
        return quotes, []
    found = _found("repair", "empty_row", quotes.index[empty], "no prices; dropped")
    return quotes[~empty], [found]


def _tidy(quotes: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    findings = []
    prices = quotes[_PRICES].to_numpy()
    # In old index data Yahoo writes zero where it has no price.
    zero = (prices == 0).any(axis=1) & ~(prices < 0).any(axis=1)
    if zero.any():
        what = "a price of zero, which stands for none; dropped"
        findings.append(_found("repair", "zero_price", quotes.index[zero], what))
        quotes = quotes[~zero]
    repeated = quotes.reset_index().duplicated().to_numpy()
    if repeated.any():
        what = "the same row more than once; kept once"
        findings.append(_found("repair", "duplicate", quotes.index[repeated], what))
        quotes = quotes[~repeated]
    if not quotes.index.is_monotonic_increasing:
        later = np.r_[False, quotes.index[1:] < quotes.index[:-1]]
        findings.append(_found("repair", "order", quotes.index[later], "out of order; sorted"))
        quotes = quotes.sort_index(kind="stable")
    if len(quotes) and quotes[_PRICES].iloc[-1].isna().any():
        what = "the newest row lacks a price; dropped until it is whole"
        findings.append(_found("repair", "unsettled", quotes.index[-1:], what))
        quotes = quotes.iloc[:-1]
    unknown = quotes["volume"].isna()
    if unknown.any():
        findings.append(_found("repair", "no_volume", quotes.index[unknown], "no volume; set to 0"))
        quotes = quotes.assign(volume=quotes["volume"].fillna(0.0))
    return quotes, findings


def _check_index(quotes: pd.DataFrame) -> list[Finding]:
    sessions = quotes.index
    if not len(sessions):
        return [Finding("reject", "empty", [], "there must be at least one bar. Received none.")]
    repeated = sessions.duplicated()
    back = np.r_[False, sessions[1:] < sessions[:-1]]
    return [
        *_broken("duplicate", "each session must appear once", quotes, repeated),
        *_broken("order", "sessions must be in increasing order", quotes, back),
        *_broken("ancient", f"no session may be before {_OLDEST.year}", quotes, sessions < _OLDEST),
    ]


def _drop_uncompleted(
    quotes: pd.DataFrame, done: pd.Timestamp, now: pd.Timestamp
) -> tuple[pd.DataFrame, list[Finding]]:
    later = quotes.index > done
    if not later.any():
        return quotes, []
    # Somewhere on Earth it is tomorrow already.
    tomorrow = now.tz_convert("UTC").tz_localize(None).normalize() + pd.Timedelta(days=1)
    future = quotes.index > tomorrow
    findings = []
    if (later & ~future).any():
        what = "the session was not completed yet; dropped"
        findings.append(_found("repair", "partial", quotes.index[later & ~future], what))
    if future.any():
        what = f"after today, {now:%Y-%m-%d}; dropped"
        findings.append(_found("repair", "future", quotes.index[future], what))
    quotes = quotes[~later]
    if quotes.empty:
        what = f"there must be a bar of a completed session. Received none up to {done:%Y-%m-%d}."
        findings.append(Finding("reject", "empty", [], what))
    return quotes, findings


def _check_spacing(quotes: pd.DataFrame) -> list[Finding]:
    if len(quotes) < _TO_TELL:
        return []
    days = float(np.median(np.diff(quotes.index.to_numpy()) / np.timedelta64(1, "D")))
    if days <= _WIDEST:
        return []
    what = f"bars must be daily. Received {len(quotes)}, a median of {days:g} days apart."
    return [Finding("reject", "not_daily", [], what)]


def _check_numbers(quotes: pd.DataFrame) -> list[Finding]:
    findings = []
    for name in quotes.columns:
        rule = f"'{name}' must be a finite number"
        findings += _broken("non_finite", rule, quotes, ~np.isfinite(quotes[name]), name)
        huge = np.isfinite(quotes[name]) & (quotes[name] > _LARGEST)
        rule = f"'{name}' must be at most {_LARGEST:g}"
        findings += _broken("magnitude", rule, quotes, huge, name)
    for name in _PRICES:
        rule = f"'{name}' must be positive"
        findings += _broken("non_positive", rule, quotes, quotes[name] <= 0, name)
        tiny = (quotes[name] > 0) & (quotes[name] < _SMALLEST)
        rule = f"'{name}' must be at least {_SMALLEST:g}"
        findings += _broken("magnitude", rule, quotes, tiny, name)
    for name in ("volume", "dividends", "splits"):
        rule = f"'{name}' must not be negative"
        findings += _broken("negative", rule, quotes, quotes[name] < 0, name)
    return findings


def _clamp_rounding(quotes: pd.DataFrame, rounding: float) -> tuple[pd.DataFrame, list[Finding]]:
    prices = quotes[PRICE_COLUMNS]
    ends = quotes[["open", "close"]]
    low = ends.min(axis=1).clip(upper=quotes["low"])
    high = ends.max(axis=1).clip(lower=quotes["high"])
    off = (low < quotes["low"]) | (high > quotes["high"])
    near = (low >= quotes["low"] * (1 - rounding)) & (high <= quotes["high"] * (1 + rounding))
    clamp = off & near & (quotes["low"] <= quotes["high"] * (1 + rounding))
    if not clamp.any():
        return quotes, []
    clamped = prices.assign(
        low=low.where(clamp, prices["low"]), high=high.where(clamp, prices["high"])
    )
    what = "open or close outside low to high by a rounding; low and high moved to it"
    found = _found("repair", "rounding", quotes.index[clamp], what)
    return quotes.assign(**{name: clamped[name] for name in PRICE_COLUMNS}), [found]


def _check_order(quotes: pd.DataFrame) -> list[Finding]:
    low, high = quotes["low"], quotes["high"]
    findings = _broken("ohlc_order", "'high' must not be below 'low'", quotes, high < low, "high")
    for name in ("open", "close"):
        rule = f"'{name}' must lie between 'low' and 'high'"
        outside = (quotes[name] < low) | (quotes[name] > high)
        findings += _broken("ohlc_order", rule, quotes, outside, name)
    return findings


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
        findings.append(_found("warn", "missing", absent, what))
    if calendar not in (WEEKDAYS, EVERY_DAY):
        closed = sessions.difference(expected)
        closed = closed[closed >= expected[0]] if len(expected) else closed[:0]
        if len(closed):
            what = f"a bar though the exchange was closed ({calendar}); kept"
            findings.append(_found("warn", "unexpected", closed, what))
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
        findings.append(_found("warn", "split_like", quotes.index[like_split], what))
    jump = jump & ~like_split
    if jump.any():
        largest = np.expm1(returns.to_numpy()[jump])
        largest = largest[np.abs(largest).argmax()]
        what = f"a jump of {limits.jump:g} robust deviations or more (up to {largest:+.0%}); kept"
        findings.append(_found("warn", "jump", quotes.index[jump], what))
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
    return [_found("warn", "split_volume", quotes.index[split], what)]


def _flat_runs(quotes: pd.DataFrame, shortest: int) -> list[Finding]:
    close = quotes["close"].to_numpy()
    run = np.cumsum(np.r_[True, close[1:] != close[:-1]]) - 1
    lengths = np.bincount(run)
    flat = lengths[run] >= shortest
    if not flat.any():
        return []
    what = f"{shortest} or more equal closes in a row (longest: {lengths.max()}); kept"
    return [_found("warn", "flat_run", quotes.index[flat], what)]


def _volumes(quotes: pd.DataFrame) -> list[Finding]:
    none = (quotes["volume"] == 0).to_numpy()
    if none.all():
        return [Finding("warn", "zero_volume", [], "no session has a volume; kept")]
    if none.any():
        return [_found("warn", "zero_volume", quotes.index[none], "a volume of zero; kept")]
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


def _found(severity: Severity, kind: str, sessions: pd.Index, did: str) -> Finding:
    count = len(sessions)
    listed = f", the first {MOST_LISTED} listed" if count > MOST_LISTED else ""
    return Finding(
        severity, kind, _dates(sessions), f"{count} session{'s'[: count > 1]}{listed}: {did}"
    )


def _broken(
    kind: str,
    rule: str,
    quotes: pd.DataFrame,
    where: np.ndarray | pd.Series,
    column: str | None = None,
) -> list[Finding]:
    mask = np.asarray(where, dtype=bool)
    if not mask.any():
        return []
    first, count = int(mask.argmax()), int(mask.sum())
    value = f" ({quotes[column].iloc[first]})" if column else ""
    what = (
        f"{rule}. Received {count} row{'s'[: count > 1]} where it is not so, "
        f"first session {quotes.index[first].date().isoformat()}{value}."
    )
    return [Finding("reject", kind, _dates(quotes.index[mask]), what)]


def _dates(sessions: pd.Index) -> list[str]:
    return [session.date().isoformat() for session in sessions[:MOST_LISTED]]
