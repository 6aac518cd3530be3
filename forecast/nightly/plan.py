"""What a ticker's night has to do: nothing, or to forecast, or to train a challenger first."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pandas as pd

from forecast.config import Settings
from forecast.errors import ForecastError, SourceUnavailable
from forecast.market.fetching import Fetched
from forecast.market.sessions import expected_sessions, last_completed
from forecast.nightly.state import Key, TickerState, Trained
from forecast.pipeline.provenance import settings_document
from forecast.pipeline.readers import VERBS, Reader, read_by

# The snapshot's hash tells what came, but not which part of it counts.
_READERS = {*VERBS["train"], Reader.BARS}
# An alarm often outlasts a training; one on nearly the same bars would come to the same.
_REST = pd.Timedelta(days=7)
_OF_THE_JUDGEMENT = ("margin", "level", "band")


@dataclass(frozen=True)
class Plan:
    """A ticker's night.

    Attributes:
        fetched: The bars, up to the last completed session.
        key: What makes it this night.
        nothing: Why there is nothing to do, in words; None where there is something.
        stale: The newest bar is older than the last completed session.
        error: Why nothing can be done; None where it can.
        notice: What somebody must be told about the bars, or None.
    """

    fetched: Fetched
    key: Key
    nothing: str | None = None
    stale: bool = False
    error: ForecastError | None = None
    notice: str | None = None

    @property
    def ticker(self) -> str:
        """The ticker."""
        return self.key.ticker


def plan(
    fetched: Fetched, state: TickerState, *, settings: Settings, now: pd.Timestamp, force: bool
) -> Plan:
    """A ticker's night from its bars.

    Args:
        fetched: The bars.
        state: What the nights before left.
        settings: The resolved ones.
        now: The clock, tz-aware.
        force: A night that is done is done again.
    """
    completed = f"{last_completed(exchange_of(fetched), now):%Y-%m-%d}"
    key = Key(fetched.ticker, completed, settings_hash(settings), fetched.manifest.sha256)
    if fetched.last < completed:
        if fetched.notice:
            error = SourceUnavailable(
                f"{fetched.ticker}: there must be a bar of {completed}. The newest is of "
                f"{fetched.last}. {fetched.notice}",
                hint="forecast nightly again, once the source answers",
            )
            return Plan(fetched, key, stale=True, error=error)
        reason = (
            f"no bar of {completed} yet: the newest is of {fetched.last}. The source is late, or "
            "the ticker is no longer traded"
        )
        notice = _too_old(fetched, completed, settings.quality.stale_sessions)
        return Plan(fetched, key, nothing=reason, stale=True, notice=notice)
    if state.is_done(key) and not force:
        return Plan(fetched, key, nothing=f"the night of {completed} is done already")
    return Plan(fetched, key)


def _too_old(fetched: Fetched, completed: str, limit: int) -> str | None:
    """That the source brings nothing any more, in words; the sample is known to have ended."""
    first = pd.Timestamp(fetched.last) + pd.Timedelta(days=1)
    missing = len(expected_sessions(exchange_of(fetched), first, pd.Timestamp(completed)))
    if fetched.source == "sample" or missing <= limit:
        return None
    return (
        f"the newest bar is of {fetched.last}, {missing} sessions ago: look after the source, or "
        "take the ticker out of the settings"
    )


def why_train(
    retrain: str,
    trained: Trained | None,
    *,
    key: Key,
    force: bool,
    alarm: str | None,
) -> str | None:
    """Why a challenger is due, in words; None if none is.

    Args:
        retrain: `nightly`, `weekly`, `monthly` or `drift`.
        trained: The last training; None if there is no champion.
        key: Of the night.
        force: The user asks for it.
        alarm: What drifted, or None.
    """
    if trained is None:
        return "there is no champion"
    if force:
        return "it was asked for"
    if trained.settings not in (None, key.settings):
        return "the settings changed"
    session, last = pd.Timestamp(key.session), pd.Timestamp(trained.session)
    words = "first session of the {} since the last training"
    reasons = {
        "nightly": "every night",
        "weekly": words.format("week") if _week(session) != _week(last) else None,
        "monthly": words.format("month") if f"{session:%Y%m}" != f"{last:%Y%m}" else None,
        "drift": alarm if session - last >= _REST else None,
    }
    return reasons[retrain]


def _week(session: pd.Timestamp) -> tuple[int, int]:
    calendar = session.isocalendar()
    return calendar.year, calendar.week


def settings_hash(settings: Settings) -> str:
    """SHA-256 of the settings that decide what comes out of a ticker's night."""
    document = read_by(_READERS, settings_document(settings))
    nightly = settings.nightly.model_dump(mode="json", include=set(_OF_THE_JUDGEMENT))
    text = json.dumps({**document, "nightly": nightly}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def exchange_of(fetched: Fetched) -> str:
    """The exchange whose sessions the ticker keeps."""
    return fetched.manifest.exchange
