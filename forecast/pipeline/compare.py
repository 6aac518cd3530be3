"""`compare`: several networks and all baselines on the same forecasts."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings, changed
from forecast.errors import ConfigError
from forecast.evaluation.ranking import Answer, Gain, which_network
from forecast.evaluation.scores import as_rows
from forecast.files import inside
from forecast.networks.architectures import NETWORKS
from forecast.pipeline.contests import Contest, contest_of
from forecast.pipeline.documents import span_of
from forecast.pipeline.entrants import Entrant, train_entrants
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.finished import PAGE, bars_document, finish, finished
from forecast.pipeline.kept import deciding, kept, key_of, seeds_of
from forecast.pipeline.preparing import PARTS, Prepared, prepare
from forecast.pipeline.provenance import command, versions
from forecast.pipeline.readers import VERBS, Reader
from forecast.pipeline.watch import Watch
from forecast.report.comparison_text import comparison_lines

_RESULT = "comparison.json"


@dataclass(frozen=True)
class Comparison:
    """What came of comparing networks on one ticker.

    Attributes:
        document: As `compare --json` prints it.
        forecasts: Forecast frame of the test part: every network's mean over its seeds, then every
            baseline.
        report: The page.
    """

    document: dict[str, Any]
    forecasts: pd.DataFrame
    report: Path

    def __str__(self) -> str:
        return "\n".join(comparison_lines(self.document))


def compare(
    tickers: Sequence[str],
    *,
    home: Path,
    settings: Settings,
    networks: Sequence[str] | None = None,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> list[Comparison | FailedRun]:
    """Train each network with each seed on each ticker, and rank them by their spread.

    Every finished training is kept under `reports/<ticker>/compare/<key>/`: an interrupted
    comparison goes on where it was, and a finished one is not done again. No network is saved:
    `train` makes the champion.

    Args:
        tickers: Such as `AAPL`.
        home: Where `data/` and `reports/` are.
        settings: All but the network.
        networks: Keys of `NETWORKS`; None means all.
        as_of: Ticker → snapshot to train on, instead of asking the source.
        watch: Told how it goes.

    Returns:
        One entry a ticker, in the order given; a bad one never fails the others.

    Raises:
        ConfigError: if a network is unknown, or cannot be trained with these settings.
        ForecastError: with a single ticker, whatever went wrong.
    """
    names = list(dict.fromkeys(NETWORKS if networks is None else networks))
    if not names:
        raise ConfigError(
            "a comparison needs a network. Received none.",
            hint=f"--networks {','.join(list(NETWORKS)[:3])}",
        )
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        raise ConfigError(
            f"every network must be one of {', '.join(NETWORKS)}. Received {unknown[0]!r}.",
            hint=f"--networks {','.join(list(NETWORKS)[:3])}",
        )
    for name in names:
        changed(settings, network=name)
    watch = watch or Watch()
    one = partial(_compare, networks=names, home=home, settings=settings, as_of=as_of, watch=watch)
    return every(tickers, one, watch=watch)


def _compare(
    ticker: str,
    *,
    networks: list[str],
    home: Path,
    settings: Settings,
    as_of: Mapping[str, str] | None,
    watch: Watch,
) -> Comparison:
    begun = time.perf_counter()
    watch.stage(f"fetching {ticker}")
    fetched = fetch_for(ticker, home=home, settings=settings, as_of=as_of)
    if fetched.notice:
        watch.notice(fetched.notice)
    contest = contest_of(settings.target)
    # Network and seed name the file of a training.
    key = key_of(fetched.bars, deciding(settings, {Reader.TRAINING}, but={"seed"}))
    folder = inside(home / "reports", ticker, "compare", key)
    if known := finished(
        folder / _RESULT,
        asked=_asked(networks, settings),
        forecasts=folder / contest.file,
        read=contest.read,
        usable=lambda document: not any(one["error"] for one in document["networks"].values()),
    ):
        watch.stage(f"{ticker} was compared before: nothing to do")
        return Comparison(*known)
    one = prepare(fetched, settings)
    entrants = train_entrants(
        one, networks, folder, contest=contest, settings=settings, watch=watch
    )
    done = [entrant for entrant in entrants if entrant.error is None]
    if not done:
        raise next(entrant.error for entrant in entrants if entrant.error is not None)
    watch.stage("scoring beside the baselines")
    baselines = kept(
        folder / "baselines.csv",
        one,
        partial(contest.baselines, one),
        read=contest.read,
        write=contest.write,
    )
    means = [
        contest.mean([each.forecasts for each in entrant.trainings], one, settings)
        for entrant in done
    ]
    forecasts = pd.concat([*means, baselines], ignore_index=True)
    by_seed = _by_seed(done, baselines, contest, step=settings.horizon)
    answer = _answer(forecasts, by_seed, contest, step=settings.horizon)
    table = contest.scores(forecasts, one)
    facts = {entrant.network: _facts(entrant, by_seed) for entrant in entrants}
    document = {
        "ticker": ticker,
        "key": key,
        "status": "compared",
        **_scores(one, table, answer, facts, contest, settings),
        **_provenance(one, networks, settings),
        "report": (folder / PAGE).relative_to(home).as_posix(),
        "plots": [],
        "seconds": {},
    }
    watch.stage("drawing the report")
    _write(folder, document, forecasts, contest, begun=begun, home=home)
    return Comparison(document, forecasts, home / document["report"])


def _asked(networks: list[str], settings: Settings) -> dict[str, Any]:
    """What a finished comparison must have been asked for to stand for this one."""
    return deciding(settings, VERBS["compare"]) | {"networks": networks}


def _by_seed(
    done: list[Entrant], baselines: pd.DataFrame, contest: Contest, *, step: int
) -> pd.DataFrame:
    """Mean loss and skills of each training at this step; index network and seed."""
    names = {
        f"{entrant.network} {training.seed}": (entrant.network, training.seed)
        for entrant in done
        for training in entrant.trainings
    }
    single = [
        training.forecasts.assign(model=f"{entrant.network} {training.seed}")
        for entrant in done
        for training in entrant.trainings
    ]
    frame = pd.concat([*single, baselines], ignore_index=True)
    ruler = contest.ruler
    losses = {name: contest.losses(frame, step, name).mean() for name in (ruler.loss, ruler.second)}
    rivals = contest.references(contest.losses(baselines, step, ruler.loss))
    rows = {ruler.loss: losses[ruler.loss][list(names)]} | {
        # No skill beside a reference that never errs.
        f"skill_{name}": 1 - mean[list(names)] / (mean[rival] or np.nan)
        for (name, mean), rival in zip(losses.items(), rivals, strict=True)
    }
    index = pd.MultiIndex.from_tuples(names.values(), names=["network", "seed"])
    return pd.DataFrame(rows).set_axis(index)


def _answer(
    forecasts: pd.DataFrame, by_seed: pd.DataFrame, contest: Contest, *, step: int
) -> Answer:
    ruler = contest.ruler
    losses = contest.losses(forecasts, step, ruler.loss)
    return which_network(
        losses,
        contest.losses(forecasts, step, ruler.second),
        ruler=ruler,
        reference=contest.references(losses)[1],
        networks=list(by_seed.index.unique("network")),
        step=step,
        skills=by_seed[f"skill_{ruler.loss}"],
    )


def _facts(entrant: Entrant, by_seed: pd.DataFrame) -> dict[str, Any]:
    """What the document says of a network beside its scores."""
    if entrant.error is not None:
        return {"error": entrant.error.as_document()}
    facts = [training.facts for training in entrant.trainings]
    own = by_seed[by_seed.index.get_level_values("network") == entrant.network]
    startups = [one.startup for one in facts if one.startup is not None]
    return {
        "error": None,
        "parameters": facts[0].parameters,
        "seconds": sum(one.seconds for one in facts) / len(facts),
        "startup": max(startups, default=None),
        "mean": as_rows(own.mean().to_frame().T)[0],
        "spread": as_rows(own.std(ddof=1).to_frame().T)[0],
        "seeds": [
            {"seed": training.seed, **asdict(training.facts), **scores}
            for training, scores in zip(entrant.trainings, as_rows(own), strict=True)
        ],
    }


def _scores(
    one: Prepared,
    table: pd.DataFrame,
    answer: Answer,
    facts: dict[str, dict[str, Any]],
    contest: Contest,
    settings: Settings,
) -> dict[str, Any]:
    fastest = min(answer.plausible, key=lambda name: float(facts[name]["seconds"]))
    took = f"{facts[fastest]['seconds']:.1f} s a seed"
    advice = f" Of the networks that cannot be told apart {fastest} trained fastest ({took})."
    return {
        "target": settings.target,
        "losses": [contest.ruler.loss, contest.ruler.second],
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        "split": {name: span_of(one.part(name)) for name in PARTS},
        "scores": as_rows(_sorted(table, contest.ruler.loss, step=settings.horizon)),
        "answer": answer.text + (advice if len(answer.plausible) > 1 else ""),
        "finding": answer.finding,
        "best": answer.best,
        "plausible": answer.plausible,
        "better": {"uncertainty": _gain(answer.uncertainty), "price": _gain(answer.price)},
        "seeds": seeds_of(settings),
        "networks": facts,
    }


def _gain(gain: Gain) -> dict[str, Any]:
    return {**asdict(gain), "p": None if math.isnan(gain.p) else gain.p}


def _provenance(one: Prepared, networks: list[str], settings: Settings) -> dict[str, Any]:
    fetched = one.fetched
    return {
        **bars_document(fetched),
        "settings": _asked(networks, settings),
        "command": command(
            "compare",
            [one.ticker],
            settings,
            f"--networks={','.join(networks)}",
            f"--as-of={one.ticker}={fetched.snapshot}",
        ),
        "versions": versions(),
    }


def _sorted(table: pd.DataFrame, loss: str, *, step: int) -> pd.DataFrame:
    """The score table with the lowest loss at this step first."""
    order = list(table[table["step"] == step].sort_values(loss, kind="stable")["model"])
    return table.sort_values(
        ["step", "model"],
        key=lambda column: column if column.name == "step" else column.map(order.index),
        kind="stable",
    )


def _write(
    folder: Path,
    document: dict[str, Any],
    forecasts: pd.DataFrame,
    contest: Contest,
    *,
    begun: float,
    home: Path,
) -> None:
    """Everything into the folder; `comparison.json` goes first and comes last."""
    from forecast.report.comparison_page import write_comparison

    (folder / _RESULT).unlink(missing_ok=True)
    contest.write(folder / contest.file, forecasts)
    draw = partial(write_comparison, folder, document=document, forecasts=forecasts)
    finish(folder / _RESULT, document, draw, begun=begun, home=home)
