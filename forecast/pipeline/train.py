"""`train`: bars in, a scored and saved network with its report out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.baselines import BASELINES
from forecast.config import Settings
from forecast.errors import ForecastError
from forecast.evaluation.forecasts import forecast_frame, outcomes, write_forecasts
from forecast.evaluation.scores import as_rows, naive_scale, score_table
from forecast.evaluation.verdict import Verdict, verdict
from forecast.features.inputs import DEFAULT_FEATURES, Inputs, feature_rows, fit_inputs
from forecast.features.splits import Split
from forecast.features.targets import Prediction
from forecast.features.windows import Windows, concatenate
from forecast.files import inside, staged_folder, write_json
from forecast.market.bars import check_ticker
from forecast.market.fetching import Fetched, fetch_one
from forecast.networks.training import Epoch, Fitted, fit, infer
from forecast.pipeline.provenance import (
    command,
    data_hash,
    git_commit,
    settings_document,
    versions,
)
from forecast.pipeline.watch import Watch
from forecast.registry import new_run, run_folder, save_run, set_champion
from forecast.report.text import score_lines


@dataclass(frozen=True)
class Run:
    """What came of training one ticker.

    Attributes:
        document: The run as `train --json` prints it.
        forecasts: Forecast frame of the test part: the network and every baseline.
        report: The page.
    """

    document: dict[str, Any]
    forecasts: pd.DataFrame
    report: Path

    @property
    def scores(self) -> pd.DataFrame:
        """Model × step, one column a metric; `docs/metrics.md` defines each."""
        return pd.DataFrame(self.document["scores"])

    @property
    def verdict(self) -> str:
        """The sentence: did the network beat what a child would guess?"""
        return str(self.document["verdict"]["text"])

    def __str__(self) -> str:
        return "\n".join(score_lines(self.document))


@dataclass(frozen=True)
class FailedRun:
    """A ticker that could not be trained, and why."""

    ticker: str
    error: ForecastError


def train(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    together: bool = False,
    watch: Watch | None = None,
) -> list[Run | FailedRun]:
    """Train a network for each ticker, or one for all of them together.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/`, `models/` and `reports/` are.
        settings: Everything else.
        together: One network over all tickers; then one bad ticker fails all.
        watch: Told how it goes.

    Returns:
        One entry a ticker, in the order given. Without `together` one bad ticker never fails the
        others.

    Raises:
        ForecastError: with `together`, or with a single ticker, whatever went wrong.
    """
    names = list(dict.fromkeys(check_ticker(ticker) for ticker in tickers))
    watch = watch or Watch()
    if together or len(names) == 1:
        return list(_train_group(names, home=home, settings=settings, watch=watch))
    results: list[Run | FailedRun] = []
    for name in names:
        try:
            results += _train_group([name], home=home, settings=settings, watch=watch)
        except ForecastError as error:
            watch.notice(f"{name} failed: {error}")
            results.append(FailedRun(name, error))
    return results


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def document(self) -> dict[str, float]:
        return {**self.seconds, "total": time.perf_counter() - self.begun}


@dataclass(frozen=True)
class _Prepared:
    """One ticker on its way through training."""

    fetched: Fetched
    inputs: Inputs
    split: Split
    windows: Windows

    @property
    def ticker(self) -> str:
        return self.fetched.ticker

    def part(self, name: str) -> Windows:
        return self.windows.take(getattr(self.split, name))


@dataclass(frozen=True)
class _Scored:
    forecasts: pd.DataFrame
    scores: list[dict[str, object]]
    verdict: Verdict


def _train_group(
    tickers: list[str], *, home: Path, settings: Settings, watch: Watch
) -> Iterator[Run]:
    """One network over the tickers given, one run a ticker."""
    clock, run = _Clock(), new_run()
    with clock.stage("fetch"):
        watch.stage(f"fetching {', '.join(tickers)}")
        fetched = [
            fetch_one(ticker, data=home / "data", source=settings.source) for ticker in tickers
        ]
        for one in fetched:
            if one.notice:
                watch.notice(one.notice)
    with clock.stage("features"):
        watch.stage("computing indicators")
        prepared = [_prepare(one, settings) for one in fetched]
    with clock.stage("fit"):
        watch.stage(f"training {settings.network}")
        fitted = _fit(prepared, settings, logs=_logs(home, tickers, run, settings), watch=watch)
    with clock.stage("score"):
        watch.stage("scoring beside the baselines")
        scored = [_score(one, fitted, settings) for one in prepared]
    with ExitStack() as stack:
        folders = {
            one.ticker: inside(home / "reports", one.ticker, run) for one in prepared
        }
        stages = {
            ticker: stack.enter_context(staged_folder(folder)) for ticker, folder in folders.items()
        }
        documents = {
            one.ticker: _document(one, result, run, tickers, home, settings)
            for one, result in zip(prepared, scored, strict=True)
        }
        with clock.stage("report"):
            watch.stage("drawing the report")
            for one, result in zip(prepared, scored, strict=True):
                _report(stages[one.ticker], documents[one.ticker], one, result, fitted, clock)
        for ticker, document in documents.items():
            document["seconds"] = clock.document()
            write_json(stages[ticker] / "metrics.json", document)
        save_run(
            run_folder(home, tickers, run),
            save_network=fitted.model.save,
            inputs={one.ticker: one.inputs.as_document() for one in prepared},
            manifest=_manifest(prepared, run, fitted, settings),
            metrics={"runs": list(documents.values())},
        )
    for one, result in zip(prepared, scored, strict=True):
        set_champion(home, one.ticker, run)
        yield Run(documents[one.ticker], result.forecasts, folders[one.ticker] / "index.html")


def _prepare(fetched: Fetched, settings: Settings) -> _Prepared:
    inputs, split = fit_inputs(
        fetched.bars,
        ticker=fetched.ticker,
        feature_names=settings.features or DEFAULT_FEATURES[settings.target],
        lookback=settings.lookback,
        horizon=settings.horizon,
        target=settings.target,
    )
    return _Prepared(fetched, inputs, split, inputs.windows(fetched.bars, ticker=fetched.ticker))


def _fit(
    prepared: Sequence[_Prepared], settings: Settings, *, logs: Path | None, watch: Watch
) -> Fitted:
    return fit(
        concatenate([one.part("train") for one in prepared]),
        concatenate([one.part("validation") for one in prepared]),
        network=settings.network,
        units=settings.units,
        dropout=settings.dropout,
        l2=settings.l2,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        patience=settings.patience,
        seed=settings.seed,
        on_epoch=watch.epoch,
        logs=logs,
    )


def _score(one: _Prepared, fitted: Fitted, settings: Settings) -> _Scored:
    """Forecasts of the network and of every baseline on the test origins, and their scores."""
    bars, windows = one.fetched.bars, one.part("test")
    origins = windows.origin
    # The last bar that anything may be fitted on: the outcome of the last training origin.
    last_training = one.part("train").origin[-1]
    fitted_until = bars.index[bars.index.get_loc(last_training) + settings.horizon]
    features = feature_rows(bars, one.inputs.feature_names, ticker=one.ticker)
    sessions, actual = outcomes(bars, origins, horizon=settings.horizon)
    close = bars["close"].loc[origins].to_numpy()

    def frame(model: str, prediction: Prediction) -> pd.DataFrame:
        return forecast_frame(
            prediction,
            ticker=one.ticker,
            model=model,
            close=close,
            origins=origins,
            sessions=sessions,
            actual=actual,
        )

    network = one.inputs.decode(infer(fitted.model, windows), bars, origins)
    frames = [frame(settings.network, network)]
    for name, baseline in BASELINES.items():
        prediction = baseline(
            bars, origins, horizon=settings.horizon, fitted_until=fitted_until, features=features
        )
        frames.append(frame(name, prediction))
    forecasts = pd.concat(frames, ignore_index=True)
    scale = naive_scale(bars["close"].loc[:fitted_until])
    table = score_table(forecasts, naive_mae={one.ticker: scale})
    return _Scored(forecasts, as_rows(table), verdict(table, model=settings.network))


def _report(
    folder: Path,
    document: dict[str, Any],
    one: _Prepared,
    result: _Scored,
    fitted: Fitted,
    clock: _Clock,
) -> None:
    from forecast.report.html import write_report

    write_forecasts(folder / "forecasts.csv", result.forecasts)
    plots = write_report(
        folder,
        document={**document, "seconds": clock.document()},
        forecasts=result.forecasts,
        bars=one.fetched.bars,
        history=_history(fitted),
    )
    report = Path(document["report"]).parent
    document["plots"] = [(report / path.name).as_posix() for path in plots if path.suffix == ".png"]


def _document(
    one: _Prepared, result: _Scored, run: str, tickers: list[str], home: Path, settings: Settings
) -> dict[str, Any]:
    """The run as `train --json` prints it; seconds and plots are added as they come."""
    ticker, fetched = one.ticker, one.fetched
    extra = ["--together"] if len(tickers) > 1 else []
    return {
        "ticker": ticker,
        "run": run,
        "source": fetched.source,
        "network": settings.network,
        "target": settings.target,
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        "split": {name: _span(one.part(name)) for name in ("train", "validation", "test")},
        "scores": result.scores,
        "verdict": result.verdict.as_document(),
        "report": f"reports/{ticker}/{run}/index.html",
        "plots": [],
        "model": run_folder(home, tickers, run).relative_to(home).as_posix(),
        "snapshot": fetched.snapshot,
        "currency": fetched.history.currency,
        "notice": fetched.notice,
        "findings": [finding.as_document() for finding in fetched.findings],
        "settings": settings_document(settings),
        "command": command("train", tickers, settings, *extra),
        "versions": versions(),
    }


def _manifest(
    prepared: Sequence[_Prepared], run: str, fitted: Fitted, settings: Settings
) -> dict[str, Any]:
    return {
        "run": run,
        "network": settings.network,
        "target": settings.target,
        "horizon": settings.horizon,
        "settings": settings_document(settings),
        "seed": settings.seed,
        "git_commit": git_commit(),
        "versions": versions(),
        "training": _history(fitted),
        "tickers": {
            one.ticker: {
                "source": one.fetched.source,
                "snapshot": one.fetched.snapshot,
                "data_sha256": data_hash(one.fetched.bars),
                "first": f"{one.fetched.bars.index[0]:%Y-%m-%d}",
                "last": f"{one.fetched.bars.index[-1]:%Y-%m-%d}",
                "sessions": len(one.fetched.bars),
            }
            for one in prepared
        },
    }


def _history(fitted: Fitted) -> dict[str, Any]:
    return {
        "loss": fitted.loss,
        "val_loss": fitted.validation_loss,
        "learning_rate": fitted.learning_rate,
        "kept_epoch": fitted.kept_epoch,
    }


def _span(windows: Windows) -> dict[str, Any]:
    first, last = windows.origin[[0, -1]].strftime("%Y-%m-%d")
    return {"first": first, "last": last, "origins": len(windows)}


def _logs(home: Path, tickers: list[str], run: str, settings: Settings) -> Path | None:
    if not settings.tensorboard:
        return None
    return home / "reports" / "tensorboard" / run_folder(home, tickers, run).parent.name / run
