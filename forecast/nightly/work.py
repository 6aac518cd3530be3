"""A ticker's job: train a challenger, judge it, forecast the coming sessions.

A function of its argument alone: it reads no home and writes none, so that it may run in this
process, in another, or on another machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from forecast.baselines import BASELINES
from forecast.errors import ForecastError, as_known
from forecast.ledger import IssuedStep
from forecast.market.fetching import Fetched
from forecast.nightly.challenger import Challenger, train_challenger
from forecast.nightly.jobs import Job
from forecast.pipeline.predict import newest_forecast
from forecast.registry import SavedRun, load_run

REFERENCE = "ewma"


@dataclass(frozen=True)
class Forecast:
    """What would be issued.

    Attributes:
        origin: Session of the newest bar.
        run: Whose network made it.
        network: Its name.
        last_close: Close at the origin in that day's money [quote currency].
        steps: Of the network and of `ewma`.
    """

    origin: pd.Timestamp
    run: str
    network: str
    last_close: float
    steps: tuple[IssuedStep, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        ticker: Whose.
        challenger: The run that was trained, and the decision on it; None where none was.
        forecast: By the champion as it is after the decision; None where there is no champion.
        error: What went wrong, or None. A forecast may be there all the same.
        seconds: It took so long.
    """

    ticker: str
    challenger: Challenger | None
    forecast: Forecast | None
    error: ForecastError | None
    seconds: float


def work(job: Job) -> Outcome:
    """Do a ticker's job. A challenger that fails leaves the champion to forecast."""
    begun = time.perf_counter()
    challenger, forecast, error = None, None, None
    try:
        with TemporaryDirectory(prefix="forecast-") as folder:
            home = Path(folder)
            champion = None
            if job.champion is not None:
                job.champion.save(home, job.ticker)
                champion = load_run(home, job.ticker, job.champion.run)
            serving = champion
            if job.challenger is not None:
                try:
                    challenger = train_challenger(job, home, champion)
                    if challenger.decision.promote:
                        serving = load_run(home, job.ticker, challenger.files.run)
                except Exception as failure:
                    error = _known(job.ticker, failure)
            if serving is not None:
                forecast = _forecast(serving, job.fetched)
    except Exception as failure:
        error = error or _known(job.ticker, failure)
    return Outcome(job.ticker, challenger, forecast, error, time.perf_counter() - begun)


def failed(job: Job, error: ForecastError) -> Outcome:
    """The outcome of a job that could not be done."""
    return Outcome(job.ticker, None, None, error, 0.0)


def _known(ticker: str, failure: Exception) -> ForecastError:
    return as_known(failure, ticker=ticker, hint=f"forecast train {ticker} --debug")


def _forecast(saved: SavedRun, fetched: Fetched) -> Forecast:
    """The coming sessions by a saved run and by the reference, from the newest bar."""
    bars, own = fetched.bars, newest_forecast(saved, fetched)
    origin, horizon = bars.index[-1], len(own.sessions)
    # All that is known at the origin, for the reference too.
    reference = BASELINES[REFERENCE](bars, bars.index[-1:], horizon=horizon, fitted_until=origin)
    steps = tuple(
        IssuedStep(
            step=number + 1,
            session=session.date(),
            point=float(own.point[number]),
            quantiles=tuple(own.quantiles[number].tolist()),
            reference_point=float(reference.point[0, number]),
            reference_quantiles=tuple(reference.quantiles[0, number].tolist()),
        )
        for number, session in enumerate(own.sessions)
    )
    last_close = float(fetched.history.quotes["close"].loc[origin])
    return Forecast(origin, saved.folder.name, saved.manifest["network"], last_close, steps)
