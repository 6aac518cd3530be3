"""Saved runs: `models/<ticker>/<run>/`, written whole, verified before anything is loaded.

A run's folder holds `network.keras`, `inputs.json` (a ticker's fitted inputs and calibration),
`metrics.json` and `manifest.json`, which names the checksum of each of the others. A run over
several tickers lies under `models/_together/`. `models/<ticker>/champion.json` names the run that
`predict` uses.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forecast.errors import ArtifactError
from forecast.files import inside, sha256, staged_folder, write_json

FORMAT = 1
"""Raised when older saved runs can no longer be read."""

NETWORK, INPUTS, METRICS, MANIFEST = "network.keras", "inputs.json", "metrics.json", "manifest.json"
TOGETHER = "_together"
_CHAMPION = "champion.json"


@dataclass(frozen=True)
class SavedRun:
    """A run on disk whose checksums held.

    Attributes:
        folder: Where it lies.
        manifest: Settings, split, versions, data hash, checksums.
        inputs: For each ticker `inputs` and `calibration`, as their `from_document` take them.
    """

    folder: Path
    manifest: dict[str, Any]
    inputs: dict[str, dict[str, Any]]

    @property
    def network(self) -> Path:
        """The network's file."""
        return self.folder / NETWORK


def new_run(now: datetime | None = None) -> str:
    """A name for a new run: the time in UTC and four random digits."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def run_folder(home: Path, tickers: list[str], run: str) -> Path:
    """Where a run over these tickers belongs."""
    return inside(home / "models", tickers[0] if len(tickers) == 1 else TOGETHER, run)


def save_run(
    folder: Path,
    *,
    save_network: Callable[[Path], None],
    inputs: dict[str, dict[str, Any]],
    manifest: dict[str, Any],
    metrics: dict[str, Any],
) -> None:
    """Write a run's folder, whole or not at all.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    with staged_folder(folder) as stage:
        save_network(stage / NETWORK)
        write_json(stage / INPUTS, inputs)
        write_json(stage / METRICS, metrics)
        checksums = {name: sha256(stage / name) for name in (NETWORK, INPUTS, METRICS)}
        write_json(stage / MANIFEST, {"format": FORMAT, **manifest, "sha256": checksums})


def load_run(home: Path, ticker: str, run: str | None = None) -> SavedRun:
    """A saved run after its checksums were verified: `run`, or the ticker's champion.

    Raises:
        ArtifactError: if there is none, or a file is missing, damaged or of another format.
    """
    folder = _folder_of(home, ticker, run or _champion(home, ticker))
    manifest = _read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"{folder} must be of format {FORMAT}. Received {manifest.get('format')!r}.",
            hint=f"forecast train {ticker}",
        )
    checksums = manifest.get("sha256")
    if not isinstance(checksums, dict) or not {NETWORK, INPUTS} <= checksums.keys():
        raise ArtifactError(
            f"{folder / MANIFEST} must name the checksum of each file. It is damaged.",
            hint=f"forecast train {ticker}",
        )
    for name, expected in checksums.items():
        path = folder / name
        found = sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise ArtifactError(
                f"{path} must be as it was saved (sha256 {expected[:12]}…). "
                f"Received {found[:12]}: it is damaged.",
                hint=f"forecast train {ticker}",
            )
    return SavedRun(folder, manifest, _read_json(folder / INPUTS))


def named_snapshots(home: Path) -> dict[str, set[str]]:
    """For each ticker the snapshots that a saved run was trained on: never to be removed.

    A manifest that cannot be read names nothing here; loading its run says so.
    """
    named: dict[str, set[str]] = {}
    for path in (home / "models").glob(f"*/*/{MANIFEST}"):
        try:
            tickers = json.loads(path.read_bytes())["tickers"]
        except (OSError, ValueError, KeyError):
            continue
        for ticker, data in tickers.items():
            named.setdefault(ticker, set()).add(data["snapshot"])
    return named


def set_champion(home: Path, ticker: str, run: str) -> None:
    """Make `run` the one that `predict` uses for the ticker, in one atomic step."""
    write_json(inside(home / "models", ticker) / _CHAMPION, {"run": run})


def _champion(home: Path, ticker: str) -> str:
    path = inside(home / "models", ticker) / _CHAMPION
    if not path.exists():
        raise ArtifactError(
            f"{ticker}: there must be a trained network. {path.parent} holds none.",
            hint=f"forecast train {ticker}",
        )
    run = _read_json(path).get("run")
    if not isinstance(run, str):
        raise ArtifactError(f"{path} must name a run.", hint=f"forecast train {ticker}")
    return run


def _folder_of(home: Path, ticker: str, run: str) -> Path:
    for owner in (ticker, TOGETHER):
        folder = inside(home / "models", owner, run)
        if (folder / MANIFEST).is_file():
            return folder
    raise ArtifactError(
        f"{ticker}: there must be a run {run!r} under {home / 'models'}. Found none.",
        hint=f"ls {home / 'models' / ticker}, or forecast train {ticker}",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} must be readable JSON. Reading it failed: {error}.",
            hint="forecast train the ticker again",
        ) from error
    if not isinstance(document, dict):
        raise ArtifactError(f"{path} must hold a JSON object.", hint="forecast train it again")
    return document
