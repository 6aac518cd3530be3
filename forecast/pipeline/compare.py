"""`compare`: several networks and all baselines on the same forecasts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.config import Settings
from forecast.errors import ConfigError
from forecast.evaluation.forecasts import write_forecasts
from forecast.evaluation.ranking import Answer, which_network
from forecast.evaluation.scores import as_rows, naive_scale, score_table
from forecast.files import inside, staged_folder, write_json
from forecast.networks.architectures import NETWORKS
from forecast.pipeline.documents import span_of
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.preparing import Prepared, prepare
from forecast.pipeline.provenance import command, settings_document, versions
from forecast.pipeline.scoring import baseline_forecasts, calibrated, frame_of
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch
from forecast.registry import new_run
from forecast.report.text import comparison_lines


@dataclass(frozen=True)
class Comparison:
    """What came of comparing networks on one ticker.

    Attributes:
        document: As `compare --json` prints it.
        forecasts: Forecast frame of the test part: every network, then every baseline.
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
    """Train each network on each ticker with the same settings, and rank them by their spread.

    Nothing is saved but the report: `train` makes the champion.

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
        ConfigError: if a network is unknown.
        ForecastError: with a single ticker, whatever went wrong.
    """
    names = list(dict.fromkeys(networks or NETWORKS))
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        raise ConfigError(
            f"every network must be one of {', '.join(NETWORKS)}. Received {unknown[0]!r}.",
            hint=f"--networks {','.join(list(NETWORKS)[:3])}",
        )
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
    begun, run = time.perf_counter(), new_run()
    watch.stage(f"fetching {ticker}")
    fetched = fetch_for(ticker, home=home, settings=settings, as_of=as_of)
    if fetched.notice:
        watch.notice(fetched.notice)
    one = prepare(fetched, settings)
    frames, facts = [], {}
    for number, network in enumerate(networks, start=1):
        watch.stage(f"network {number} of {len(networks)}: training {network}")
        start = time.perf_counter()
        fitted = fit_network([one], settings.model_copy(update={"network": network}), watch=watch)
        facts[network] = {
            "parameters": int(fitted.model.count_params()),
            "seconds": time.perf_counter() - start,
            "kept_epoch": fitted.kept_epoch,
        }
        prediction, _ = calibrated(one, fitted)
        frames.append(frame_of(one, network, prediction))
    watch.stage("scoring beside the baselines")
    forecasts = pd.concat([*frames, baseline_forecasts(one)], ignore_index=True)
    scale = naive_scale(one.bars["close"].loc[: one.fitted_until])
    table = score_table(forecasts, naive_mae={ticker: scale})
    answer = which_network(forecasts, table, networks=networks, step=settings.horizon)
    document = _document(one, table, answer, facts, run=run, settings=settings)
    with staged_folder(inside(home / "reports", ticker, "compare", run)) as stage:
        watch.stage("drawing the report")
        document["seconds"] = {"total": time.perf_counter() - begun}
        _report(stage, document, forecasts)
    return Comparison(document, forecasts, home / document["report"])


def _document(
    one: Prepared,
    table: pd.DataFrame,
    answer: Answer,
    facts: dict[str, dict[str, Any]],
    *,
    run: str,
    settings: Settings,
) -> dict[str, Any]:
    fetched = one.fetched
    fastest = min(answer.plausible, key=lambda name: float(facts[name]["seconds"]))
    advice = f" Of these {fastest} trained fastest ({facts[fastest]['seconds']:.1f} s)."
    shared = {
        name: value for name, value in settings_document(settings).items() if name != "network"
    }
    return {
        "ticker": one.ticker,
        "key": run,
        "source": fetched.source,
        "target": settings.target,
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        "split": {name: span_of(one.part(name)) for name in ("train", "validation", "test")},
        "scores": as_rows(_sorted(table, step=settings.horizon)),
        "answer": answer.text + (advice if len(answer.plausible) > 1 else ""),
        "finding": answer.finding,
        "best": answer.best,
        "plausible": answer.plausible,
        "networks": facts,
        "report": f"reports/{one.ticker}/compare/{run}/index.html",
        "plots": [],
        "seconds": {},
        "snapshot": fetched.snapshot,
        "currency": fetched.history.currency,
        "notice": fetched.notice,
        "findings": [finding.as_document() for finding in fetched.findings],
        "settings": shared | {"features": list(one.inputs.feature_names)},
        "command": command(
            "compare",
            [one.ticker],
            settings,
            f"--networks={','.join(facts)}",
            f"--as-of={one.ticker}={fetched.snapshot}",
        ),
        "versions": versions(),
    }


def _sorted(table: pd.DataFrame, *, step: int) -> pd.DataFrame:
    """The score table with the lowest pinball loss at this step first."""
    order = list(table[table["step"] == step].sort_values("pinball", kind="stable")["model"])
    return table.sort_values(
        ["step", "model"],
        key=lambda column: column if column.name == "step" else column.map(order.index),
        kind="stable",
    )


def _report(folder: Path, document: dict[str, Any], forecasts: pd.DataFrame) -> None:
    from forecast.report.evaluation_page import write_comparison

    write_forecasts(folder / "forecasts.csv", forecasts)
    written = write_comparison(folder, document=document, forecasts=forecasts)
    report = Path(document["report"]).parent
    document["plots"] = [
        (report / path.name).as_posix() for path in written if path.suffix == ".png"
    ]
    write_json(folder / "comparison.json", document)
