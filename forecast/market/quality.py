"""One pass over a source's quotes: what is wrong with them, and what was done about it.

What keeps the rules and is merely odd is for `oddities`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from forecast.errors import MalformedData
from forecast.market.bars import PRICE_COLUMNS
from forecast.market.findings import Finding, Thresholds, broken, found
from forecast.market.oddities import oddities
from forecast.market.sessions import last_completed

# The squares and products of larger numbers, or of smaller prices, leave the 64-bit floats.
_LARGEST, _SMALLEST = 1e100, 1e-100
# Older than any exchange's daily prices: a mistyped year, or a program's word for no date.
_OLDEST = pd.Timestamp("1800-01-01")

_PRICES = [*PRICE_COLUMNS, "adj_close"]
# A long weekend has four days from bar to bar; a few bars may lie anyhow.
_WIDEST, _TO_TELL = 4, 10


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
    findings += oddities(quotes, calendar=calendar, now=now, limits=limits, live=lenient)
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
    what = "no prices; dropped"
    return quotes[~empty], [found("repair", "empty_row", quotes.index[empty], what)]


def _tidy(quotes: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    findings = []
    prices = quotes[_PRICES].to_numpy()
    # In old index data Yahoo writes zero where it has no price.
    zero = (prices == 0).any(axis=1) & ~(prices < 0).any(axis=1)
    if zero.any():
        what = "a price of zero, which stands for none; dropped"
        findings.append(found("repair", "zero_price", quotes.index[zero], what))
        quotes = quotes[~zero]
    repeated = quotes.reset_index().duplicated().to_numpy()
    if repeated.any():
        what = "the same row more than once; kept once"
        findings.append(found("repair", "duplicate", quotes.index[repeated], what))
        quotes = quotes[~repeated]
    if not quotes.index.is_monotonic_increasing:
        later = np.r_[False, quotes.index[1:] < quotes.index[:-1]]
        findings.append(found("repair", "order", quotes.index[later], "out of order; sorted"))
        quotes = quotes.sort_index(kind="stable")
    if len(quotes) and quotes[_PRICES].iloc[-1].isna().any():
        what = "the newest row lacks a price; dropped until it is whole"
        findings.append(found("repair", "unsettled", quotes.index[-1:], what))
        quotes = quotes.iloc[:-1]
    unknown = quotes["volume"].isna()
    if unknown.any():
        findings.append(found("repair", "no_volume", quotes.index[unknown], "no volume; set to 0"))
        quotes = quotes.assign(volume=quotes["volume"].fillna(0.0))
    return quotes, findings


def _check_index(quotes: pd.DataFrame) -> list[Finding]:
    sessions = quotes.index
    if not len(sessions):
        return [Finding("reject", "empty", [], "there must be at least one bar. Received none.")]
    repeated = sessions.duplicated()
    back = np.r_[False, sessions[1:] < sessions[:-1]]
    return [
        *broken("duplicate", "each session must appear once", quotes, repeated),
        *broken("order", "sessions must be in increasing order", quotes, back),
        *broken("ancient", f"no session may be before {_OLDEST.year}", quotes, sessions < _OLDEST),
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
        findings.append(found("repair", "partial", quotes.index[later & ~future], what))
    if future.any():
        what = f"after today, {now:%Y-%m-%d}; dropped"
        findings.append(found("repair", "future", quotes.index[future], what))
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
        findings += broken("non_finite", rule, quotes, ~np.isfinite(quotes[name]), name)
        huge = np.isfinite(quotes[name]) & (quotes[name] > _LARGEST)
        rule = f"'{name}' must be at most {_LARGEST:g}"
        findings += broken("magnitude", rule, quotes, huge, name)
    for name in _PRICES:
        rule = f"'{name}' must be positive"
        findings += broken("non_positive", rule, quotes, quotes[name] <= 0, name)
        tiny = (quotes[name] > 0) & (quotes[name] < _SMALLEST)
        rule = f"'{name}' must be at least {_SMALLEST:g}"
        findings += broken("magnitude", rule, quotes, tiny, name)
    for name in ("volume", "dividends", "splits"):
        rule = f"'{name}' must not be negative"
        findings += broken("negative", rule, quotes, quotes[name] < 0, name)
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
    mended = quotes.assign(**{name: clamped[name] for name in PRICE_COLUMNS})
    return mended, [found("repair", "rounding", quotes.index[clamp], what)]


def _check_order(quotes: pd.DataFrame) -> list[Finding]:
    low, high = quotes["low"], quotes["high"]
    findings = broken("ohlc_order", "'high' must not be below 'low'", quotes, high < low, "high")
    for name in ("open", "close"):
        rule = f"'{name}' must lie between 'low' and 'high'"
        outside = (quotes[name] < low) | (quotes[name] > high)
        findings += broken("ohlc_order", rule, quotes, outside, name)
    return findings
