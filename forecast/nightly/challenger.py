"""A challenger: a network trained tonight, scored beside the champion, and the decision on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forecast.evaluation.audit import as_document, require_no_leak
from forecast.evaluation.promotion import Decision
from forecast.networks.training import infer
from forecast.nightly.jobs import Job, RunFiles
from forecast.pipeline.challenge import challenge, verify_reload
from forecast.pipeline.documents import run_document, run_manifest, saved_inputs
from forecast.pipeline.preparing import prepare
from forecast.pipeline.scoring import score_outputs, scored_windows
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch
from forecast.registry import SavedRun, load_run, run_folder, save_run


@dataclass(frozen=True)
class Challenger:
    """A challenger and the decision on it.

    Attributes:
        files: The run.
        decision: Whether it becomes the champion, and why.
    """

    files: RunFiles
    decision: Decision


def train_challenger(job: Job, home: Path, champion: SavedRun | None) -> Challenger:
    """Train a network on the job's bars, save it under a worker's home, and judge it.

    Args:
        job: With the name of the challenger.
        home: The worker's own, not the one that the night is of.
        champion: Loaded, or None.

    Raises:
        ForecastError: if there are too few bars, something sees the future, the training diverged,
            or the saved network does not give the very same forecasts.
    """
    if job.challenger is None:
        raise ValueError("the job must name the challenger.")
    ticker, settings, run = job.ticker, job.settings, job.challenger
    one = prepare(job.fetched, settings)
    checks = require_no_leak(one.bars, one.inputs, one.split, ticker=ticker)
    fitted = fit_network([one], settings, watch=Watch())
    windows = scored_windows(one)
    outputs = infer(fitted.model, windows, head=fitted.head)
    scored = score_outputs(one, outputs, network=settings.network)
    folder = run_folder(home, [ticker], run)
    document = run_document(
        one,
        scored,
        run=run,
        folder=folder.relative_to(home),
        snapshots={ticker: job.fetched.snapshot},
        settings=settings,
        audit=as_document(checks),
    )
    save_run(
        folder,
        save_network=fitted.model.save,
        inputs=saved_inputs([one], [scored]),
        manifest=run_manifest([one], fitted, run=run, settings=settings),
        metrics={"runs": [document]},
        verify=lambda stage: verify_reload(stage, windows, outputs, head=fitted.head),
    )
    decision = challenge(one, fitted, scored.forecasts, champion, settings)
    return Challenger(RunFiles.of(load_run(home, ticker, run), ticker), decision)
