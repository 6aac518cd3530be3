"""`audit`: prove that nothing sees the future, from the features to the calibrated forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from forecast.baselines import BASELINES
from forecast.config import Settings
from forecast.errors import ForecastError
from forecast.evaluation.audit import as_document, as_rows, audit_bars
from forecast.evaluation.audit.forecasts import baseline_checks, network_checks, scored_windows
from forecast.evaluation.audit.group import group_checks
from forecast.evaluation.audit.histories import Check, record_check
from forecast.evaluation.forecasts import read_forecasts
from forecast.features.inputs import Inputs, feature_rows, fit_inputs
from forecast.features.splits import Boundaries
from forecast.features.targets import ClassTarget
from forecast.files import inside, write_json
from forecast.market.bars import check_ticker
from forecast.market.fetching import Fetched
from forecast.networks.training import infer, load_model
from forecast.pipeline.class_audit import class_baselines, class_record_checks
from forecast.pipeline.documents import recorded_parts, recorded_spans
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.preparing import Prepared, prepare
from forecast.pipeline.provenance import data_hash, git_commit, versions
from forecast.pipeline.together import spans_of
from forecast.pipeline.watch import Watch
from forecast.registry import NETWORK, SavedRun, Shelf, champion

_SAMPLE = "AAPL"
# Log return. The saved forecasts may have been made on another machine, which rounds otherwise.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Audit:
    """What the audit of one ticker found.

    Attributes:
        ticker: Checked ticker.
        run: The saved run whose network was audited; None without one.
        checks: The table.
        error: Why it could not be audited, or None.
        written: The signed-off table in the run's folder, or None.
    """

    ticker: str
    run: str | None = None
    checks: list[Check] = field(default_factory=list)
    error: ForecastError | None = None
    written: Path | None = None

    @property
    def passed(self) -> bool:
        """Every check was made and none found a leak."""
        return self.error is None and all(check.passed for check in self.checks)

    def as_document(self) -> dict[str, Any]:
        """One entry of `audit --json`."""
        return {
            "ticker": self.ticker,
            "run": self.run,
            "passed": self.passed,
            "checks": as_rows(self.checks),
            **({"error": self.error.as_document()} if self.error else {}),
        }

    def __str__(self) -> str:
        if self.error:
            return f"{self.ticker}: not audited."
        network = f"run {self.run}" if self.run else "no trained network yet"
        width = max(len(check.subject) for check in self.checks)
        lines = [
            f"{'ok  ' if check.passed else 'LEAK'}  {check.check:<13}  {check.subject:<{width}}  "
            f"{check.detail}"
            for check in self.checks
        ]
        document = as_document(self.checks)
        signed = [f"Written: {self.written}"] if self.written else []
        return "\n".join(
            [f"{self.ticker} ({network})", "", *lines, "", str(document["text"]), *signed]
        )


def audit(
    tickers: Sequence[str], *, home: Path, settings: Settings, watch: Watch | None = None
) -> list[Audit]:
    """Audit each ticker: its bars and, where it has a champion, the champion's network.

    Args:
        tickers: Such as `AAPL`; none means every ticker with a champion, or else the sample's AAPL.
        home: Where `data/`, `models/` and `reports/` are.
        settings: The source; and features, lookback, horizon and target where there is no champion.
        watch: Told how it goes.

    Returns:
        One entry a ticker; one that cannot be audited never fails the others.

    Raises:
        ForecastError: with a single ticker, whatever went wrong.
    """
    watch = watch or Watch()
    names = list(dict.fromkeys(check_ticker(ticker) for ticker in tickers)) or _champions(home)
    if not names:
        watch.notice(f"nothing is trained yet: auditing {_SAMPLE} of the sample")
        names, settings = [_SAMPLE], settings.model_copy(update={"source": "sample"})
    one = partial(_audit, shelf=Shelf(home), settings=settings, watch=watch)
    return [
        Audit(result.ticker, error=result.error) if isinstance(result, FailedRun) else result
        for result in every(names, one, watch=watch)
    ]


def _champions(home: Path) -> list[str]:
    return sorted(path.parent.name for path in (home / "models").glob("*/champion.json"))


def _audit(ticker: str, *, shelf: Shelf, settings: Settings, watch: Watch) -> Audit:
    home = shelf.home
    run = champion(home, ticker)
    saved = None if run is None else shelf.take(ticker, run)
    watch.stage(f"fetching {ticker}")
    as_of = {}
    if saved is not None:
        # The very bars that the run saw: its split and its forecasts can then be compared.
        data = _trained_on(saved, ticker)
        as_of = {ticker: data["snapshot"]}
        settings = settings.model_copy(update={"start": date.fromisoformat(data["first"])})
    fetched = fetch_for(ticker, home=home, settings=settings, as_of=as_of)
    if fetched.notice:
        watch.notice(fetched.notice)
    watch.stage("computing everything again on other histories")
    one = _refit(fetched, saved, settings)
    checks = audit_bars(one.bars, one.inputs, one.split, ticker=ticker)
    watch.stage("auditing the baselines")
    checks += baseline_checks(
        BASELINES | class_baselines(one.inputs),
        one.bars,
        partial(feature_rows, names=one.inputs.feature_names, ticker=ticker),
        scored_windows(one.windows, one.split).origin,
        horizon=one.inputs.horizon,
        fitted_until=one.fitted_until,
    )
    if saved is None:
        watch.notice(f"{ticker} has no trained network: its bars and the baselines were audited")
        return Audit(ticker, checks=checks)
    watch.stage(f"auditing {saved.manifest['network']}")
    checks += [*_group_checks(saved, one), *_network_checks(saved, one, home=home)]
    run = str(saved.manifest["run"])
    written = inside(home / "reports", ticker, run) / "audit.json"
    write_json(
        written,
        {
            "ticker": ticker,
            "run": run,
            "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "data_sha256": data_hash(one.bars),
            "network_sha256": saved.manifest["sha256"][NETWORK],
            "git_commit": git_commit(),
            "versions": versions(),
            **as_document(checks),
        },
    )
    return Audit(ticker, run, checks, written=written.relative_to(home))


def _trained_on(saved: SavedRun, ticker: str) -> dict[str, Any]:
    """What the run's manifest says of the ticker's bars.

    Raises:
        ArtifactError: if the run was not trained on it.
    """
    saved.entry(ticker)
    known: dict[str, dict[str, Any]] = saved.manifest["tickers"]
    return known[ticker]


def _refit(fetched: Fetched, saved: SavedRun | None, settings: Settings) -> Prepared:
    """Everything fitted anew as the run did, or as a run with these settings would."""
    if saved is None:
        return prepare(fetched, settings)
    own = _inputs(saved, fetched.ticker)
    inputs, split = fit_inputs(
        fetched.bars,
        ticker=fetched.ticker,
        feature_names=own.feature_names,
        lookback=own.lookback,
        horizon=own.horizon,
        target=str(own.target.as_document()["kind"]),
        ahead=own.week is not None,
        boundaries=_boundaries(saved, fetched.ticker),
    )
    return Prepared(fetched, inputs, split, inputs.windows(fetched.bars, ticker=fetched.ticker))


def _boundaries(saved: SavedRun, ticker: str) -> Boundaries | None:
    """Where the parts of a run over several tickers began; None for one ticker's own shares."""
    if len(saved.manifest["tickers"]) == 1:
        return None
    parts = recorded_parts(saved, ticker)
    return Boundaries(parts["validation"]["first"], parts["test"]["first"])


