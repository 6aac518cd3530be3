"""The steps of a night over all its tickers: plan, settle, work, commit, prune."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forecast.config import Settings
from forecast.errors import ForecastError
from forecast.ledger import Ledger, open_ledger
from forecast.market.fetching import Failed, Fetched
from forecast.nightly import summary
from forecast.nightly.clock import Clock
from forecast.nightly.commit import Committed, commit, mark_done
from forecast.nightly.doing import Outcomes, as_its_own, failed_entry
from forecast.nightly.logs import NightLog
from forecast.nightly.plan import Plan, plan
from forecast.nightly.ready import Ready, ready_of
from forecast.nightly.recorded import recorded
from forecast.nightly.state import Heartbeat, read_state
from forecast.nightly.work import Outcome
from forecast.pipeline.fetch import fetch
from forecast.pipeline.tuned import tuned_for
from forecast.pipeline.watch import Watch
from forecast.registry import TOGETHER, Shelf, prune


class _Stopped(Exception):  # noqa: N818
    """SIGTERM came while bars were fetched."""


@dataclass
class Work:
    """The night at work; one thread.

    Attributes:
        home: Where `data/`, `models/` and `reports/` are.
        settings: The resolved ones.
        clock: What time it is.
        force: Nights that are done are done again.
        stop: Set when the night should end after what is at work.
        watch: Told how it goes.
        log: The night's.
        begun: When, on the monotonic clock.
        earlier: Entries of nights that were done before.
        whole: Entries with what killed runs of the same session recorded, for the page.
        stopped: SIGTERM came before all tickers were done.
    """

    home: Path
    settings: Settings
    clock: Clock
    force: bool
    stop: threading.Event
    watch: Watch
    log: NightLog
    begun: float = field(default_factory=time.monotonic)
    earlier: list[dict[str, Any] | None] = field(default_factory=list)
    whole: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.heart = Heartbeat(self.home, self.clock)

    def do(
        self, tickers: list[str], engine: str, address: str | None, workers: int | None
    ) -> list[dict[str, Any]]:
        """An entry a ticker, in the order given.

        Of those that SIGTERM came before there is one where something was settled.
        """
        entries: dict[str, dict[str, Any]] = {}
        committed: set[str] = set()
        try:
            plans = self._plans(tickers, entries)
        except _Stopped:
            self.stopped = True
            return []
        gone = [ticker for ticker, entry in entries.items() if entry["status"] == "failed"]
        if plans or gone:
            with open_ledger(self.home) as ledger:
                self._void(gone, ledger, entries)
                self._void_others(tickers, ledger)
                ready = self._make_ready(plans, ledger, entries)
                self.heart.tell("working", len(entries), len(tickers))
                outcomes = Outcomes(self.home, self.settings, self.clock, self.begun, self._pause)
                for outcome in outcomes.of(ready, entries, engine, address, workers):
                    committed.add(outcome.ticker)
                    late = outcome.ticker in outcomes.late
                    self._commit(ready[outcome.ticker], outcome, ledger, entries, late=late)
                    self._tell("working", len(entries), len(tickers), outcome.ticker)
                self._prune(committed, ledger)
                self.stopped = self.stop.is_set() and len(entries) < len(tickers)
                self._left(ready, entries)
                for one in plans:
                    if one.ticker in entries and one.ticker not in self.whole:
                        self._recorded(one, entries[one.ticker], ledger)
                head = ledger.head()
            # Noted outside the ledger too, so that one written anew from its beginning is seen.
            self.log.fact("ledger", entries=head.entries, head=head.hash)
        for ticker in tickers:
            if ticker in entries and ticker not in committed:
                self._log(entries[ticker])
        return [entries[ticker] for ticker in tickers if ticker in entries]

    def close(self, document: dict[str, Any]) -> None:
        """Write the summary; where that fails the night's work stands all the same."""
        try:
            tickers = [self.whole.get(one["ticker"], one) for one in document["tickers"]]
            whole = {**document, "tickers": tickers}
            summary.write(self.home, whole, [entry for entry in self.earlier if entry])
        except Exception as failure:  # whatever it stumbles over in an earlier run's entries
            error = as_its_own(document["page"], failure)
            document["page"] = None
            self.watch.notice(f"the night's page could not be written: {error}")
        failed = sum(entry["status"] == summary.FAILED for entry in document["tickers"])
        self.heart.tell("stopped" if self.stopped else "ended", failed=failed)
        facts = {name: document[name] for name in ("night", "seconds", "page")}
        self.log.fact("night stopped" if self.stopped else "night ended", **facts)

    def _plans(self, tickers: list[str], entries: dict[str, dict[str, Any]]) -> list[Plan]:
        """The nights that have something to do; of the others the entry is made."""
        self.heart.tell("fetching", 0, len(tickers))
        results = fetch(
            tickers,
            home=self.home,
            settings=self.settings,
            now=self.clock.now().to_pydatetime(),
            watch=Watch(stage=self.watch.stage, notice=self.watch.notice, step=self._fetched),
        )
        plans = []
        for result in results:
            if isinstance(result, Failed):
                entries[result.ticker] = summary.failed(result.ticker, None, result.error)
                continue
            try:
                one = self._plan(result)
            except Exception as failure:
                error = as_its_own(result.ticker, failure)
                entries[result.ticker] = summary.failed(result.ticker, None, error)
                continue
            self.earlier.append(read_state(self.home, one.ticker).entry)
            if one.error is not None:
                entries[one.ticker] = summary.failed(one.ticker, one.key.session, one.error)
            elif one.nothing is not None and not one.stale:
                entries[one.ticker] = summary.nothing(one, reason=one.nothing)
            else:
                plans.append(one)
        return plans

    def _void(self, gone: list[str], ledger: Ledger, entries: dict[str, dict[str, Any]]) -> None:
        """Forecasts of a ticker that cannot be fetched any more must not wait for ever."""
        now = self.clock.now().to_pydatetime()
        for ticker in gone:
            try:
                if ledger.origins(ticker):
                    settled = ledger.settle(ticker, None, snapshot=None, now=now)
                    entries[ticker]["void"] = settled.void
            except Exception as failure:
                error = as_its_own(ticker, failure)
                entries[ticker]["notices"].append(f"nothing could be settled: {error.message}")

    def _void_others(self, tickers: list[str], ledger: Ledger) -> None:
        """Nor those of a ticker that was taken out of the list."""
        now = self.clock.now().to_pydatetime()
        for ticker in sorted(ledger.runs().keys() - set(tickers)):
            try:
                void = ledger.settle(ticker, None, snapshot=None, now=now).void
            except Exception as failure:
                told = as_its_own(ticker, failure).message
                self.watch.notice(f"{ticker}: nothing could be settled: {told}")
                continue
            if void:
                self.log.fact("ticker of no night", ticker=ticker, void=void)

    def _plan(self, fetched: Fetched) -> Plan:
        return plan(
            fetched,
            read_state(self.home, fetched.ticker),
            settings=tuned_for(fetched, home=self.home, settings=self.settings, watch=self.watch)[
                0
            ],
            now=self.clock.now(),
            force=self.force,
        )

    def _make_ready(
        self, plans: list[Plan], ledger: Ledger, entries: dict[str, dict[str, Any]]
    ) -> dict[str, Ready]:
        """Settle what came true; what was begun is finished; whether a challenger is due."""
        ready, shelf = {}, Shelf(self.home)
        for number, one in enumerate(plans):
            if self.stop.is_set():
                break
            self._tell("settling", number, len(plans), one.ticker)
            settled = None
            try:
                settled = ledger.settle(
                    one.ticker,
                    one.fetched.bars,
                    snapshot=one.fetched.snapshot,
                    now=self.clock.now().to_pydatetime(),
                )
                if one.stale:
                    entries[one.ticker] = summary.nothing(one, reason=one.nothing, settled=settled)
                else:
                    ready[one.ticker] = ready_of(
                        one,
                        settled,
                        ledger.track_record(one.ticker),
                        shelf=shelf,
                        retrain=self.settings.nightly.retrain,
                        clock=self.clock,
                        force=self.force,
                    )
            except Exception as failure:
                error = as_its_own(one.ticker, failure)
                entries[one.ticker] = summary.failed(
                    one.ticker, one.key.session, error, settled=settled
                )
        return ready

    def _commit(
        self,
        one: Ready,
        outcome: Outcome,
        ledger: Ledger,
        entries: dict[str, dict[str, Any]],
        *,
        late: bool,
    ) -> None:
        try:
            done = commit(
                self.home,
                ledger,
                one.plan,
                outcome,
                clock=self.clock,
                begun=one.begun,
                against=one.champion.folder.name if one.champion else None,
            )
            entry = summary.entry_of(
                one.plan,
                outcome,
                done,
                late=late,
                why=one.why,
                settled=one.settled,
                champion=self._champion(one, done),
                notices=one.notices,
                alarms=one.alarms,
                live=one.live,
            )
            if entry["status"] == summary.DONE:
                mark_done(self.home, one.plan, self._recorded(one.plan, entry, ledger))
        except Exception as failure:
            entry = failed_entry(one, as_its_own(outcome.ticker, failure))
        entries[outcome.ticker] = entry
        self._log(entry)

    def _left(self, ready: dict[str, Ready], entries: dict[str, dict[str, Any]]) -> None:
        """Entries of what SIGTERM came before, where something was settled, and of lost jobs."""
        for ticker, one in ready.items():
            if ticker in entries:
                continue
            if not self.stop.is_set():
                entries[ticker] = failed_entry(
                    one,
                    ForecastError(
                        f"{ticker}: a job must come to an outcome. None came of this one.",
                        hint="forecast nightly again",
                    ),
                )
            elif one.settled.news:
                entries[ticker] = summary.nothing(
                    one.plan,
                    reason="the night was stopped before its turn came",
                    settled=one.settled,
                )

    def _recorded(self, one: Plan, entry: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        """The entry for the page; a fault in what is only told costs no forecast."""
        try:
            self.whole[one.ticker] = recorded(ledger, one, entry)
        except Exception as failure:
            error = as_its_own(one.ticker, failure)
            entry["notices"].append(f"what was recorded could not be told: {error.message}")
            self.whole[one.ticker] = entry
        return self.whole[one.ticker]

    def _log(self, entry: dict[str, Any]) -> None:
        """The entry's facts, without the forecast, which the ledger holds."""
        facts = {name: value for name, value in entry.items() if name not in ("forecast", "status")}
        self.log.fact(f"ticker {entry['status']}", **facts)

    @staticmethod
    def _champion(one: Ready, done: Committed) -> str | None:
        if done.promoted and done.decision is not None:
            return done.decision.run
        return one.champion.folder.name if one.champion else None

    def _prune(self, tickers: set[str], ledger: Ledger) -> None:
        """Runs beyond the setting's number; a champion's and those in the ledger stay."""
        try:
            named = set().union(*ledger.runs().values())
            for owner in [*sorted(tickers), TOGETHER]:
                prune(self.home, owner, keep=self.settings.nightly.keep_runs, protected=named)
        except ForecastError as error:
            self.watch.notice(f"old runs could not be removed: {error}")

    def _fetched(self, done: int, of: int, ticker: str) -> None:
        if self.stop.is_set():
            raise _Stopped
        self._tell("fetching", done, of, ticker)

    def _tell(self, stage: str, done: int, of: int, ticker: str) -> None:
        self.heart.tell(stage, done, of)
        self.watch.step(done, of, ticker)

    def _pause(self) -> bool:
        self.heart.beat()
        return self.stop.is_set()
