"""Run by test_night_kills: nights over five tickers, each killed at a random moment.

Trainings are stood in for by copies of the champion under a new name, so that a night is dense with
writes; workers write nothing that outlives them. A warm interpreter forks each night.

Prints how many nights there were, how many were killed at work, and in how many places of the
commit (distinct sets of what was there afterwards).
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
from homes import FIRST_NIGHT, FIVE, SESSIONS, Home

from forecast.evaluation.promotion import Decision
from forecast.ledger import open_ledger
from forecast.market.fetching import fetch_one
from forecast.nightly import engines
from forecast.nightly.challenger import Challenger
from forecast.nightly.jobs import RunFiles
from forecast.nightly.state import read_state
from forecast.nightly.work import Outcome, work
from forecast.pipeline.predict import newest_forecast
from forecast.registry import champion, load_run, promote, runs_of

HOME = Home(Path(sys.argv[1]), {"retrain": "nightly", "keep_runs": 3}, FIVE)
ROUNDS = int(sys.argv[2])


def pretended(jobs, *, pause, **_):
    """Trains nothing; every other challenger is promoted."""
    for number, job in enumerate(jobs):
        if pause():
            return
        files = replace(job.champion, run=job.challenger)
        files = replace(files, manifest={**files.manifest, "run": job.challenger})
        better = number % 2 == 0
        serving = files if better else job.champion
        forecast = work(replace(job, champion=serving, challenger=None)).forecast
        decision = Decision(better, "Promoted: so." if better else "Not promoted: so.", {})
        yield Outcome(job.ticker, Challenger(files, decision), forecast, None, 0.0)


def set_up() -> None:
    """Champions of all five, made from the one that was trained."""
    HOME.write()
    one = RunFiles.of(load_run(HOME.folder, "ACME"))
    for ticker in FIVE:
        if champion(HOME.folder, ticker) is None:
            (data,) = one.manifest["tickers"].values()
            (document,) = one.metrics["runs"]
            files = replace(
                one,
                inputs={ticker: one.inputs["ACME"]},
                manifest={**one.manifest, "tickers": {ticker: data}},
                metrics={"runs": [{**document, "ticker": ticker}]},
            )
            files.save(HOME.folder, ticker)
            promote(HOME.folder, ticker, files.run, reason="set up")


def spawn(session: pd.Timestamp) -> int:
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = HOME.night(f"{session:%Y-%m-%d}").exit_code
        finally:
            os._exit(code)
    return child


def check(served: dict[str, str]) -> tuple[int, ...]:
    """Whole, whatever came before; tells how far each ticker's night had come, as a number."""
    with open_ledger(HOME.folder, read_only=True) as ledger:
        assert ledger.verify() == []
        origins = {ticker: ledger.origins(ticker) for ticker in FIVE}
    places = []
    for ticker in FIVE:
        assert len(origins[ticker]) == len(set(origins[ticker]))
        runs = runs_of(HOME.folder, ticker)
        assert [one.run for one in runs if one.damaged] == []
        saved = load_run(HOME.folder, ticker)
        fetched = fetch_one(
            ticker, data=HOME.folder / "data", source="csv:" + str(HOME.csv), as_of=served[ticker]
        )
        newest_forecast(saved, fetched)
        state = read_state(HOME.folder, ticker)
        places.append(
            (state.pending is not None) + 2 * (state.done is not None) + 4 * len(origins[ticker])
        )
    return tuple(places)


engines.pool = pretended
set_up()
first = HOME.night(FIRST_NIGHT)
assert first.exit_code == 0, first.document
snapshots = {
    ticker: fetch_one(ticker, data=HOME.folder / "data", source="csv:" + str(HOME.csv)).snapshot
    for ticker in FIVE
}
chance = random.Random(5)
todo = iter(SESSIONS[pd.Timestamp(FIRST_NIGHT) < SESSIONS])
begun = time.monotonic()
_, status = os.waitpid(spawn(next(todo)), 0)
assert os.waitstatus_to_exitcode(status) == 0
usual = time.monotonic() - begun
done, killed, places = [], 0, set()
for session in todo:
    if len(done) == ROUNDS:
        break
    child = spawn(session)
    time.sleep(chance.uniform(0.0, 1.05 * usual))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed += os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    places.add(tuple(place % 4 for place in check(snapshots)))
    _, status = os.waitpid(spawn(session), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    check(snapshots)
    done.append(session)
with open_ledger(HOME.folder, read_only=True) as ledger:
    record = ledger.track_record()
for ticker in FIVE:
    own = record[(record["ticker"] == ticker) & (record["origin"] >= done[0])]
    assert own["origin"].tolist() == done, ticker
    assert (own["status"].iloc[:-1] == "settled").all()
print(len(done), killed, len(places))
