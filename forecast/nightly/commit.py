"""A job's outcome into registry, ledger and state, in an order that survives a kill at any moment.

    1. the challenger's folder appears, whole
    2. the state names it, and the decision on it
    3. the champion changes, if it was decided so
    4. the state says that it was trained for
    5. the forecast is in the ledger
    6. the state says that the night is done

A night killed after 2 goes on at 3 without training again; before, it begins anew. Where no try at
the same night follows one killed between 2 and 4, the training is still due: so a challenger that
was to be promoted is not lost for a week or month. A step that was done already is left as it is:
`promote` and `Ledger.issue` see to that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.errors import ArtifactError
from forecast.ledger import Issue, Ledger
from forecast.market.sessions import last_completed
from forecast.nightly.clock import Clock
from forecast.nightly.plan import Plan, exchange_of
from forecast.nightly.state import Pending, TickerState, Trained, read_state, write_state
from forecast.nightly.work import Forecast, Outcome
from forecast.registry import (
    SavedRun,
    Shelf,
    champion,
    history,
    load_run,
    promote,
    rollback,
)


@dataclass(frozen=True)
class Committed:
    """What a ticker's outcome changed.

    Attributes:
        decision: On tonight's challenger; None where none was trained.
        promoted: The challenger is the champion now.
        issued: A forecast was recorded.
        unissued: Why none was, in words, or None.
    """

    decision: Pending | None
    promoted: bool
    issued: bool
    unissued: str | None


def finish_begun(home: Path, plan: Plan, clock: Clock) -> tuple[Pending | None, str | None]:
    """The challenger that an interrupted try at this very night left, its promotion made up for.

    Where somebody has changed the champion since it was judged, that stays as it is. A challenger
    that is damaged is given up.

    Returns:
        The challenger, None where there is none: then one is trained if one is due; and what was
        wrong, a sentence or None.

    Raises:
        ArtifactError: if the champion cannot be read or changed.
    """
    ticker, state = plan.ticker, read_state(home, plan.ticker)
    pending = state.begun(plan.key)
    if pending is None:
        return None, None
    champions = [change.run for change in history(home, ticker)]
    serves = champions[-1] if champions else None
    if pending.promote and serves != pending.run:
        if pending.run in champions or serves != pending.against:
            reason = f"{pending.reason} Since then the champion was changed to {serves}."
            pending = replace(pending, promote=False, reason=reason)
        else:
            try:
                load_run(home, ticker, pending.run)
            except ArtifactError as damage:
                write_state(home, ticker, replace(state, pending=None))
                return None, f"{damage.message} It was to become champion and is given up."
    _carry_out(home, plan, pending, clock)
    return pending, None


def commit(
    home: Path,
    ledger: Ledger,
    plan: Plan,
    outcome: Outcome,
    *,
    clock: Clock,
    begun: Pending | None,
    against: str | None,
) -> Committed:
    """Write what came of a ticker's job.

    Args:
        home: Where `models/` and `data/` are.
        ledger: Open.
        plan: The ticker's night.
        outcome: What came.
        clock: Read now: a night may take until after the next close.
        begun: From `finish_begun`.
        against: The champion that a challenger was judged against, or None.

    Raises:
        ArtifactError: if something cannot be written; what was written before stays good.
    """
    ticker, decision = plan.ticker, begun
    if outcome.challenger is not None:
        files, judged = outcome.challenger.files, outcome.challenger.decision
        files.save(home, ticker)
        decision = Pending(
            plan.key, files.run, judged.promote, judged.reason, judged.figures, against
        )
        write_state(home, ticker, replace(read_state(home, ticker), pending=decision))
        _carry_out(home, plan, decision, clock)
    issued, unissued = False, None
    if outcome.forecast is None:
        unissued = "there is no champion to make it" if outcome.error is None else None
    else:
        issued, unissued = _issue(ledger, plan, outcome.forecast, clock)
    return Committed(decision, decision is not None and decision.promote, issued, unissued)


def mark_done(home: Path, plan: Plan, entry: dict[str, Any]) -> None:
    """Nothing is left to do for the ticker's night.

    Raises:
        ArtifactError: if the state cannot be written.
    """
    trained = read_state(home, plan.ticker).trained
    write_state(home, plan.ticker, TickerState(plan.key, entry, trained))


def last_training(home: Path, ticker: str, champion: SavedRun | None) -> Trained | None:
    """The ticker's last training, by a night or by hand; None if it has no champion."""
    if champion is None:
        return None
    known = read_state(home, ticker).trained
    last = newest_bar(champion, ticker)
    return known if known is not None and known.session >= last else Trained(last, None)


def newest_bar(saved: SavedRun, ticker: str) -> str:
    """Session of the newest bar that a run was trained on, ISO date."""
    # A run over other tickers has seen the market on the same days.
    tickers = saved.manifest["tickers"]
    known = [tickers[ticker]] if ticker in tickers else tickers.values()
    return max(str(one["last"]) for one in known)


def serving(shelf: Shelf, ticker: str, clock: Clock) -> tuple[SavedRun | None, str | None]:
    """The ticker's champion, and what was wrong; a damaged one gives way to the one before it.

    Returns:
        The champion, None if there is none that can be loaded; and a sentence, or None.
    """
    home = shelf.home
    try:
        run = champion(home, ticker)
        return (None if run is None else shelf.take(ticker, run)), None
    except ArtifactError as damage:
        try:
            earlier = rollback(home, ticker, now=clock.now(), reason=damage.message)
            return shelf.take(ticker, earlier), f"{damage.message} {earlier} serves instead."
        except ArtifactError:
            return None, f"{damage.message} No earlier champion can serve instead."


def _carry_out(home: Path, plan: Plan, decision: Pending, clock: Clock) -> None:
    """Promote the challenger if it was decided so; only then has the ticker been trained."""
    ticker = plan.ticker
    if decision.promote:
        promote(home, ticker, decision.run, reason=decision.reason, now=clock.now())
    trained = Trained(plan.key.session, plan.key.settings)
    write_state(home, ticker, replace(read_state(home, ticker), trained=trained))


def _issue(ledger: Ledger, plan: Plan, forecast: Forecast, clock: Clock) -> tuple[bool, str | None]:
    """Record the forecast, unless it was before, or its session has closed meanwhile."""
    now = clock.now()
    # To the very close: that the bar settles half an hour later helps no honest forecast.
    closed = last_completed(exchange_of(plan.fetched), now, lag=pd.Timedelta(0)).date()
    first = forecast.steps[0].session
    if first <= closed:
        return False, f"the session of {first} that it is of has closed"
    issue = Issue(
        ticker=plan.ticker,
        origin=forecast.origin.date(),
        issued_at=now,
        run=forecast.run,
        network=forecast.network,
        snapshot=plan.fetched.snapshot,
        last_close=forecast.last_close,
        steps=forecast.steps,
    )
    if ledger.issue(issue, known_until=closed):
        return True, None
    return False, f"one from {forecast.origin:%Y-%m-%d} was issued before"