def _group_checks(saved: SavedRun, one: Prepared) -> list[Check]:
    """The ticker's parts beside those that the run recorded of the others."""
    tickers = saved.manifest["tickers"]
    if len(tickers) == 1:
        return []
    spans = {ticker: recorded_spans(saved, ticker) for ticker in tickers}
    return group_checks(spans | {one.ticker: spans_of(one)})


def _inputs(saved: SavedRun, ticker: str) -> Inputs:
    return Inputs.from_document(saved.inputs[ticker]["inputs"])


def _network_checks(saved: SavedRun, one: Prepared, *, home: Path) -> list[Check]:
    """The saved network with its own inputs, and both against what the run recorded."""
    inputs, name = _inputs(saved, one.ticker), str(saved.manifest["network"])
    forecast = partial(infer, load_model(saved.network), head=saved.head)
    found, trained = data_hash(one.bars), str(_trained_on(saved, one.ticker)["data_sha256"])
    same = _flat(one.inputs.as_document()) == _flat(inputs.as_document())
    checks = [
        *network_checks(forecast, one.bars, inputs, one.split, ticker=one.ticker, name=name),
        Check(
            "record", "bars", found == trained, f"sha256 {found[:12]}, trained on {trained[:12]}"
        ),
        Check(
            "record",
            "inputs",
            same,
            f"scaler, target and unit are {'' if same else 'not '}those of the training part",
        ),
    ]
    folder = inside(home / "reports", one.ticker, str(saved.manifest["run"]))
    if isinstance(inputs.target, ClassTarget):
        return checks + class_record_checks(
            forecast,
            replace(one, inputs=inputs),
            name=name,
            calibration=saved.inputs[one.ticker]["calibration"],
            path=folder / "probabilities.csv",
        )
    path = folder / "forecasts.csv"
    if path.exists():
        frame = read_forecasts(path)
        test = inputs.windows(one.bars, ticker=one.ticker).take(one.split.test)
        point = inputs.decode(forecast(test), one.bars, test.origin).point
        close = one.bars["close"].loc[test.origin].to_numpy()
        recorded = np.log(frame.loc[frame["model"] == name, "predicted"].to_numpy())
        again = np.log(close[:, None] * np.exp(point)).ravel()
        checks.append(record_check(name, recorded, again, unit="log return", rounding=_ROUNDING))
    return checks


def _flat(document: Any) -> list[Any]:
    """The leaves of a document, numbers rounded to nine digits."""
    if isinstance(document, dict):
        return [leaf for key in sorted(document) for leaf in [key, *_flat(document[key])]]
    if isinstance(document, list | tuple):
        return [leaf for one in document for leaf in _flat(one)]
    return [float(f"{document:.9g}")] if isinstance(document, float) else [document]
