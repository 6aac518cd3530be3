"""Bars and features of many tickers: fetched at once, made ready in several processes, kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from forecast.config import Settings
from forecast.errors import ArtifactError, ForecastError
from forecast.market.fetching import Failed, Fetched
from forecast.pipeline.every import FailedRun
from forecast.pipeline.feature_cache import FeatureCache
from forecast.pipeline.fetch import fetch
from forecast.pipeline.preparing import Ready, make_ready
from forecast.pipeline.processes import for_each
from forecast.pipeline.watch import Watch


@dataclass(frozen=True)
class _Job:
    fetched: Fetched
    settings: Settings
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
    fetched: Sequence[Fetched], *, home: Path, settings: Settings, watch: Watch
) -> list[Ready | FailedRun]:
    """Features, inputs and the cheap audit of each ticker, in the order given.

    What was computed before for the same bars, settings and code is read from the cache.
    """
    watch.stage("computing indicators, looking for leaks")
    cache, results = FeatureCache.of(home), dict[str, Ready | FailedRun]()
    for one in fetched:
        try:
            kept = cache.load(one, settings)
        except ArtifactError as error:
            watch.notice(f"{error.message} It is computed again.")
        else:
            if kept is not None:
                results[one.ticker] = kept
    missing = [one for one in fetched if one.ticker not in results]
    jobs = (_Job(one, settings, cache) for one in missing)
    made = for_each(_make, jobs, count=len(missing))
    for one, result in zip(missing, made, strict=True):
        watch.step(len(results) + 1, len(fetched), one.ticker)
        results[one.ticker] = (
            FailedRun(one.ticker, result) if isinstance(result, ForecastError) else result
        )
    if missing:
        cache.prune()
    return [results[one.ticker] for one in fetched]


def _make(job: _Job) -> Ready:
    ready = make_ready(job.fetched, job.settings)
    # A copy to save time: a home that cannot be written is found out when there is a result.
    with suppress(ArtifactError):
        job.cache.store(ready, job.settings)
    return ready
