"""`predict`: the coming sessions from the newest completed bar, with a saved network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forecast.config import Settings
from forecast.errors import ArtifactError, ForecastError, as_known
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.features.probability import probability_up
from forecast.features.targets import CLASSES
from forecast.files import inside
from forecast.market.bars import check_ticker
from forecast.market.fetching import Failed, Fetched
from forecast.networks.forward import Network, load_network, read_forward
from forecast.pipeline.every import FailedRun
from forecast.pipeline.fetch import fetch
from forecast.pipeline.newest import Coming, ComingClasses, Request, forecast
from forecast.pipeline.processes import for_each
from forecast.pipeline.unseen import newest_together
from forecast.pipeline.watch import Watch
from forecast.registry import SavedRun, Shelf, champion

PICTURES = 20
"""For more tickers than this no fans are drawn: each takes ten times as long as its forecast."""
_FEW = 200
"""Up to so many tickers, starting processes takes longer than they save."""
_CHUNK = 25
"""Tickers that a process is handed at a time."""


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
        settings: Where the bars come from and how they are judged (source, store, exchange, start,
            quality); all else is the saved run's.
        run: Which run; None means each ticker's champion. One over several tickers forecasts
            others too.
        as_of: Ticker → snapshot to forecast from, instead of asking the source.
        watch: Told how it goes.

    Returns:
        One entry a ticker, as `predict --json` prints it. For more than `PICTURES` tickers none
        has a picture.

    Raises:
        ForecastError: with a single ticker, whatever went wrong.
    """
    watch = watch or Watch()
    names = list(dict.fromkeys(check_ticker(ticker) for ticker in tickers))
    results: dict[str, _Answer] = {}
    shelf, saved = Shelf(home), {}
    for name in names:
        try:
            saved[name] = _saved(shelf, name, run)
        except Exception as failure:
            if len(names) == 1:
                raise
            results[name] = as_known(failure, ticker=name)

    def ask() -> list[Request]:
        """What can be asked of the fetched bars; what cannot is in the results."""
        requests = []
        for one in fetch(list(saved), home=home, settings=settings, as_of=as_of, watch=watch):
            asked = one.error if isinstance(one, Failed) else _request(saved[one.ticker], one)
            if isinstance(asked, ForecastError):
                results[one.ticker] = asked
            else:
                requests.append(asked)
        watch.stage("forecasting")
        return requests

    answers = _by_many(ask, len(saved), watch) if len(saved) > _FEW else _here(ask)
    for request, answer in answers:
        drawn = len(names) <= PICTURES
        results[request.fetched.ticker] = (
            _pictured(request, answer, home, watch) if drawn else answer
        )
    told: list[dict[str, Any] | FailedRun] = []
    for name in names:
        answer = results[name]
        if isinstance(answer, ForecastError):
            if len(names) == 1:
                raise answer
            watch.notice(f"{name} failed: {answer}")
            told.append(FailedRun(name, answer))
        elif answer is not None:
            told.append(answer)
    return told


def _request(saved: SavedRun, fetched: Fetched) -> Request | ForecastError:
    try:
        return Request.of(saved, fetched)
    except Exception as failure:
        return as_known(failure, ticker=fetched.ticker)


def newest_forecast(saved: SavedRun, fetched: Fetched) -> Coming:
    """The sessions after the newest bar, with a saved run.

    A ticker that a run over several never saw is scaled by its own history; see
    `pipeline.unseen`.

    Raises:
        ForecastError: if the bars are too few, or an output is not a finite number.
        ValueError: if the run forecasts classes.
    """
    (coming,) = forecast([Request.of(saved, fetched)], load_network)
    if isinstance(coming, ForecastError):
        raise coming
    if not isinstance(coming, Coming):
        raise ValueError(f"{saved.folder.name} forecasts no prices.")
    return coming


def _saved(shelf: Shelf, ticker: str, run: str | None) -> SavedRun:
    """The run, or the ticker's champion.

    Raises:
        ArtifactError: if there is none, or it is damaged.
    """
    name = champion(shelf.home, ticker) if run is None else run
    if name is None and (other := newest_together(shelf.home)) is not None:
        raise ArtifactError(
            f"{ticker}: there must be a trained network. It has no champion.",
            hint=f"forecast train {ticker}; or forecast predict {ticker} --model {other}, a "
            "network of other tickers, with no score to vouch for it",
        )
    return shelf.take(ticker, name)


_Answer = dict[str, Any] | ForecastError | None
"""What `predict` prints for a ticker, what went wrong, or None: only Keras knows the network."""


def _here(ask: Callable[[], list[Request]]) -> Iterator[tuple[Request, _Answer]]:
    """Each request with its answer, in this process."""
    requests = ask()
    yield from zip(requests, _documents(requests, load_network), strict=True)


