"""`evaluate`: walk forward through a history, retrained in each fold, and trade on it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.evaluation.backtest import Backtest, backtest
from forecast.evaluation.ranking import Ruler
from forecast.evaluation.scores import as_rows
from forecast.files import inside, write_atomically
from forecast.market.fetching import Fetched
from forecast.pipeline.contests import Contest, contest_of
from forecast.pipeline.documents import span_of
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.finished import PAGE, bars_document, finish, finished
from forecast.pipeline.folds import Fold, Pooled, forecast_folds, key_of, make_folds
from forecast.pipeline.kept import deciding, seeds_of
from forecast.pipeline.provenance import command, versions
from forecast.pipeline.readers import VERBS
from forecast.pipeline.watch import Watch
from forecast.report.evaluation_text import evaluation_lines

_RESULT = "evaluation.json"


@dataclass(frozen=True)
class Evaluation:
    """What came of evaluating one ticker.

    Attributes:
        document: As `evaluate --json` prints it.
        forecasts: Of all test parts, the seeds' mean and every baseline: a forecast frame, or class
            forecasts.
        report: The page.
    """

    document: dict[str, Any]
    forecasts: pd.DataFrame
    report: Path

    def __str__(self) -> str:
        return "\n".join(evaluation_lines(self.document))


def evaluate(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> list[Evaluation | FailedRun]:
    """Walk-forward scores of each ticker, the network retrained in each fold, and the backtest.

    Every finished fold and seed is kept under `reports/<ticker>/evaluate/<key>/`: an interrupted
    evaluation goes on where it was, and a finished one is not done again.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/` and `reports/` are.
        settings: Everything else.
        as_of: Ticker → snapshot to evaluate on, instead of asking the source.
        watch: Told how it goes.

    Returns:
        One entry a ticker, in the order given; a bad one never fails the others.

    Raises:
        ForecastError: with a single ticker, whatever went wrong.
    """
    watch = watch or Watch()
    one = partial(_evaluate, home=home, settings=settings, as_of=as_of, watch=watch)
    return every(tickers, one, watch=watch)


def _evaluate(
    ticker: str,
    *,
    home: Path,
    settings: Settings,
    as_of: Mapping[str, str] | None,
    watch: Watch,
) -> Evaluation:
    begun = time.perf_counter()
    watch.stage(f"fetching {ticker}")
    fetched = fetch_for(ticker, home=home, settings=settings, as_of=as_of)
    if fetched.notice:
        watch.notice(fetched.notice)
    key = key_of(fetched.bars, settings)
    folder = inside(home / "reports", ticker, "evaluate", key)
    contest = contest_of(settings.target)
    if known := finished(
        folder / _RESULT,
        asked=deciding(settings, VERBS["evaluate"]),
        forecasts=folder / contest.file,
        read=contest.read,
    ):
        watch.stage(f"{ticker} was evaluated before: nothing to do")
        return Evaluation(*known)
    folds = make_folds(fetched, settings)
    pooled = forecast_folds(folds, folder, contest=contest, settings=settings, watch=watch)
    watch.stage("trading on the forecasts")
    traded = backtest(
        pooled.forecasts,
        fetched.bars,
        model=settings.network,
        trade=settings.trade,
        cost=settings.cost,
        positions=contest.positions,
    )
    watch.stage("scoring beside the baselines")
    document = {
        "ticker": ticker,
        "key": key,
        "status": "evaluated",
        **_scores(folds, pooled, contest, settings),
        "backtest": _trades(traded, settings),
        **_provenance(fetched, settings),
        "report": (folder / PAGE).relative_to(home).as_posix(),
        "plots": [],
        "seconds": {},
    }
    watch.stage("drawing the report")
    _write(folder, document, pooled.forecasts, contest, traded, begun=begun, home=home)
    return Evaluation(document, pooled.forecasts, home / document["report"])


def _scores(
    folds: Sequence[Fold], pooled: Pooled, contest: Contest, settings: Settings
) -> dict[str, Any]:
    by_fold, by_seed = _parts(folds, pooled, contest, settings)
    judged = contest.judge(pooled.forecasts, folds[0].one, settings.network)
    return {
        "network": settings.network,
        "target": settings.target,
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        "folds": by_fold,
        "scores": judged.scores,
        "seeds": by_seed,
        "verdict": judged.verdict.as_document(),
        **judged.detail,
    }


def _parts(
    folds: Sequence[Fold], pooled: Pooled, contest: Contest, settings: Settings
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Scores at the last step of each fold, and of each seed with their mean and spread."""
    seeds = {f"seed {seed}": seed for seed in seeds_of(settings)}
    single = [pooled.by_seed[seed].assign(model=name) for name, seed in seeds.items()]
    frame = pd.concat([pooled.forecasts, *single], ignore_index=True)
    frame = frame[frame["step"] == settings.horizon]
    numbers = pd.Series(
        np.repeat([fold.number for fold in folds], [len(fold.one.split.test) for fold in folds]),
        index=np.concatenate([fold.one.part("test").origin for fold in folds]),
    )
    of_fold = frame["origin"].map(numbers).rename("fold")
    in_folds = contest.by(frame, of_fold)
    whole = contest.by(frame, pd.Series("all", index=frame.index, name="fold"))
    of_seed = [name for name in contest.shown if not name.startswith("dm_p_")]
    by_fold = []
    for fold in folds:
        rows = in_folds[in_folds["fold"] == fold.number].set_index("model")
        by_fold.append(
            {
                "fold": fold.number,
                **span_of(fold.one.part("test")),
                **{name: span_of(fold.one.part(name)) for name in ("train", "validation")},
                **as_rows(rows.loc[[settings.network], [*contest.shown]])[0],
                **contest.fold(frame[of_fold == fold.number], fold.one, settings.network),
                "seeds": as_rows(rows.loc[list(seeds), of_seed].assign(seed=list(seeds.values()))),
            }
        )
    own = whole.set_index("model").loc[list(seeds), of_seed]
    rows = own.assign(seed=list(seeds.values()))[["seed", *of_seed]]
    spread = own.std(ddof=1)
    return by_fold, {
        "seeds": list(seeds.values()),
        "rows": as_rows(rows),
        "mean": as_rows(own.mean().to_frame().T)[0],
        "spread": as_rows(spread.to_frame().T)[0],
        "text": _seeds_text(own, spread, by_fold, contest.ruler),
    }


def _seeds_text(
    own: pd.DataFrame, spread: pd.Series, by_fold: list[dict[str, Any]], ruler: Ruler
) -> str:
    words = []
    for key, what in (
        (f"skill_{ruler.loss}", ruler.spread),
        (f"skill_{ruler.second}", ruler.price),
    ):
        if own[key].isna().any():
            words.append(f"Skill of the {what}: none, for its reference never errs.")
            continue
        mean = f"{100 * own[key].mean():+.2f}".replace("-", "−")
        better = sum((fold[key] or 0.0) > 0 for fold in by_fold)
        around = f" ± {100 * spread[key]:.2f}" if len(own) > 1 else ""
        words.append(
            f"Skill of the {what}: {mean}{around} % over {len(own)} "
            f"{'seeds' if len(own) > 1 else 'seed'}, above zero in {better} of {len(by_fold)} "
            "folds."
        )
    return " ".join(words)


def _trades(traded: Backtest, settings: Settings) -> dict[str, Any]:
    sessions = traded.paths["session"]
    return {
        "trade": settings.trade,
        "cost": settings.cost,
        "first": f"{sessions.iloc[0]:%Y-%m-%d}",
        "last": f"{sessions.iloc[-1]:%Y-%m-%d}",
        "sessions": int(sessions.nunique()),
        "sessions_a_year": traded.sessions_a_year,
        "trials": traded.trials,
        "text": traded.text,
        "rows": as_rows(traded.table),
    }


def _provenance(fetched: Fetched, settings: Settings) -> dict[str, Any]:
    return {
        **bars_document(fetched),
        "settings": deciding(settings, VERBS["evaluate"]),
        "command": command(
            "evaluate",
            [fetched.ticker],
            settings,
            f"--as-of={fetched.ticker}={fetched.snapshot}",
        ),
        "versions": versions(),
    }


def _write(
    folder: Path,
    document: dict[str, Any],
    forecasts: pd.DataFrame,
    contest: Contest,
    traded: Backtest,
    *,
    begun: float,
    home: Path,
) -> None:
    """Everything into the folder; `evaluation.json` goes first and comes last."""
    from forecast.report.evaluation_page import write_evaluation

    (folder / _RESULT).unlink(missing_ok=True)
    contest.write(folder / contest.file, forecasts)
    table = traded.paths.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    write_atomically(folder / "backtest.csv", table.encode())
    draw = partial(
        write_evaluation,
        folder,
        document=document,
        forecasts=forecasts,
        paths=traded.paths,
    )
    finish(folder / _RESULT, document, draw, begun=begun, home=home)
