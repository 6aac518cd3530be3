"""Bars and features of many tickers: fetched at once, made ready in several processes, kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from forecast.config import Settings
from forecast.errors import ArtifactError, ForecastError
from forecast.features.splits import Boundaries
from forecast.features.windows import RowTable
from forecast.market.fetching import Failed, Fetched
from forecast.pipeline.every import FailedRun
from forecast.pipeline.feature_cache import FeatureCache
from forecast.pipeline.fetch import fetch
from forecast.pipeline.preparing import Ready, make_ready
from forecast.pipeline.processes import for_each
from forecast.pipeline.watch import Watch

_TICKER = attrgetter("fetched.ticker")


@dataclass(frozen=True)
class _Job:
    fetched: Fetched
    settings: Settings
    boundaries: Boundaries | None
    cache: FeatureCache


def fetch_all(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    as_of: Mapping[str, str],
    watch: Watch,
) -> list[Fetched | FailedRun]:
    """The bars of each ticker, in the order given; one that fails never fails the others."""
    results = fetch(tickers, home=home, settings=settings, as_of=as_of, watch=watch)
    return [FailedRun(one.ticker, one.error) if isinstance(one, Failed) else one for one in results]


def make_all_ready(
    fetched: Sequence[Fetched],
    *,
    home: Path,
    settings: Settings,
    watch: Watch,
    boundaries: Boundaries | None = None,
    table: RowTable | None = None,
    numbered: bool = False,
) -> list[Ready | FailedRun]:
    """Features, inputs and the cheap audit of each ticker, in the order given.

    What was computed before for the same bars, settings and code is read from the cache.

    Args:
        fetched: The bars.
        home: Where the cache is.
        settings: Of the features.
        watch: Told how it goes.
        boundaries: Where the parts begin, for several tickers; None for shares of each history.
        table: The windows are moved into it one by one, in the order given.
        numbered: Give each ticker that can be made ready a number, from 1 on without a gap, and its
            windows the column that says so.
    """
    watch.stage("computing indicators, looking for leaks")
    cache = FeatureCache.of(home)
    jobs = [_Job(one, settings, boundaries, cache) for one in fetched]
    missing = [job for job in jobs if not cache.has(job.fetched, settings, boundaries)]
    made = iter(for_each(_make, missing, named=_TICKER, count=len(missing)))
    names = {job.fetched.ticker for job in missing}
    results: list[Ready | FailedRun] = []
    for number, job in enumerate(jobs, start=1):
        ticker = job.fetched.ticker
        watch.step(number, len(jobs), ticker)
        result = next(made) if ticker in names else _kept(job, watch)
        if isinstance(result, ForecastError):
            results.append(FailedRun(ticker, result))
            continue
        if numbered:
            result = _numbered(result, 1 + sum(isinstance(one, Ready) for one in results))
        if table is not None:
            result = replace(result, windows=table.move(result.windows))
        results.append(result)
    if missing:
        cache.prune()
    return results


def _numbered(ready: Ready, number: int) -> Ready:
    inputs = replace(ready.inputs, number=number)
    return replace(ready, inputs=inputs, windows=inputs.numbered(ready.windows))


def _kept(job: _Job, watch: Watch) -> Ready | ForecastError:
    """What was kept, or else made again."""
    try:
        kept = job.cache.load(job.fetched, job.settings, job.boundaries)
    except ArtifactError as error:
        watch.notice(f"{error.message} It is computed again.")
        kept = None
    if kept is not None:
        return kept
    return next(for_each(_make, [job], named=_TICKER, count=1))


def _make(job: _Job) -> Ready:
    ready = make_ready(job.fetched, job.settings, job.boundaries)
    # A copy to save time: a home that cannot be written is found out when there is a result.
    with suppress(ArtifactError):
        job.cache.store(ready, job.settings, job.boundaries)
    return ready
