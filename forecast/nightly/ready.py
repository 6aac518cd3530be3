"""What decides a ticker's job: who serves, what was begun, whether a challenger is due.

Beside it what is only told of the ticker, drift and its live record, from what is known before the
job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from forecast.errors import ConfigError, raised_at
from forecast.features.targets import CLASSES
from forecast.ledger import Settlement
from forecast.nightly.alarms import alarms_of
from forecast.nightly.clock import Clock
from forecast.nightly.commit import finish_begun, last_training, newest_bar, serving
from forecast.nightly.live import live_record
from forecast.nightly.plan import Plan, why_train
from forecast.nightly.state import Pending
from forecast.registry import SavedRun, Shelf

_T = TypeVar("_T")


@dataclass(frozen=True)
class Ready:
    """A ticker's night with all that decides its job.

    Attributes:
        plan: The night.
        champion: The run that serves, or None.
        begun: From `finish_begun`.
        why: A challenger is due, in words, or None.
        last: Session of the last training, ISO date; empty if there was none.
        settled: What the bars told of forecasts recorded before.
        notices: What was odd.
        alarms: What drifted.
        live: From `live_record`.
    """

    plan: Plan
    champion: SavedRun | None
    begun: Pending | None
    why: str | None
    last: str
    settled: Settlement
    notices: list[str]
    alarms: list[str]
    live: dict[str, Any] | None


def ready_of(
    plan: Plan,
    settled: Settlement,
    record: pd.DataFrame,
    *,
    shelf: Shelf,
    retrain: str,
    clock: Clock,
    force: bool,
) -> Ready:
    """Finish what was begun, and find what decides the job.

    Args:
        plan: The ticker's night.
        settled: What its bars told.
        record: Its track record after that, as from `Ledger.track_record`.
        shelf: Of the saved runs in the home.
        retrain: As `why_train` takes it.
        clock: The night's.
        force: A challenger is trained whether or not one is due.

    Raises:
        ConfigError: if the champion forecasts classes, or has seen bars after the night's session.
        ArtifactError: if the champion cannot be read or changed.
    """
    home, ticker = shelf.home, plan.ticker
    begun, given_up = (None, None) if force else finish_begun(home, plan, clock)
    champion, notice = serving(shelf, ticker, clock)
    if champion is not None:
        _require_fit(champion, plan)
    notices = [said for said in (given_up, notice) if said]
    alarms: list[str] | None = None
    if champion is not None:
        drifted = partial(alarms_of, champion, plan.fetched, record)
        alarms = _beside("what has drifted", drifted, notices)
    live = _beside("the live record", partial(live_record, shelf, ticker, record), notices)
    trained = last_training(home, ticker, champion)
    why = why_train(
        retrain, trained, key=plan.key, force=force, alarm=alarms[0] if alarms else None
    )
    return Ready(
        plan,
        champion,
        begun,
        None if begun else why,
        trained.session if trained else "",
        settled,
        notices,
        alarms or [],
        live,
    )


def _require_fit(champion: SavedRun, plan: Plan) -> None:
    ticker = plan.ticker
    if champion.manifest.get("target") in CLASSES:
        raise ConfigError(
            f"{ticker}: a night needs a champion that forecasts prices. "
            f"{champion.folder.name} forecasts classes.",
            hint=f"forecast rollback {ticker}, or forecast train {ticker}",
        )
    if newest_bar(champion, ticker) > plan.key.session:
        raise ConfigError(
            f"{ticker}: the clock must not be set back behind the champion's newest bar "
            f"({newest_bar(champion, ticker)}). The last completed session is "
            f"{plan.key.session}.",
            hint="a later --now, or another --home",
        )


def _beside(what: str, find: Callable[[], _T], notices: list[str]) -> _T | None:
    """What is only told; a fault in it is a notice and must not cost the forecast."""
    try:
        return find()
    except Exception as failure:
        notices.append(
            f"{what} could not be told: {type(failure).__name__} at {raised_at(failure)}: {failure}"
        )
        return None
