"""Saved runs that several tickers ask for: one over several tickers serves them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forecast.registry.champions import champion
from forecast.registry.runs import TOGETHER, SavedRun, load_run, saved_documents


@dataclass(frozen=True)
class Shelf:
    """Saved runs, those over several tickers verified and read once.

    Nothing is ever written into a run's folder again, so what was read stays true; a file that is
    damaged meanwhile is found by the next shelf.

    Attributes:
        home: Where `models/` is.
    """

    home: Path
    _together: dict[str, SavedRun] = field(default_factory=dict, init=False, repr=False)
    _documents: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=dict, init=False, repr=False
    )

    def take(self, ticker: str, run: str | None = None) -> SavedRun:
        """A ticker's run, as `load_run`: `run`, or its champion.

        Raises:
            ArtifactError: if there is none, or it is damaged.
        """
        name = champion(self.home, ticker) if run is None else run
        if name in self._together:
            return self._together[name]
        saved = load_run(self.home, ticker, name)
        if saved.folder.parent.name == TOGETHER:
            self._together[saved.folder.name] = saved
        return saved

    def document(self, ticker: str, run: str) -> dict[str, Any] | None:
        """What `train --json` printed of the ticker; None where it was removed or is damaged."""
        if run in self._together:
            return self._together[run].document(ticker)
        documents = self._documents.get(run)
        if documents is None:
            documents = saved_documents(self.home, ticker, run)
            if len(documents) > 1:
                self._documents[run] = documents
        return documents.get(ticker)