def _by_many(
    ask: Callable[[], list[Request]], count: int, watch: Watch
) -> Iterator[tuple[Request, _Answer]]:
    """The same in several processes, which start while bars are fetched.

    Args:
        ask: Gives the requests.
        count: How many there are at most.
        watch: Told how it goes.
    """
    chunks: list[list[Request]] = []

    def handed() -> Iterator[list[Request]]:
        requests = ask()
        chunks.extend(requests[i : i + _CHUNK] for i in range(0, len(requests), _CHUNK))
        yield from chunks

    done, most = 0, -(-count // _CHUNK)
    answered = for_each(_in_numpy, handed(), named=_tickers, count=most)
    for number, found in enumerate(answered):
        chunk = chunks[number]
        if isinstance(found, ForecastError):
            yield from ((request, found) for request in chunk)
            continue
        left = [request for request, answer in zip(chunk, found, strict=True) if answer is None]
        rest = iter(_documents(left, load_network))
        for request, answer in zip(chunk, found, strict=True):
            yield request, next(rest) if answer is None else answer
        done += len(chunk)
        watch.step(done, sum(map(len, chunks)), chunk[-1].fetched.ticker)


def _in_numpy(requests: Sequence[Request]) -> list[_Answer]:
    """Answers without Keras, for a worker process: each would start a TensorFlow of its own."""
    return _documents(requests, read_forward)


def _tickers(requests: Sequence[Request]) -> str:
    return f"{requests[0].fetched.ticker} to {requests[-1].fetched.ticker}"


def _documents(requests: Sequence[Request], load: Callable[[Path], Network]) -> list[_Answer]:
    return [
        _told(request, coming) if isinstance(coming, Coming | ComingClasses) else coming
        for request, coming in zip(requests, forecast(requests, load), strict=True)
    ]


def _told(request: Request, coming: Coming | ComingClasses) -> _Answer:
    try:
        return _document(request, coming)
    except Exception as failure:
        return as_known(failure, ticker=request.fetched.ticker)


def _document(request: Request, coming: Coming | ComingClasses) -> dict[str, Any]:
    fetched = request.fetched
    origin = fetched.bars.index[-1]
    # Today's money: what a person sees on a screen, not the dividend-adjusted close.
    last_close = float(fetched.history.quotes["close"].loc[origin])
    return {
        "ticker": fetched.ticker,
        "run": request.run,
        "network": request.kind,
        "target": request.target,
        "in_training": request.in_training,
        "source": fetched.source,
        "notice": fetched.notice,
        "origin": f"{origin:%Y-%m-%d}",
        "last_close": last_close,
        "steps": [
            {"step": number + 1, "session": f"{session:%Y-%m-%d}", **told}
            for number, (session, told) in enumerate(
                zip(
                    coming.sessions,
                    _odds(coming)
                    if isinstance(coming, ComingClasses)
                    else _prices(coming, last_close),
                    strict=True,
                )
            )
        ],
        "plot": None,
    }


def _prices(coming: Coming, last_close: float) -> Iterator[dict[str, Any]]:
    """What is said of each session's price."""
    for point, quantiles in zip(coming.point, coming.quantiles, strict=True):
        prices = (last_close * np.exp(quantiles)).tolist()
        yield {
            "predicted": last_close * float(np.exp(point)),
            **dict(zip(QUANTILE_COLUMNS, prices, strict=True)),
            "probability_up": probability_up(quantiles),
        }


def _odds(coming: ComingClasses) -> Iterator[dict[str, Any]]:
    """What is said of each session's class; of prices nothing."""
    for probabilities, usual in zip(coming.probabilities, coming.usual, strict=True):
        named = dict(zip(coming.classes, probabilities.tolist(), strict=True))
        # Of two classes the other says nothing more.
        shown = {name: named[name] for name in named if name != "not_up"}
        yield {
            **dict.fromkeys(("predicted", *QUANTILE_COLUMNS)),
            **{f"probability_{name}": value for name, value in shown.items()},
            "usual": {
                name: share
                for name, share in zip(coming.classes, usual.tolist(), strict=True)
                if name in shown
            },
        }


def _pictured(request: Request, answer: _Answer, home: Path, watch: Watch) -> _Answer:
    if not isinstance(answer, dict):
        return answer
    try:
        return {**answer, "plot": _draw(request, answer, home)}
    except ArtifactError as error:
        # The forecast is told all the same to who may not write.
        watch.notice(f"there is no picture: {error.message}")
        return answer
    except Exception as failure:
        return as_known(failure, ticker=request.fetched.ticker)


def _draw(request: Request, document: Mapping[str, Any], home: Path) -> str:
    """The picture of a forecast as a file, a fan or odds; its path below the home folder."""
    history, ticker = request.fetched.history, request.fetched.ticker
    path = inside(home / "reports", ticker, "predict", f"{document['origin']}-{request.run}.png")
    model = request.kind if request.in_training else f"{request.kind} that never saw {ticker}"
    steps = document["steps"]
    if request.target in CLASSES:
        from forecast.report.coming_odds import draw_coming_odds

        draw_coming_odds(path, steps, ticker=ticker, model=model, origin=document["origin"])
    else:
        from forecast.report.fan import draw_fan

        past = history.quotes["close"].loc[: document["origin"]]
        draw_fan(path, past, steps, ticker=ticker, model=model, currency=history.currency)
    return path.relative_to(home).as_posix()
