"""A challenger against the champion: both on the origins that neither has seen, and a decision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.evaluation import intervals
from forecast.evaluation.forecasts import forecast_frame, outcomes
from forecast.evaluation.learning import learning
from forecast.evaluation.promotion import Decision, Learnt, judge
from forecast.features.inputs import Inputs
from forecast.features.targets import Prediction
from forecast.features.windows import Windows
from forecast.networks.heads import Head
from forecast.networks.training import Fitted, infer, load_model, targets_hash
from forecast.pipeline.documents import recorded_parts
from forecast.pipeline.preparing import Prepared
from forecast.pipeline.scoring import adjust
from forecast.registry import NETWORK, SavedRun
from forecast.report.wording import count

REFERENCE = "ewma"


def challenge(
    one: Prepared,
    fitted: Fitted,
    forecasts: pd.DataFrame,
    champion: SavedRun | None,
    settings: Settings,
) -> Decision:
    """Judge a newly trained network against the champion, both on the bars of today.

    The common origins lie in the challenger's test part and after the champion's validation part,
    each purged by the horizon. Both are calibrated alike: from nothing at the start of their own
    validation part, origin by origin, from outcomes known by then. (The state that the champion
    was saved with would have learnt from some of the common origins.)

    Args:
        one: The ticker, as the challenger was trained on it.
        fitted: The challenger.
        forecasts: Of the challenger's test part, as `scoring.score_outputs` gives them: its own and
            those of `ewma`.
        champion: The run that serves now, or None.
        settings: Of the challenger, and `[nightly]` for the margins.

    Returns:
        The decision. It rests on forecasts alone: looking for leaks and `verify_reload` are
        the caller's.

    Raises:
        ArtifactError: if the champion cannot be loaded or does not know the ticker.
    """
    # Again from the bars: what a pipeline says it trained on is what is in question.
    true = one.inputs.windows(one.bars, ticker=one.ticker)
    if fitted.targets != targets_hash(true.take(one.split.train)):
        return _not("it was not trained on the outcomes that the bars give")
    own, ewma = (forecasts[forecasts["model"] == name] for name in (settings.network, REFERENCE))
    limits: dict[str, Any] = {
        "margin": settings.nightly.margin,
        "level": settings.nightly.level,
        "band": settings.nightly.band,
    }
    if champion is None:
        return judge(own, None, ewma, **limits)
    inputs = Inputs.from_document(champion.entry(one.ticker)["inputs"])
    if inputs.horizon != one.inputs.horizon:
        learnt = Learnt(_learnt(fitted.model, true.take(one.split.train), fitted.head), None)
        decision = judge(own, None, ewma, learnt=learnt, **limits)
        apart = (
            f" The champion forecasts {count(inputs.horizon, 'session')} ahead, this one "
            f"{count(one.inputs.horizon, 'session')}: they cannot be compared."
        )
        return replace(decision, reason=decision.reason + apart)
    parts = recorded_parts(champion, one.ticker)
    windows = inputs.windows(one.bars, ticker=one.ticker)
    common = windows.origin[windows.origin >= parts["test"]["first"]].intersection(
        one.part("test").origin
    )
    before = windows.take(np.flatnonzero(windows.origin <= parts["train"]["last"]))
    if common.empty or not len(before):
        return _not(
            f"the champion's parts are of other sessions than these bars "
            f"({one.bars.index[0]:%Y-%m-%d} to {one.bars.index[-1]:%Y-%m-%d})"
        )
    model = load_model(champion.network)
    return judge(
        own[own["origin"].isin(common)],
        _champion_frame(one, inputs, champion.head, model, windows, parts, common),
        ewma[ewma["origin"].isin(common)],
        learnt=Learnt(
            _learnt(fitted.model, true.take(one.split.train), fitted.head),
            _learnt(model, before, champion.head),
        ),
        **limits,
    )


def verify_reload(
    folder: Path, windows: Windows, outputs: np.ndarray, *, head: str | Head = "quantiles"
) -> None:
    """Make sure that the network in a run's folder gives what it gave when it was trained.

    Fits `save_run(…, verify=…)`: a network that does not is never seen in `models/`.

    Args:
        folder: Of the run, finished or not.
        windows: Some windows.
        outputs: What the network in memory gave for them, as `infer`.
        head: With which it was trained.

    Raises:
        ArtifactError: if the network cannot be loaded, or any bit differs.
    """
    again = infer(load_model(folder / NETWORK), windows, head=head)
    if not np.array_equal(again, outputs):
        apart = float(np.abs(again - outputs).max()) if again.shape == outputs.shape else np.inf
        raise ArtifactError(
            f"{folder / NETWORK} must give the very outputs that the network gave before it was "
            f"saved. They differ by up to {apart:.2g}.",
            hint="forecast train TICKER",
        )


def _champion_frame(
    one: Prepared,
    inputs: Inputs,
    head: str,
    model: Any,
    windows: Windows,
    parts: dict[str, dict[str, Any]],
    common: pd.DatetimeIndex,
) -> pd.DataFrame:
    """The champion's forecasts at the common origins, calibrated on all its held-out ones."""
    first, last = parts["validation"].values()
    held_out = ((first <= windows.origin) & (windows.origin <= last)) | (
        windows.origin >= parts["test"]["first"]
    )
    windows = windows.take(np.flatnonzero(held_out))
    prediction, _ = adjust(
        inputs,
        infer(model, windows, head=head),
        one.bars,
        windows,
        intervals.start(windows.horizon),
    )
    wanted = windows.origin.isin(common)
    sessions, actual = outcomes(one.bars, common, horizon=windows.horizon)
    return forecast_frame(
        Prediction(prediction.point[wanted], prediction.quantiles[wanted]),
        ticker=one.ticker,
        model="champion",
        close=one.bars["close"].loc[common].to_numpy(),
        origins=common,
        sessions=sessions,
        actual=actual,
    )


def _learnt(model: Any, windows: Windows, head: str | Head) -> float:
    """What the network has learnt from these windows, at its last step."""
    outputs = infer(model, windows, head=head)
    return learning(outputs[:, -1, 1:], windows.y[:, -1].astype("float64"), step=windows.horizon)


def _not(reason: str) -> Decision:
    return Decision(False, f"Not promoted: {reason}.", {})
