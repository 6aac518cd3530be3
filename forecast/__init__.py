"""Stock forecasts with Keras, scored beside what a child would guess.

    import forecast
    run = forecast.train("AAPL")
    forecast.predict("AAPL")

What the user must know, such as that the sample stands in for Yahoo, goes to stderr. Everything
heavy is imported when it is first needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.files import home_folder

if TYPE_CHECKING:
    import pandas as pd

    from forecast.pipeline.train import Run

__all__ = ["fetch", "predict", "train"]


def train(ticker: str, *, home: str | Path = ".", **settings: Any) -> Run:
    """Train a network on a ticker's bars, score it beside the baselines, write model and report.

    Args:
        ticker: Such as `AAPL`.
        home: Where `data/`, `models/`, `reports/` and `forecast.toml` are; `~` is the user's own.
        settings: As in `forecast.toml`, such as `source="sample"`, `network="gru"`, `horizon=5`.

    Returns:
        The run: `run.scores` (model × step, a column a metric), `run.verdict` (the sentence),
        `run.forecasts` (every forecast of the test part), `run.report` (the page).

    Raises:
        ForecastError: whatever went wrong, with the next thing to try.
    """
    from forecast.config import load_settings
    from forecast.pipeline import train as verb
    from forecast.pipeline.every import FailedRun
    from forecast.progress import silent

    place = home_folder(home)
    (run,) = verb.train(
        [ticker], home=place, settings=load_settings(place, **settings), watch=silent()
    )
    if isinstance(run, FailedRun):
        raise run.error
    return run


def predict(
    ticker: str, *, home: str | Path = ".", run: str | None = None, **settings: Any
) -> pd.DataFrame:
    """Forecast the next sessions of a ticker from its newest completed bar.

    Args:
        ticker: Such as `AAPL`.
        home: As in `train`.
        run: Which run; None means the champion. One over several tickers forecasts others too.
        settings: As in `train`; only the source matters here.

    Returns:
        Index `session`; columns `step`, `predicted`, `p05` … `p95` [quote currency, in today's
        money], `probability_up`; of a network of classes no prices, but the probability of each
        class and `usual`, its share of the training part. `attrs["plot"]` is the path of the
        picture, `attrs["in_training"]` whether the network was trained on this ticker;
        `attrs["source"]` and `attrs["notice"]` as in `fetch`.

    Raises:
        ForecastError: whatever went wrong, with the next thing to try.
    """
    import pandas as pd

    from forecast.config import load_settings
    from forecast.pipeline import predict as verb
    from forecast.pipeline.every import FailedRun
    from forecast.progress import silent

    place = home_folder(home)
    (document,) = verb.predict(
        [ticker],
        home=place,
        settings=load_settings(place, **settings),
        run=run,
        watch=silent(),
    )
    if isinstance(document, FailedRun):
        raise document.error
    table = pd.DataFrame(document["steps"])
    table["session"] = pd.to_datetime(table["session"])
    table.attrs |= {
        "plot": str(place / document["plot"]),
        **{name: document[name] for name in ("in_training", "source", "notice")},
    }
    return table.set_index("session")


def fetch(ticker: str, *, home: str | Path = ".", **settings: Any) -> pd.DataFrame:
    """The bars of a ticker, brought into the store if they are not there yet.

    Args:
        ticker: Such as `AAPL`.
        home: As in `train`.
        settings: As in `train`; the source matters here.

    Returns:
        Bars: index `session`, columns `open high low close` [quote currency, adjusted for splits
        and dividends] and `volume` [shares]. `attrs["source"]` is where they came from: `yahoo`,
        `sample` or `csv`; `attrs["notice"]` what the user must know about that, or None.

    Raises:
        ForecastError: whatever went wrong, with the next thing to try.
    """
    from forecast.config import load_settings
    from forecast.market.fetching import Failed
    from forecast.pipeline import fetch as verb
    from forecast.progress import silent

    place = home_folder(home)
    (result,) = verb.fetch(
        [ticker], home=place, settings=load_settings(place, **settings), watch=silent()
    )
    if isinstance(result, Failed):
        raise result.error
    bars = result.bars
    bars.attrs |= {"source": result.source, "notice": result.notice}
    return bars
