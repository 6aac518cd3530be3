"""A run as JSON: what `train --json` prints, and what is saved beside the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.evaluation.audit.group import Span
from forecast.features.windows import Windows
from forecast.networks.training import Fitted, default_outputs
from forecast.pipeline.preparing import PARTS, Prepared, Ready, batch_of, learning_rate_of
from forecast.pipeline.provenance import (
    command,
    git_commit,
    settings_document,
    versions,
)
from forecast.pipeline.scoring import Judged
from forecast.registry import SavedRun


class Calibrated(Protocol):
    """What a saved run remembers of how outcomes came, of prices or of classes."""

    def as_document(self) -> dict[str, Any]:
        """As JSON."""


class _Calibrated(Protocol):
    @property
    def calibration(self) -> Calibrated: ...


class Result(_Calibrated, Protocol):
    """What came of one ticker: `Scored`, or `ClassScored` of classes."""

    @property
    def judged(self) -> Judged:
        """What its forecasts are worth."""


def run_document(
    one: Prepared,
    result: Result,
    *,
    run: str,
    folder: Path,
    snapshots: Mapping[str, str],
    settings: Settings,
    audit: Mapping[str, Any],
    listed: Path | None = None,
) -> dict[str, Any]:
    """One ticker's run as `train --json` prints it; `plots` and `seconds` are added as they come.

    Args:
        one: The ticker.
        result: Its scores.
        run: The run's name.
        folder: Of the model, relative to the home folder.
        snapshots: Of each ticker that the network was trained on.
        settings: The resolved ones.
        audit: The cheap part of the audit, as JSON.
        listed: File with the tickers and their snapshots, relative to the home folder, where they
            are too many for a command line.
    """
    fetched = one.fetched
    return {
        "ticker": one.ticker,
        "run": run,
        "source": fetched.source,
        "network": settings.network,
        "target": settings.target,
        "head": settings.head_name,
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        "split": {name: span_of(one.part(name)) for name in PARTS},
        "scores": result.judged.scores,
        "verdict": result.judged.verdict.as_document(),
        "report": f"reports/{one.ticker}/{run}/index.html",
        "plots": [],
        "model": folder.as_posix(),
        "seconds": {},
        **result.judged.detail,
        "audit": audit,
        "snapshot": fetched.snapshot,
        "currency": fetched.history.currency,
        "notice": fetched.notice,
        "findings": [finding.as_document() for finding in fetched.findings],
        "settings": _used(settings) | {"features": list(one.inputs.feature_names)},
        "command": _command(snapshots, settings, listed),
        "versions": versions(),
    }


def _used(settings: Settings) -> dict[str, Any]:
    """The settings, and what stood for those that were left to the network."""
    return settings_document(settings) | _own(settings)


def _own(settings: Settings) -> dict[str, Any]:
    return {"learning_rate": learning_rate_of(settings), "batch": batch_of(settings)}


def _command(snapshots: Mapping[str, str], settings: Settings, listed: Path | None) -> str:
    """The command line that makes the run again."""
    outputs = settings.outputs or default_outputs(settings.network)
    settings = settings.model_copy(
        update={**_own(settings), "head": settings.head_name, "outputs": outputs}
    )
    together = ["--together"] if len(snapshots) > 1 else []
    if listed is not None:
        return command("train", [f"@{listed.as_posix()}"], settings, *together)
    as_of = [f"--as-of={ticker}={snapshot}" for ticker, snapshot in snapshots.items()]
    # The settings are all named: what tune finds until then must not come into it.
    untuned = [] if together else ["--untuned"]
    return command("train", list(snapshots), settings, *as_of, *together, *untuned)


def run_manifest(
    prepared: Sequence[Prepared | Ready], fitted: Fitted, *, run: str, settings: Settings
) -> dict[str, Any]:
    """What is needed to make the run again: settings, data, versions, code."""
    return {
        "run": run,
        "network": settings.network,
        "target": settings.target,
        "head": settings.head_name,
        "horizon": settings.horizon,
        "settings": _used(settings),
        "seed": settings.seed,
        "git_commit": git_commit(),
        "versions": versions(),
        "training": history_of(fitted),
        "tickers": {one.ticker: one.data for one in prepared},
    }


def saved_inputs(
    prepared: Sequence[Prepared | Ready], scored: Sequence[_Calibrated]
) -> dict[str, dict[str, Any]]:
    """For each ticker what `predict` needs beside the network.

    Args:
        prepared: The tickers.
        scored: Of each, such as `Scored`: only the calibration is read.
    """
    return {
        one.ticker: {
            "inputs": one.inputs.as_document(),
            "calibration": result.calibration.as_document(),
        }
        for one, result in zip(prepared, scored, strict=True)
    }


def history_of(fitted: Fitted) -> dict[str, Any]:
    """The course of the training."""
    return {
        "loss": fitted.loss,
        "val_loss": fitted.validation_loss,
        "learning_rate": fitted.learning_rate,
        "kept_epoch": fitted.kept_epoch,
    }


def span_of(windows: Windows) -> dict[str, Any]:
    """First and last origin of a part, and how many there are."""
    first, last = windows.origin[[0, -1]].strftime("%Y-%m-%d")
    return {"first": first, "last": last, "origins": len(windows)}


def recorded_parts(saved: SavedRun, ticker: str) -> dict[str, dict[str, pd.Timestamp]]:
    """First and last origin of each part of a ticker, as a saved run says.

    Raises:
        ArtifactError: if it does not.
    """
    document = saved.document(ticker)
    if document is None:
        raise ArtifactError(
            f"{saved.folder} must say where its parts of {ticker} begin and end. It does not.",
            hint=f"forecast train {ticker}",
        )
    return {
        part: {end: pd.Timestamp(span[end]) for end in ("first", "last")}
        for part, span in document["split"].items()
    }


def recorded_spans(saved: SavedRun, ticker: str) -> dict[str, Span]:
    """First origin of each part of a ticker, and the session by which its last outcome was known.

    Of a run that does not record the latter, the first day that it may have been: a ticker has at
    most a session a day.

    Raises:
        ArtifactError: if the run does not say where the parts begin and end.
    """
    parts, ahead = recorded_parts(saved, ticker), pd.Timedelta(days=saved.manifest["horizon"])
    known = saved.manifest["tickers"][ticker].get("known", {})
    return {
        part: (span["first"], pd.Timestamp(known.get(part, span["last"] + ahead)))
        for part, span in parts.items()
    }
