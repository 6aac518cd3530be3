"""Saved runs and champions: `models/<ticker>/<run>/`, and which of them `predict` uses."""

from __future__ import annotations

from forecast.registry.champions import (
    Change,
    before_champion,
    champion,
    history,
    promote,
    promote_each,
    rollback,
)
from forecast.registry.listing import RunSummary, runs_of, runs_of_each, tickers_of
from forecast.registry.pruning import prune
from forecast.registry.runs import (
    ADDED_BY_SAVING,
    FORMAT,
    INPUTS,
    MANIFEST,
    METRICS,
    NETWORK,
    TOGETHER,
    SavedRun,
    load_run,
    named_snapshots,
    new_run,
    run_folder,
    save_run,
    saved_documents,
)
from forecast.registry.shelf import Shelf

__all__ = [
    "ADDED_BY_SAVING",
    "FORMAT",
    "INPUTS",
    "MANIFEST",
    "METRICS",
    "NETWORK",
    "TOGETHER",
    "Change",
    "RunSummary",
    "SavedRun",
    "Shelf",
    "before_champion",
    "champion",
    "history",
    "load_run",
    "named_snapshots",
    "new_run",
    "promote",
    "promote_each",
    "prune",
    "rollback",
    "run_folder",
    "runs_of",
    "runs_of_each",
    "save_run",
    "saved_documents",
    "tickers_of",
]
