"""One verb over several tickers: a bad one never fails the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from forecast.errors import ForecastError, as_known
from forecast.market.bars import check_ticker
from forecast.pipeline.watch import Watch

Result = TypeVar("Result")


@dataclass(frozen=True)
class FailedRun:
    """A ticker for which a verb could not be done, and why."""

    ticker: str
    error: ForecastError


def every(
    tickers: Sequence[str], do: Callable[[str], Result], *, watch: Watch
) -> list[Result | FailedRun]:
    """What `do` gave for each ticker, each once, in the order given.

    Raises:
        Exception: with a single ticker, whatever went wrong.
    """
    names = list(dict.fromkeys(check_ticker(ticker) for ticker in tickers))
    if len(names) == 1:
        return [do(names[0])]
    results: list[Result | FailedRun] = []
    for name in names:
        try:
            results.append(do(name))
        except Exception as failure:  # an unforeseen fault, too, is this ticker's alone
            error = as_known(failure, ticker=name)
            watch.notice(f"{name} failed: {error}")
            results.append(FailedRun(name, error))
    return results
