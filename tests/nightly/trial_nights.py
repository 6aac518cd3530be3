"""Run by test_night_kills: nights over five tickers, killed at random moments or without space.

Trainings are stood in for by copies of the champion under a new name, so that a night is dense with
writes; workers write nothing that outlives them. A warm interpreter forks each night.

`kill` prints how many nights there were, how many were killed at work, and in how many places
(distinct sets of what was there afterwards); `full` how many nights there were, and how many could
not write something.
"""

from __future__ import annotations

import itertools
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
from homes import FIRST_NIGHT, FIVE, SESSIONS, Home

from forecast.errors import ForecastError
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

HOME = Home(Path(sys.argv[2]), {"retrain": "nightly", "keep_runs": 3}, FIVE)
ROUNDS = int(sys.argv[3])
NO_FAULT = 50
"""Exit code of a night that came to an error of the program's own."""


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
    one = RunFiles.of(load_run(HOME.folder, "ACME"), "ACME")
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


def spawn(session: pd.Timestamp, *, largest: int | None = None) -> int:
    """A night in a process of its own, that can write no file beyond so many bytes."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            if largest is not None:
                _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
            code = HOME.night(f"{session:%Y-%m-%d}").exit_code
        except ForecastError:
            code = NO_FAULT
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def ends(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def check(served: dict[str, str], session: pd.Timestamp) -> tuple[str, ...]:
    """Whole, whatever came before; tells how far each ticker's night of the session had come."""
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
        if state.done is not None and state.done.session == f"{session:%Y-%m-%d}":
            places.append("done")
        elif session.date() in origins[ticker]:
            places.append("issued")
        else:
            places.append("judged" if state.pending else "fetched")
    return tuple(places)


def kill(todo: Iterator[pd.Timestamp], snapshots: dict[str, str]) -> list[pd.Timestamp]:
    chance = random.Random(5)
    usual = finish(next(todo))
    done, killed, places = [], 0, set()
    for session in itertools.islice(todo, ROUNDS):
        child = spawn(session)
        time.sleep(chance.uniform(0.0, 1.2 * usual))
        os.kill(child, signal.SIGKILL)
        killed += ends(child) == -signal.SIGKILL
        places.add(check(snapshots, session))
        # A busy machine is slower from one night to the next.
        usual = finish(session)
        assert set(check(snapshots, session)) == {"done"}
        done.append(session)
    print(len(done), killed, len(places))
    print(*sorted(",".join(place) for place in places), sep="\n", file=sys.stderr)
    return done


def finish(session: pd.Timestamp) -> float:
    """A night to its end; gives its seconds."""
    begun = time.monotonic()
    assert ends(spawn(session)) == 0
    return time.monotonic() - begun


def full(todo: Iterator[pd.Timestamp], snapshots: dict[str, str]) -> list[pd.Timestamp]:
    done, refused = [], 0
    # From nothing at all to a little less than the largest file.
    for session, power in zip(todo, range(ROUNDS), strict=False):
        code = ends(spawn(session, largest=int(1.5**power) if power else 0))
        assert code in (0, 1, NO_FAULT), code
        refused += code != 0
        check(snapshots, session)
        assert ends(spawn(session)) == 0
        assert set(check(snapshots, session)) == {"done"}
        done.append(session)
    print(len(done), refused)
    return done


engines.pool = pretended
set_up()
first = HOME.night(FIRST_NIGHT)
assert first.exit_code == 0, first.document
served = {
    ticker: fetch_one(ticker, data=HOME.folder / "data", source="csv:" + str(HOME.csv)).snapshot
    for ticker in FIVE
}
trials = {"kill": kill, "full": full}
sessions = trials[sys.argv[1]](iter(SESSIONS[pd.Timestamp(FIRST_NIGHT) < SESSIONS]), served)
with open_ledger(HOME.folder, read_only=True) as book:
    record = book.track_record()
for name in FIVE:
    own = record[(record["ticker"] == name) & (record["origin"] >= sessions[0])]
    assert own["origin"].tolist() == sessions, name
    assert (own["status"].iloc[:-1] == "settled").all()
