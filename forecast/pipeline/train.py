"""`train`: bars in, a scored and saved network with its report out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.config import Settings
from forecast.evaluation.audit import as_document, require_no_leak
from forecast.evaluation.forecasts import write_forecasts
from forecast.features.windows import concatenate
from forecast.files import inside, staged_folder, write_json
from forecast.market.bars import check_ticker
from forecast.networks.training import Fitted, fit
from forecast.pipeline.documents import history_of, run_document, run_manifest, saved_inputs
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.preparing import Prepared, prepare
from forecast.pipeline.scoring import score
from forecast.pipeline.watch import Watch
from forecast.registry import new_run, promote, run_folder, save_run
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


def train(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    together: bool = False,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> list[Run | FailedRun]:
    """Train a network for each ticker, or one for all of them together.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/`, `models/` and `reports/` are.
        settings: Everything else.
        together: One network over all tickers; then one bad ticker fails all.
        as_of: Ticker → snapshot to train on, instead of asking the source.
        watch: Told how it goes.

    Returns:
        One entry a ticker, in the order given. Without `together` one bad ticker never fails the
        others.

    Raises:
        ForecastError: with `together`, or with a single ticker, whatever went wrong.
    """
    watch = watch or Watch()
    group = partial(_train_group, home=home, settings=settings, as_of=as_of or {}, watch=watch)
    if together:
        return list(group(list(dict.fromkeys(check_ticker(ticker) for ticker in tickers))))
    return every(tickers, lambda ticker: group([ticker])[0], watch=watch)


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


def _train_group(
    tickers: list[str],
    *,
    home: Path,
    settings: Settings,
    as_of: Mapping[str, str],
    watch: Watch,
) -> list[Run]:
    """One network over the tickers given, one run a ticker."""
    clock, run = _Clock(), new_run()
    folder = run_folder(home, tickers, run).relative_to(home)
    with clock.stage("fetch"):
        watch.stage(f"fetching {', '.join(tickers)}")
        fetched = [
            fetch_for(ticker, home=home, settings=settings, as_of=as_of) for ticker in tickers
        ]
        for notice in (one.notice for one in fetched if one.notice):
            watch.notice(notice)
    with clock.stage("features"):
        watch.stage("computing indicators")
        prepared = [prepare(one, settings) for one in fetched]
        watch.stage("looking for leaks")
        audits = [
            require_no_leak(one.bars, one.inputs, one.split, ticker=one.ticker) for one in prepared
        ]
    with clock.stage("fit"):
        watch.stage(f"training {settings.network}")
        logs = _logs(home, tickers, run, settings)
        fitted = fit_network(prepared, settings, logs=logs, watch=watch)
    with clock.stage("score"):
        watch.stage("scoring beside the baselines")
        scored = [score(one, fitted, network=settings.network) for one in prepared]
    snapshots = {each.ticker: each.snapshot for each in fetched}
    documents = [
        run_document(
            one,
            result,
            run=run,
            folder=folder,
            snapshots=snapshots,
            settings=settings,
            audit=as_document(checks),
        )
        for one, result, checks in zip(prepared, scored, audits, strict=True)
    ]
    with ExitStack() as stack:
        stages = [
            stack.enter_context(staged_folder(inside(home / "reports", one.ticker, run)))
            for one in prepared
        ]
        with clock.stage("report"):
            watch.stage("drawing the report")
            for stage, document, one, result in zip(
                stages, documents, prepared, scored, strict=True
            ):
                document["seconds"] = clock.document()
                _report(stage, document, one, result.forecasts, fitted)
        for stage, document in zip(stages, documents, strict=True):
            document["seconds"] = clock.document()
            write_json(stage / "metrics.json", document)
        save_run(
            home / folder,
            save_network=fitted.model.save,
            inputs=saved_inputs(prepared, scored),
            manifest=run_manifest(prepared, fitted, run=run, settings=settings),
            metrics={"runs": documents},
        )
    for one in prepared:
        promote(home, one.ticker, run, reason="trained by hand")
    return [
        Run(document, result.forecasts, home / document["report"])
        for document, result in zip(documents, scored, strict=True)
    ]


def fit_network(
    prepared: Sequence[Prepared], settings: Settings, *, logs: Path | None = None, watch: Watch
) -> Fitted:
    """One network trained on the training parts of these tickers.

    Raises:
        TrainingError: if the loss is no longer a finite number.
    """
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
        centred=all(one.inputs.target.centred for one in prepared),
        on_epoch=watch.epoch,
        logs=logs,
    )


def _report(
    folder: Path, document: dict[str, Any], one: Prepared, forecasts: pd.DataFrame, fitted: Fitted
) -> None:
    """Forecasts, pictures and page into the folder; the pictures' names into the document."""
    from forecast.report.html import write_report

    write_forecasts(folder / "forecasts.csv", forecasts)
    written = write_report(
        folder, document=document, forecasts=forecasts, bars=one.bars, history=history_of(fitted)
    )
    report = Path(document["report"]).parent
    document["plots"] = [
        (report / path.name).as_posix() for path in written if path.suffix == ".png"
    ]


def _logs(home: Path, tickers: list[str], run: str, settings: Settings) -> Path | None:
    if not settings.tensorboard:
        return None
    return home / "reports" / "tensorboard" / run_folder(home, tickers, run).parent.name / run
