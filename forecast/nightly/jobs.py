"""A ticker's job as it travels to a worker: all that it needs, and nothing that is only here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forecast.config import Settings
from forecast.market.fetching import Fetched
from forecast.registry import ADDED_BY_SAVING, SavedRun, run_folder, save_run


@dataclass(frozen=True)
class RunFiles:
    """A saved run on its way from one machine to another, with what it holds of one ticker.

    Attributes:
        run: Its name.
        network: The network's file.
        inputs: As `SavedRun.inputs`.
        manifest: As `SavedRun.manifest`, without what `save_run` adds.
        metrics: As `SavedRun.metrics`.
    """

    run: str
    network: bytes = field(repr=False)
    inputs: dict[str, Any] = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    metrics: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, saved: SavedRun, ticker: str) -> RunFiles:
        """The files of a run whose checksums held, cut to the ticker.

        For a ticker that a run over several never saw all of them speak, so nothing is left out.
        """
        inputs, metrics = saved.inputs, saved.metrics
        manifest = {
            name: value for name, value in saved.manifest.items() if name not in ADDED_BY_SAVING
        }
        if ticker in inputs:
            inputs = {ticker: inputs[ticker]}
            manifest["tickers"] = {ticker: manifest["tickers"][ticker]}
            metrics = {"runs": [one for one in metrics["runs"] if one["ticker"] == ticker]}
        return cls(saved.folder.name, saved.network.read_bytes(), inputs, manifest, metrics)

    def save(self, home: Path, ticker: str) -> None:
        """Write the run under the home's `models/`, whole or not at all.

        Raises:
            ArtifactError: if the folder cannot be written, or is there already.
        """
        save_run(
            run_folder(home, [ticker], self.run),
            save_network=self._write_network,
            inputs=self.inputs,
            manifest=self.manifest,
            metrics=self.metrics,
        )

    def _write_network(self, path: Path) -> None:
        path.write_bytes(self.network)


@dataclass(frozen=True)
class Job:
    """All that a ticker's night needs to know.

    Attributes:
        fetched: The bars.
        settings: The resolved ones.
        champion: The run that serves now, or None.
        challenger: Name of the run to train, or None to train none.
    """

    fetched: Fetched
    settings: Settings
    champion: RunFiles | None
    challenger: str | None

    @property
    def ticker(self) -> str:
        """The ticker."""
        return self.fetched.ticker
