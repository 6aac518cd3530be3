"""`predict`: the coming sessions from the newest completed bar, with a saved network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.intervals import from_document
from forecast.evaluation.probability import probability_up
from forecast.features.inputs import Inputs
from forecast.features.targets import Prediction
from forecast.files import inside
from forecast.market.fetching import Fetched
from forecast.market.sessions import next_sessions
from forecast.networks.training import infer, load_model
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.scoring import adjust
from forecast.pipeline.watch import Watch
from forecast.registry import SavedRun, load_run


def predict(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    run: str | None = None,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> list[dict[str, Any] | FailedRun]:
    """Forecast the next sessions of each ticker.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/`, `models/` and `reports/` are.
        settings: Only the source is read; all else is the saved run's.
        run: Which run; None means each ticker's champion.
        as_of: Ticker → snapshot to forecast from, instead of asking the source.
        watch: Told how it goes.

    Returns:
        One entry a ticker, as `predict --json` prints it.

    Raises:
        ForecastError: with a single ticker, whatever went wrong.
    """
    watch = watch or Watch()
    one = partial(_predict, home=home, settings=settings, run=run, as_of=as_of or {}, watch=watch)
    return every(tickers, one, watch=watch)


def _predict(
    ticker: str,
    *,
    home: Path,
    settings: Settings,
    run: str | None,
    as_of: Mapping[str, str],
    watch: Watch,
) -> dict[str, Any]:
    saved = load_run(home, ticker, run)
    if ticker not in saved.inputs:
        raise ArtifactError(
            f"{saved.folder.name} must have been trained on {ticker}. It knows "
            f"{', '.join(saved.inputs)}.",
            hint=f"forecast train {ticker}",
        )
    watch.stage(f"fetching {ticker}")
    fetched = fetch_for(ticker, home=home, settings=settings, as_of=as_of)
    if fetched.notice:
        watch.notice(fetched.notice)
    watch.stage("forecasting")
    inputs = Inputs.from_document(saved.inputs[ticker]["inputs"])
    state = from_document(saved.inputs[ticker]["calibration"])
    bars = fetched.bars
    coming = next_sessions(_exchange(fetched), bars.index[-1], inputs.horizon)
    # From the newest bar back to the last outcome that the calibration has learnt from.
    news = int((bars.index > state.known_until).sum()) + inputs.horizon
    windows = inputs.newest(bars, ticker=ticker, count=news)
    outputs = infer(load_model(saved.network), windows)
    prediction, _ = adjust(inputs, outputs, bars, windows, state, coming=coming)
    return _document(fetched, saved, prediction, coming, home)


def _exchange(fetched: Fetched) -> str:
    exchange = fetched.history.exchange
    if exchange is None:
        raise ValueError(f"{fetched.ticker}: a fetched history names its exchange.")
    return exchange


def _document(
    fetched: Fetched,
    saved: SavedRun,
    prediction: Prediction,
    sessions: pd.DatetimeIndex,
    home: Path,
) -> dict[str, Any]:
    origin = fetched.bars.index[-1]
    # Today's money: what a person sees on a screen, not the dividend-adjusted close.
    last_close = float(fetched.history.quotes["close"].loc[origin])
    point, quantiles = prediction.point[-1], prediction.quantiles[-1]
    prices = last_close * np.exp(quantiles)
    steps = [
        {
            "step": number + 1,
            "session": f"{session:%Y-%m-%d}",
            "predicted": last_close * float(np.exp(point[number])),
            **dict(zip(QUANTILE_COLUMNS, prices[number].tolist(), strict=True)),
            "probability_up": probability_up(quantiles[number]),
        }
        for number, session in enumerate(sessions)
    ]
    run = saved.manifest["run"]
    plot = inside(home / "reports", fetched.ticker, "predict", f"{origin:%Y-%m-%d}-{run}.png")
    document = {
        "ticker": fetched.ticker,
        "run": run,
        "network": saved.manifest["network"],
        "source": fetched.source,
        "origin": f"{origin:%Y-%m-%d}",
        "last_close": last_close,
        "steps": steps,
        "plot": plot.relative_to(home).as_posix(),
    }
    from forecast.report.fan import draw_fan

    draw_fan(
        plot,
        fetched.history.quotes["close"].loc[:origin],
        steps,
        ticker=fetched.ticker,
        model=saved.manifest["network"],
        currency=fetched.history.currency,
    )
    return document
