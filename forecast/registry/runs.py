"""Saved runs: `models/<ticker>/<run>/`, written whole, verified before anything is loaded.

A run's folder holds `network.keras`, `inputs.json` (a ticker's fitted inputs and calibration),
`metrics.json` and `manifest.json`, which names the checksum of each of the others and its own. A
run over several tickers lies under `models/_together/`. Nothing is ever written into a run's
folder again.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from forecast.errors import ArtifactError
from forecast.files import inside, sha256, staged_folder, write_json

FORMAT = 3
"""Raised when older saved runs can no longer be read."""

NETWORK, INPUTS, METRICS, MANIFEST = "network.keras", "inputs.json", "metrics.json", "manifest.json"
TOGETHER = "_together"

ADDED_BY_SAVING = ("format", "sha256", "manifest_sha256")
"""What `save_run` adds to a manifest."""

_ARTEFACTS = (NETWORK, INPUTS, METRICS)
_TIME = "%Y%m%dT%H%M%SZ"
_READ_ONLY = 0o444
_RUN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


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

    @property
    def head(self) -> str:
        """What the network answers with; the first runs knew quantiles alone."""
        return str(self.manifest.get("head", "quantiles"))

    def entry(self, ticker: str) -> dict[str, Any]:
        """`inputs` and `calibration` of a ticker.

        Raises:
            ArtifactError: if the run was not trained on it.
        """
        if ticker not in self.inputs:
            raise ArtifactError(
                f"{self.folder.name} must have been trained on {ticker}. It knows "
                f"{_some(self.inputs)}.",
                hint=f"forecast models {ticker}, or forecast train {ticker}",
            )
        return self.inputs[ticker]

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What `train --json` printed: `runs`, one a ticker."""
        return read_json(self.folder / METRICS)

    def document(self, ticker: str) -> dict[str, Any] | None:
        """What `train --json` printed of the ticker; None where it does not name it."""
        return next((one for one in self.metrics["runs"] if one["ticker"] == ticker), None)

    @property
    def notice(self) -> str | None:
        """That another major version of Keras wrote the network, or None."""
        wrote = str(dict(self.manifest.get("versions") or {}).get("keras", ""))
        here = version("keras")
        if not wrote or _major(wrote) == _major(here):
            return None
        return (
            f"{self.folder.name} was saved by Keras {wrote} and is read by Keras {here}, another "
            f"major version: train again if it does not load"
        )


