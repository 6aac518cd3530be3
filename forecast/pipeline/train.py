"""`train`: bars in, a scored and saved network with its report out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.config import Settings
from forecast.errors import ForecastError, as_known
from forecast.evaluation.forecasts import read_forecasts
from forecast.evaluation.pooled import pool
from forecast.features.windows import RowTable, Windows, concatenate, take_of_each
from forecast.files import inside, staged_folder
from forecast.market.bars import check_ticker
from forecast.networks.learner import give_back_memory
from forecast.networks.training import Fitted, fit, infer
from forecast.pipeline.documents import history_of, run_manifest, saved_inputs
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.group import brief, group_folder, write_group
from forecast.pipeline.many import fetch_all, make_all_ready
from forecast.pipeline.preparing import Prepared, Ready
from forecast.pipeline.processes import for_each
from forecast.pipeline.reporting import Clock, Job, Reported, Shared, report
from forecast.pipeline.scoring import scored_windows
from forecast.pipeline.together import agree, require_apart
from forecast.pipeline.tuned import Tuned, tuned_for
from forecast.pipeline.watch import Watch
from forecast.registry import new_run, promote_each, run_folder, save_run
from forecast.report.run_text import score_lines

PICTURED = 20
"""Of more tickers no pictures are drawn: they take four times as long as the scores."""


@dataclass(frozen=True)
class Run:
    """What came of training one ticker.

    Attributes:
        document: The run as `train --json` prints it.
        report: The page.
        pooled: With several tickers together, what came of all of them: the same for each.
    """

    document: dict[str, Any]
    report: Path
    pooled: dict[str, Any] | None = None

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """Forecast frame of the test part: the network and every baseline."""
        return read_forecasts(self.report.with_name("forecasts.csv"))

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

    def __repr__(self) -> str:
        asked = ", ".join(repr(self.document[name]) for name in ("ticker", "run", "network"))
        return f"Run({asked}, horizon={self.document['horizon']})"

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        return f"<pre>{escape(str(self))}</pre>"


def train(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    together: bool = False,
    untuned: bool = False,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> list[Run | FailedRun]:
    """Train a network for each ticker, or one for all of them together.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/`, `models/` and `reports/` are.
        settings: Everything else.
        together: One network over all tickers that can be prepared; it uses no ticker's tuned
            settings.
        untuned: Do not use the settings that `tune` found.
        as_of: Ticker → snapshot to train on, instead of asking the source.
        watch: Told how it goes.

    Returns:
        One entry a ticker, in the order given; a bad ticker never fails the others.

    Raises:
        ForecastError: with a single ticker, whatever went wrong; with several together, if the
            training itself fails.
    """
    watch = watch or Watch()
    group = partial(
        _train_group,
        home=home,
        settings=settings,
        use_tuned=not (together or untuned),
        as_of=as_of or {},
        watch=watch,
    )
    if together:
        return group(list(dict.fromkeys(check_ticker(ticker) for ticker in tickers)))
    return every(tickers, lambda ticker: group([ticker])[0], watch=watch)


def _train_group(
    tickers: list[str],
    *,
    home: Path,
    settings: Settings,
    use_tuned: bool,
    as_of: Mapping[str, str],
    watch: Watch,
) -> list[Run | FailedRun]:
    """One network over the tickers given, one run a ticker."""
    clock, run = Clock(), new_run()
    with clock.stage("fetch"):
        fetched = fetch_all(tickers, home=home, settings=settings, as_of=as_of, watch=watch)
    results = {one.ticker: one for one in fetched if isinstance(one, FailedRun)}
    tuned = None
    if use_tuned and not isinstance(fetched[0], FailedRun):
        settings, tuned = tuned_for(fetched[0], home=home, settings=settings, watch=watch)
    with clock.stage("features"):
        found = [one for one in fetched if not isinstance(one, FailedRun)]
        boundaries = None
        if len(tickers) > 1:
            boundaries, short = agree(found, settings)
            results |= {ticker: FailedRun(ticker, error) for ticker, error in short.items()}
            found = [one for one in found if one.ticker not in short]
        table = RowTable(sum(one.manifest.rows for one in found))
        made = make_all_ready(
            found,
            home=home,
            settings=settings,
            watch=watch,
            boundaries=boundaries,
            table=table,
            numbered=settings.embedding > 0 and len(found) > 1,
        )
    results |= {one.ticker: one for one in made if isinstance(one, FailedRun)}
    for ticker, failed in results.items():
        if len(tickers) == 1:
            raise failed.error
        watch.notice(f"{ticker} is left out: {failed.error}")
    ready = [one for one in made if isinstance(one, Ready)]
    if len(ready) > 1:
        ready = require_apart(ready)
    if not ready:
        return [results[ticker] for ticker in tickers]
    folder = run_folder(home, [one.ticker for one in ready], run)
    with _tensorboard(home, folder, settings) as logs:
        with clock.stage("fit"):
            watch.stage(f"training {settings.network}")
            parts = _parts(table.whole(), ready)
            # Bars and rows are held by `ready` and `parts` alone from here on, then by `ready`.
            del fetched, found, made, table
            fitted = _fit(parts, ready, settings, logs=logs, watch=watch)
            del parts
        runs = _report_on(ready, fitted, home, folder, settings, tuned, clock, watch)
    return [(results | runs)[ticker] for ticker in tickers]


def _report_on(
    ready: list[Ready],
    fitted: Fitted,
    home: Path,
    folder: Path,
    settings: Settings,
    tuned: Tuned | None,
    clock: Clock,
    watch: Watch,
) -> dict[str, Run | FailedRun]:
    """Score every ticker, write its report, save the run; the rows of `ready` are given up."""
    run = folder.name
    watch.stage("scoring beside the baselines, writing the report")
    together = len(ready) > 1
    shared = Shared(
        data=settings.data(home),
        run=run,
        folder=folder.relative_to(home),
        snapshots={one.ticker: one.fetched.snapshot for one in ready},
        settings=settings,
        tuned=None if tuned is None else tuned.as_document(),
        history=history_of(fitted),
        pictures=len(ready) <= PICTURED,
        listed=group_folder(run) / "tickers.txt" if len(ready) > PICTURED else None,
    )
    with ExitStack() as stack:
        staged: dict[str, ExitStack] = {}

        def jobs() -> Iterator[Job | ForecastError]:
            for place, one in enumerate(ready):
                staged[one.ticker] = own = stack.enter_context(ExitStack())
                stage = own.enter_context(staged_folder(inside(home / "reports", one.ticker, run)))
                timed = clock.copy()
                bare = ready[place] = one.without_rows()
                try:
                    with timed.stage("score"):
                        answers = infer(fitted.model, scored_windows(one), head=fitted.head)
                except Exception as failure:
                    yield as_known(failure, ticker=one.ticker)
                else:
                    yield Job(bare, answers, stage, timed, shared)

        done: list[tuple[Ready, Reported]] = []
        failed: dict[str, FailedRun] = {}
        days: list[pd.DataFrame] = []
        for number, (one, result) in enumerate(
            zip(
                ready,
                for_each(report, jobs(), named=attrgetter("ready.ticker"), count=len(ready)),
                strict=True,
            ),
            start=1,
        ):
            watch.step(number, len(ready), one.ticker)
            if isinstance(result, ForecastError):
                if not together:
                    raise result
                watch.notice(f"{one.ticker} is left out: {result}")
                failed[one.ticker] = FailedRun(one.ticker, result)
                staged[one.ticker].__exit__(type(result), result, None)
            else:
                reported, own = result
                # Added up as they come: the losses of all tickers would take what the rows take.
                days = [pool([*days, own])]
                done.append((ready[number - 1], reported))
        pooled = None
        if together and done:
            # Pictures and tests are imported now, on top of what training left.
            give_back_memory()
            stage = stack.enter_context(staged_folder(home / group_folder(run)))
            pooled = write_group(stage, done, days[0], shared, fitted, clock=clock)
        # Of a network that gave nothing for any ticker nothing is kept.
        if done:
            _save(home / folder, done, fitted, shared, together=together)
    promote_each(home, [one.ticker for one, _ in done], run, reason="trained by hand")
    runs = {
        one.ticker: Run(result.document, home / result.document["report"], pooled)
        for one, result in done
    }
    return {**failed, **runs}


def _save(
    folder: Path,
    done: Sequence[tuple[Ready, Reported]],
    fitted: Fitted,
    shared: Shared,
    *,
    together: bool,
) -> None:
    """The run's folder: network, inputs and calibration of each ticker, manifest, metrics."""
    kept, results = [one for one, _ in done], [result for _, result in done]
    manifest = run_manifest(kept, fitted, run=shared.run, settings=shared.settings)
    documents = [result.document for result in results]
    save_run(
        folder,
        save_network=fitted.model.save,
        inputs=saved_inputs(kept, results),
        manifest={**manifest, "tuned": shared.tuned},
        metrics={"runs": [brief(one) if together else one for one in documents]},
    )


def fit_network(prepared: Sequence[Prepared], settings: Settings, *, watch: Watch) -> Fitted:
    """One network trained on the training parts of these tickers.

    Raises:
        TrainingError: if the loss is no longer a finite number.
    """
    parts = _parts(concatenate([one.windows for one in prepared]), prepared)
    return _fit(parts, prepared, settings, watch=watch)


def _parts(whole: Windows, prepared: Sequence[Prepared | Ready]) -> tuple[Windows, Windows]:
    """Training and validation part out of the windows of all tickers; they share its rows."""
    counts = [len(one.windows) for one in prepared]
    return (
        take_of_each(whole, counts, [one.split.train for one in prepared]),
        take_of_each(whole, counts, [one.split.validation for one in prepared]),
    )


def _fit(
    parts: tuple[Windows, Windows],
    prepared: Sequence[Prepared | Ready],
    settings: Settings,
    *,
    logs: Path | None = None,
    watch: Watch,
) -> Fitted:
    return fit(
        *parts,
        network=settings.network,
        context=settings.context,
        outputs=settings.outputs,
        units=settings.units,
        dropout=settings.dropout,
        l2=settings.l2,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        patience=settings.patience,
        seed=settings.seed,
        batch=settings.batch,
        precision=settings.precision,
        embedding=settings.embedding if prepared[0].inputs.number is not None else 0,
        balanced=settings.balanced and len(prepared) > 1,
        head=settings.head_name,
        class_weight=settings.class_weight,
        centred=all(one.inputs.target.centred for one in prepared),
        on_epoch=watch.epoch,
        logs=logs,
    )


@contextmanager
def _tensorboard(home: Path, folder: Path, settings: Settings) -> Iterator[Path | None]:
    """Where TensorBoard's logs of the run in this folder belong; they go where the run fails."""
    if not settings.tensorboard:
        yield None
        return
    logs = home / "reports" / "tensorboard" / folder.parent.name / folder.name
    try:
        yield logs
    except BaseException:
        shutil.rmtree(logs, ignore_errors=True)
        raise
