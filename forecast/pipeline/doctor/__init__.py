"""`doctor`: would a night go well here, and what to do if not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from forecast.config import Settings
from forecast.errors import ArtifactError, ConfigError
from forecast.market.bars import check_ticker
from forecast.market.store import Store
from forecast.pipeline.doctor import backend, holdings, machine
from forecast.pipeline.doctor.finding import FAIL, OK, WARN, Finding
from forecast.pipeline.watch import Watch
from forecast.registry import tickers_of

__all__ = ["FAIL", "OK", "WARN", "Checkup", "Finding", "doctor"]


@dataclass(frozen=True)
class Checkup:
    """Everything that was looked at, in order."""

    findings: list[Finding]

    @property
    def passed(self) -> bool:
        """Whether nothing was found that would stop a night."""
        return all(finding.state != FAIL for finding in self.findings)

    def as_document(self) -> dict[str, Any]:
        """The document of `--json`."""
        return {"passed": self.passed, "findings": [asdict(one) for one in self.findings]}

    def told(self, *states: str) -> str:
        """The findings of these states, a line each with the next command below it."""
        width = max((len(one.what) for one in self.findings), default=0)
        lines = []
        for one in self.findings:
            if one.state in states:
                lines.append(f"{one.state:<5} {one.what:<{width}}  {one.detail}")
                if one.hint:
                    lines.append(f"{'':<5} {'':<{width}}  → {one.hint}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.told(OK, WARN, FAIL)


def doctor(
    tickers: Sequence[str] = (),
    *,
    home: Path,
    settings: Settings,
    refused: ConfigError | None = None,
    watch: Watch | None = None,
) -> Checkup:
    """Look at everything that a night needs; nothing is changed.

    Args:
        tickers: Whose bars and networks to look at; none means those of the settings, of the store
            and of the saved runs.
        home: The home folder, absolute.
        settings: The settings, or the defaults where they were refused.
        refused: Why the settings were refused, which is a finding, too.
        watch: Told what is looked at.

    Raises:
        ConfigError: if a ticker is none.
    """
    return Checkup(
        list(_findings([check_ticker(one) for one in tickers], home, settings, refused, watch))
    )


def _findings(
    tickers: list[str],
    home: Path,
    settings: Settings,
    refused: ConfigError | None,
    watch: Watch | None,
) -> Iterator[Finding]:
    watch = watch or Watch()
    watch.stage("looking at the machine")
    yield machine.python()
    yield from machine.libraries()
    yield from machine.variables()
    if refused is None:
        yield Finding("settings", OK, "as forecast.toml and the variables say")
    else:
        yield Finding("settings", FAIL, refused.message, refused.hint)
    yield machine.disk(home)
    yield from machine.writing(home)
    yield machine.memory(settings.nightly.memory)
    watch.stage("checking what is kept")
    kept: list[str] = []
    store = None
    try:
        store = Store.open(settings.data(home))
        kept = store.tickers()
    except (ArtifactError, ConfigError) as error:
        yield Finding("bars", FAIL, error.message, error.hint)
        store = None
    chosen = tickers or sorted({*settings.nightly.tickers, *kept, *tickers_of(home)})
    yield machine.clock(None if store is None else _written(store, chosen))
    if store is not None:
        yield from holdings.bars(
            store, chosen, stale=settings.quality.stale_sessions, exchange=settings.exchange
        )
    yield from holdings.networks(home, chosen)
    yield from holdings.record(home)
    yield from holdings.nights(home, None if refused else settings)
    if refused is None:
        watch.stage("reaching for the source")
        yield holdings.source(settings)
    watch.stage("starting Keras")
    yield from backend.backend(settings)


def _written(store: Store, tickers: Sequence[str]) -> datetime | None:
    """When the newest snapshot was fetched."""
    times = []
    for ticker in tickers:
        with suppress(ArtifactError):  # which `holdings.bars` tells
            newest = store.manifests(ticker)[:1]
            times += [datetime.fromisoformat(manifest.fetched_at) for manifest in newest]
    return max(times, default=None)
