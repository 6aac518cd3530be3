"""One night: fetch, settle, train and judge challengers, promote or not, forecast, tell."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.config import Settings
from forecast.errors import BusyError, ConfigError
from forecast.market.bars import check_ticker
from forecast.nightly import summary
from forecast.nightly.alerts import send_alert
from forecast.nightly.clock import Clock
from forecast.nightly.logs import night_log
from forecast.nightly.state import (
    night_lock,
)
from forecast.nightly.steps import Work
from forecast.pipeline.watch import Watch

EXIT_STOPPED = 143
"""As of a process that SIGTERM ended."""


@dataclass(frozen=True)
class Night:
    """What a night did.

    Attributes:
        document: As `nightly --json` prints it.
        stopped: SIGTERM ended it before all tickers were done.
    """

    document: dict[str, Any]
    stopped: bool

    @property
    def exit_code(self) -> int:
        """0; 1 if a ticker failed or was late; 143 if it was stopped."""
        if self.stopped:
            return EXIT_STOPPED
        bad = any(entry["status"] in ("failed", "late") for entry in self.document["tickers"])
        return 1 if bad else 0

    @property
    def alert(self) -> str | None:
        """What somebody must be told about it, in a few lines; None if all is well."""
        return summary.alert_of(self.document)


def run_night(
    tickers: Sequence[str] = (),
    *,
    home: Path,
    settings: Settings,
    clock: Clock | None = None,
    force: bool = False,
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
) -> Night:
    """Do the night of each ticker that has one to do.

    Args:
        tickers: Such as `AAPL`; none means those of the settings.
        home: Where `data/`, `models/` and `reports/` are.
        settings: Everything else.
        clock: What time it is; None for the real clock.
        force: Nights that are done are done again. No second forecast is ever issued.
        engine: `local` or `ray`.
        address: Of a Ray cluster.
        workers: At once; None for what the settings, or the machine's cores and memory, say.
        watch: Told how it goes.

    Raises:
        ConfigError: if there is no ticker, or a setting is refused.
        BusyError: if another night is at work in this home.
        ArtifactError: if the ledger is damaged, or nothing can be written.
    """
    chosen = list(dict.fromkeys(check_ticker(one) for one in tickers or settings.nightly.tickers))
    if not chosen:
        raise ConfigError(
            "a night needs tickers. There are none on the command line, nor in the settings.",
            hint='forecast nightly AAPL, or [nightly] tickers = ["AAPL"] in forecast.toml',
        )
    settings.require_prices()
    clock = clock or Clock()
    webhook, watch = settings.nightly.webhook, watch or Watch()
    with (
        _telling(webhook, watch),
        night_lock(home),
        night_log(home, secrets=(webhook,)) as log,
        _stopping() as stop,
    ):
        log.fact("night began", now=clock.now(), tickers=chosen, engine=engine, force=force)
        work = Work(home, settings, clock, force, stop, watch, log)
        entries = work.do(chosen, engine, address, workers or settings.nightly.workers)
        document = summary.document_of(
            entries,
            now=clock.now(),
            seconds=time.monotonic() - work.begun,
            stopped=work.stopped,
        )
        work.close(document)
        night = Night(document, work.stopped)
        if night.alert is not None:
            refusal = _alert(webhook, night.alert, document, watch)
            if refusal is not None:
                log.fact("alert not delivered", why=refusal)
        return night


@contextmanager
def _telling(webhook: str | None, watch: Watch) -> Iterator[None]:
    """A night that comes to an error is told, too; not that another process is at work."""
    try:
        yield
    except BusyError:
        raise
    except Exception as error:
        _alert(webhook, f"forecast nightly: {type(error).__name__}: {error}", {}, watch)
        raise


def _alert(webhook: str | None, text: str, document: dict[str, Any], watch: Watch) -> str | None:
    """Send an alert where a webhook is set; why it could not be delivered is told, and given."""
    refusal = None if webhook is None else send_alert(webhook, text, document)
    if refusal is not None:
        watch.notice(f"the alert was not delivered: {refusal}")
    return refusal


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set when SIGTERM comes; the night then ends at its next safe point."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