def new_run(now: datetime | None = None) -> str:
    """A name for a new run: the time in UTC and four random digits."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:{_TIME}}-{secrets.token_hex(2)}"


def made_at(run: str) -> datetime | None:
    """When the run of this name was begun (UTC), or None if the name does not tell."""
    try:
        return datetime.strptime(run.partition("-")[0], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


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
    verify: Callable[[Path], None] | None = None,
) -> None:
    """Write a run's folder, whole or not at all; its files are read-only from then on.

    Args:
        folder: As from `run_folder`; must not exist.
        save_network: Writes the network to the path given.
        inputs: For each ticker `inputs` and `calibration`.
        manifest: What is needed to make the run again.
        metrics: What `train --json` prints.
        verify: Called with the whole folder before it appears under its name; what it raises
            leaves nothing behind.

    Raises:
        ArtifactError: if the folder cannot be written, or is there already.
    """
    with staged_folder(folder) as stage:
        save_network(stage / NETWORK)
        write_json(stage / INPUTS, inputs)
        write_json(stage / METRICS, metrics)
        checksums = {name: sha256(stage / name) for name in _ARTEFACTS}
        document = {"format": FORMAT, **manifest, "sha256": checksums}
        write_json(stage / MANIFEST, {**document, "manifest_sha256": own_sha256(document)})
        for name in (*checksums, MANIFEST):
            (stage / name).chmod(_READ_ONLY)
        if verify is not None:
            verify(stage)


def load_run(home: Path, ticker: str, run: str | None = None) -> SavedRun:
    """A saved run after its checksums were verified: `run`, or the ticker's champion.

    Raises:
        ArtifactError: if there is none, or a file is missing, damaged or of another format.
    """
    if run is None:
        from forecast.registry.champions import champion

        run = champion(home, ticker)
        if run is None:
            raise ArtifactError(
                f"{ticker}: there must be a trained network. {home / 'models' / ticker} holds none "
                f"that is the champion.",
                hint=f"forecast train {ticker}",
            )
    return verified(folder_of(home, ticker, run), retrain=f"forecast train {ticker}")


def verified(folder: Path, *, retrain: str) -> SavedRun:
    """The run in a folder after format and checksums were verified.

    Raises:
        ArtifactError: if a file is missing, damaged or of another format; `retrain` is the hint.
    """
    manifest = _verified_manifest(folder, retrain=retrain)
    for name in _ARTEFACTS:
        _verify(folder, name, manifest, retrain=retrain)
    return SavedRun(folder, manifest, read_json(folder / INPUTS, hint=retrain))


def saved_documents(home: Path, ticker: str, run: str) -> dict[str, dict[str, Any]]:
    """What `train --json` printed of each ticker of a run; none where it was removed or is damaged.

    Of the checksums this one's alone is verified: a long record asks for thousands of runs.
    """
    retrain = f"forecast train {ticker}"
    try:
        folder = folder_of(home, ticker, run)
        _verify(folder, METRICS, _verified_manifest(folder, retrain=retrain), retrain=retrain)
        return {one["ticker"]: one for one in read_json(folder / METRICS)["runs"]}
    except (ArtifactError, OSError, KeyError, TypeError):
        return {}


def _verified_manifest(folder: Path, *, retrain: str) -> dict[str, Any]:
    manifest = read_json(folder / MANIFEST, hint=retrain)
    found = manifest.get("format")
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise ArtifactError(
            f"{folder} must be of format {FORMAT}. Received {found!r}"
            f"{', made by a newer version of this program' if newer else ''}.",
            hint=f"{'upgrade this program, or ' if newer else ''}{retrain}",
        )
    if manifest.get("manifest_sha256") != own_sha256(manifest):
        raise ArtifactError(
            f"{folder / MANIFEST} must be as it was saved. Its own checksum does not hold: it is "
            f"damaged.",
            hint=retrain,
        )
    checksums = manifest.get("sha256")
    # No other name: a checksum is no reason to open what a manifest points to.
    if not isinstance(checksums, dict) or checksums.keys() != set(_ARTEFACTS):
        raise ArtifactError(
            f"{folder / MANIFEST} must name the checksum of {', '.join(sorted(_ARTEFACTS))}, and "
            f"of nothing else. It is damaged.",
            hint=retrain,
        )
    return manifest


def _verify(folder: Path, name: str, manifest: dict[str, Any], *, retrain: str) -> None:
    path, expected = folder / name, manifest["sha256"][name]
    try:
        digest = sha256(path) if path.is_file() else "no file"
    except OSError as error:
        raise ArtifactError(
            f"{path} must be readable. Reading it failed: {error.strerror or error}.",
            hint=retrain,
        ) from error
    if digest != expected:
        raise ArtifactError(
            f"{path} must be as it was saved (sha256 {str(expected)[:12]}…). "
            f"Received {digest[:12]}: it is damaged.",
            hint=retrain,
        )


def named_snapshots(home: Path) -> dict[str, set[str]]:
    """For each ticker the snapshots that a saved run was trained on: never to be removed.

    A manifest that cannot be read names nothing here; loading its run says so.
    """
    named: dict[str, set[str]] = {}
    for path in (home / "models").glob(f"*/*/{MANIFEST}"):
        try:
            tickers = json.loads(path.read_bytes())["tickers"]
            snapshots = {ticker: str(data["snapshot"]) for ticker, data in tickers.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        for ticker, snapshot in snapshots.items():
            named.setdefault(ticker, set()).add(snapshot)
    return named


def folder_of(home: Path, ticker: str, run: str) -> Path:
    """The folder of a ticker's run, its own or one over several tickers.

    Raises:
        ArtifactError: if there is none.
    """
    models = home / "models"
    # A path would lead to another ticker's runs, a leading dot to one that is not finished.
    if _RUN.fullmatch(run):
        for owner in (ticker, TOGETHER):
            folder = inside(models, owner, run)
            if (folder / MANIFEST).is_file():
                return folder
    raise ArtifactError(
        f"{ticker}: there must be a run {run!r} under {models}. Found none.",
        hint=f"forecast models {ticker}, or forecast train {ticker}",
    )


def read_json(path: Path, *, hint: str = "forecast train TICKER") -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ArtifactError: if it cannot be read or is no object.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} must be readable JSON. Reading it failed: {error}.", hint=hint
        ) from error
    if not isinstance(document, dict):
        raise ArtifactError(f"{path} must hold a JSON object.", hint=hint)
    return document


def own_sha256(manifest: dict[str, Any]) -> str:
    """SHA-256 of a manifest's content, its own checksum left out."""
    content = json.loads(json.dumps({**manifest, "manifest_sha256": None}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _some(names: Collection[str]) -> str:
    """The names, or how many they are where they are many."""
    return ", ".join(names) if len(names) <= 20 else f"{len(names)} others"


def _major(release: str) -> str:
    return release.partition(".")[0]
