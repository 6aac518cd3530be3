"""`audit`: prove that nothing sees the future, from the features to the calibrated forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.baselines import BASELINES
from forecast.config import Settings
from forecast.errors import ArtifactError, ForecastError
from forecast.evaluation.audit import as_document, as_rows, audit_bars
from forecast.evaluation.audit.forecasts import baseline_checks, network_checks, scored_windows
from forecast.evaluation.audit.histories import Check
from forecast.evaluation.forecasts import read_forecasts
from forecast.features.inputs import DEFAULT_FEATURES, Inputs, feature_rows, fit_inputs
from forecast.features.splits import Split
from forecast.files import inside, write_json
from forecast.market.bars import check_ticker
from forecast.networks.training import infer, load_model
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.provenance import data_hash, git_commit, versions
from forecast.pipeline.watch import Watch
from forecast.registry import SavedRun, load_run

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
    if len(names) == 1:
        return [_audit(names[0], home=home, settings=settings, watch=watch)]
    results = []
    for name in names:
        try:
            results.append(_audit(name, home=home, settings=settings, watch=watch))
        except ForecastError as error:
            watch.notice(f"{name} failed: {error}")
            results.append(Audit(name, error=error))
    return results


def _champions(home: Path) -> list[str]:
    return sorted(path.parent.name for path in (home / "models").glob("*/champion.json"))


def _audit(ticker: str, *, home: Path, settings: Settings, watch: Watch) -> Audit:
    watch.stage(f"fetching {ticker}")
    fetched = fetch_for(ticker, home=home, settings=settings)
    if fetched.notice:
        watch.notice(fetched.notice)
    saved = load_run(home, ticker) if ticker in _champions(home) else None
    bars, as_trained = fetched.bars, True
    if saved is not None:
        # The bars of the run, so that its split and its forecasts can be compared.
        described = saved.manifest["tickers"][ticker]
        bars = bars.loc[described["first"] : described["last"]]
        as_trained = data_hash(bars) == described["data_sha256"]
    inputs, split = _fit(bars, ticker, saved, settings)
    watch.stage("computing everything again on other histories")
    checks = audit_bars(bars, inputs, split, ticker=ticker)
    windows = inputs.windows(bars, ticker=ticker)
    watch.stage("auditing the baselines")
    last_training = bars.index.get_indexer(windows.origin[[split.train.stop - 1]])[0]
    checks += baseline_checks(
        BASELINES,
        bars,
        partial(feature_rows, names=inputs.feature_names, ticker=ticker),
        scored_windows(windows, split).origin,
        horizon=inputs.horizon,
        fitted_until=bars.index[last_training + inputs.horizon],
    )
    if saved is None:
        watch.notice(f"{ticker} has no trained network: its bars and the baselines were audited")
        return Audit(ticker, checks=checks)
    watch.stage(f"auditing {saved.manifest['network']}")
    checks += _network(saved, bars, inputs, split, ticker=ticker, home=home, as_trained=as_trained)
    if not as_trained:
        watch.notice(f"{ticker}: its bars have been adjusted since the run; {_NOT_COMPARED}")
    run = str(saved.manifest["run"])
    written = inside(home / "reports", ticker, run) / "audit.json"
    write_json(
        written,
        {
            "ticker": ticker,
            "run": run,
            "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "data_sha256": data_hash(bars),
            "network_sha256": saved.manifest["sha256"]["network.keras"],
            "git_commit": git_commit(),
            "versions": versions(),
            **as_document(checks),
        },
    )
    return Audit(ticker, run, checks, written=written.relative_to(home))


_NOT_COMPARED = "the forecasts that it recorded were not compared"


def _fit(
    bars: pd.DataFrame, ticker: str, saved: SavedRun | None, settings: Settings
) -> tuple[Inputs, Split]:
    """Inputs and split of the run's bars, or of a run with these settings."""
    if saved is not None and ticker not in saved.inputs:
        raise ArtifactError(
            f"{saved.folder.name} must have been trained on {ticker}. It knows "
            f"{', '.join(saved.inputs)}.",
            hint=f"forecast train {ticker}",
        )
    own = None if saved is None else Inputs.from_document(saved.inputs[ticker]["inputs"])
    return fit_inputs(
        bars,
        ticker=ticker,
        feature_names=own.feature_names
        if own
        else settings.features or DEFAULT_FEATURES[settings.target],
        lookback=own.lookback if own else settings.lookback,
        horizon=own.horizon if own else settings.horizon,
        target=str(own.target.as_document()["kind"]) if own else settings.target,
    )


def _network(
    saved: SavedRun,
    bars: pd.DataFrame,
    refitted: Inputs,
    split: Split,
    *,
    ticker: str,
    home: Path,
    as_trained: bool,
) -> list[Check]:
    """The saved network with its own inputs, and both against what the run recorded."""
    inputs, name = (
        Inputs.from_document(saved.inputs[ticker]["inputs"]),
        str(saved.manifest["network"]),
    )
    forecast = partial(infer, load_model(saved.network))
    checks = network_checks(forecast, bars, inputs, split, ticker=ticker, name=name)
    if not as_trained:
        return checks
    same = _flat(refitted.as_document()) == _flat(inputs.as_document())
    checks.append(
        Check(
            "record",
            "inputs",
            same,
            "scaler, target and unit are "
            + ("those of the training part" if same else "not those of the training part"),
        )
    )
    path = inside(home / "reports", ticker, str(saved.manifest["run"])) / "forecasts.csv"
    if not path.exists():
        return checks
    frame = read_forecasts(path)
    recorded = frame[frame["model"] == name]
    test = inputs.windows(bars, ticker=ticker).take(split.test)
    point = inputs.decode(forecast(test), bars, test.origin).point
    close = bars["close"].loc[test.origin].to_numpy()[:, None]
    if len(recorded) != point.size:
        detail = f"{len(recorded)} recorded, {point.size} made again"
        return [*checks, Check("record", f"network {name}", False, detail)]
    before = np.log(recorded["predicted"].to_numpy().reshape(point.shape) / close)
    apart = float(np.abs(before - point).max())
    return [
        *checks,
        Check(
            "record",
            f"network {name}",
            apart <= _ROUNDING,
            f"{point.size} forecasts made again, at most {apart:.1g} from those recorded "
            "[log return]",
        ),
    ]


def _flat(document: Any) -> list[Any]:
    """The leaves of a document, numbers rounded to nine digits."""
    if isinstance(document, dict):
        return [leaf for key in sorted(document) for leaf in [key, *_flat(document[key])]]
    if isinstance(document, list | tuple):
        return [leaf for one in document for leaf in _flat(one)]
    return [float(f"{document:.9g}")] if isinstance(document, float) else [document]
