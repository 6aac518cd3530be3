"""A challenger that took no time to train, and the decision on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from homes import Home

from forecast.evaluation.promotion import Decision
from forecast.ledger import open_ledger
from forecast.nightly import engines
from forecast.nightly.challenger import Challenger
from forecast.nightly.jobs import Job, RunFiles
from forecast.nightly.work import Outcome
from forecast.registry import load_run

RUN = "20120703T235959Z-beef"
BETTER = Decision(True, "Promoted: it is better.", {"origins": 99})


class Killed(BaseException):
    """Nothing catches it."""


def files_of(home: Home, run: str = RUN) -> RunFiles:
    """A challenger that is the champion under another name."""
    saved = RunFiles.of(load_run(home.folder, "ACME"), "ACME")
    return replace(saved, run=run, manifest={**saved.manifest, "run": run})


def work_of(home: Home, decision: Decision) -> Callable[[Job], Outcome]:
    """A job that trained in no time: the challenger is there, the forecast is the real one."""

    def work(job: Job) -> Outcome:
        serving = files_of(home) if decision.promote else job.champion
        forecast = engines.work(replace(job, champion=serving, challenger=None)).forecast
        return Outcome(job.ticker, Challenger(files_of(home), decision), forecast, None, 1.0)

    return work


def issued(home: Home, ticker: str = "ACME") -> list[tuple[str, str]]:
    with open_ledger(home.folder, read_only=True) as ledger:
        assert ledger.verify() == []
        record = ledger.track_record(ticker)
    return [
        (f"{origin:%m-%d}", run)
        for origin, run in zip(record["origin"], record["run"], strict=True)
    ]
