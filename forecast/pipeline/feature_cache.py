"""Features and what was fitted for them, kept under a hash of all that they depend on.

One file a ticker, snapshot and feature settings: the arrays as they are, so that a second training
gets the same bits and computes nothing. A file is only ever a copy: it may be removed at any time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.features.inputs import Inputs
from forecast.features.sets import DEFAULT_FEATURES
from forecast.features.splits import Boundaries, Split
from forecast.features.windows import Windows
from forecast.files import write_atomically
from forecast.market.fetching import Fetched
from forecast.networks.architectures import NETWORKS
from forecast.pipeline.preparing import Ready
from forecast.pipeline.provenance import code_hash, versions

LIMIT = 2 * 2**30
"""Bytes that all files may take; beyond, those that were not used for longest go."""

_CODE = ("market", "features", "evaluation", "networks", "pipeline")
_DIGEST = 32


@dataclass(frozen=True)
class FeatureCache:
    """The files under one folder.

    Attributes:
        folder: Need not exist.
    """

    folder: Path

    @classmethod
    def of(cls, home: Path) -> FeatureCache:
        """The cache of a home folder."""
        return cls(home / "data" / "cache" / "features")

    def has(
        self, fetched: Fetched, settings: Settings, boundaries: Boundaries | None = None
    ) -> bool:
        """Something was kept for these bars and settings; whether it is whole, `load` finds out."""
        return self._path(fetched, settings, boundaries).is_file()

    def load(
        self, fetched: Fetched, settings: Settings, boundaries: Boundaries | None = None
    ) -> Ready | None:
        """What was kept for these bars, settings and boundaries of the parts, or None.

        Raises:
            ArtifactError: if the file is damaged; it is removed.
        """
        path = self._path(fetched, settings, boundaries)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        try:
            if _digest(path, content[_DIGEST:]) != content[:_DIGEST]:
                raise ValueError("another digest")
            with np.load(io.BytesIO(content[_DIGEST:]), allow_pickle=False) as arrays:
                return _ready(fetched, arrays)
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            path.unlink(missing_ok=True)
            raise ArtifactError(
                f"{fetched.ticker}: {path} must be as it was written. It is damaged, and removed."
            ) from error

    def store(self, ready: Ready, settings: Settings, boundaries: Boundaries | None = None) -> None:
        """Keep what came of a ticker.

        Raises:
            ArtifactError: if the folder cannot be written.
        """
        windows, file = ready.windows, io.BytesIO()
        document = {
            "inputs": ready.inputs.as_document(),
            "split": [[part.start, part.stop] for part in _parts(ready.split)],
            "audit": ready.audit,
            "data": ready.data,
        }
        np.savez(
            file,
            features=windows.features,
            targets=windows.targets,
            starts=windows.starts,
            origin=windows.origin.to_numpy(),
            document=np.frombuffer(json.dumps(document).encode(), dtype="uint8"),
        )
        path, content = self._path(ready.fetched, settings, boundaries), file.getvalue()
        write_atomically(path, _digest(path, content) + content)

    def prune(self, limit: int = LIMIT) -> None:
        """Remove the files that were not used for longest, until `limit` bytes hold the rest."""
        found = []
        for path in self.folder.glob("*.features"):
            with suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        total = 0
        for _, size, path in sorted(found, reverse=True):
            total += size
            if total > limit:
                with suppress(OSError):
                    path.unlink()

    def _path(self, fetched: Fetched, settings: Settings, boundaries: Boundaries | None) -> Path:
        return self.folder / f"{_key(fetched, settings, boundaries)}.features"


def _digest(path: Path, content: bytes) -> bytes:
    """Of the content under its name: another ticker's file is not as it was written, either."""
    return hashlib.sha256(path.name.encode() + content).digest()


def _key(fetched: Fetched, settings: Settings, boundaries: Boundaries | None) -> str:
    """Names the bars, the settings, and what computes with them."""
    document = {
        "ticker": fetched.ticker,
        "bars": [fetched.manifest.sha256, str(fetched.start), str(fetched.end)],
        "snapshot": [fetched.source, fetched.snapshot],
        "features": settings.features or DEFAULT_FEATURES[settings.target],
        "lookback": settings.lookback,
        "horizon": settings.horizon,
        "target": settings.target,
        "ahead": NETWORKS[settings.network].decodes,
        "parts": None if boundaries is None else [str(one) for one in astuple(boundaries)],
        "where": _where(),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _where() -> list[Any]:
    """Code, libraries and machine; the last bits of a logarithm are the processor's."""
    return [code_hash(*_CODE), versions(), platform.machine(), platform.processor()]


def _ready(fetched: Fetched, arrays: Any) -> Ready:
    document = json.loads(arrays["document"].tobytes())
    inputs = Inputs.from_document(document["inputs"])
    windows = Windows(
        features=arrays["features"],
        targets=arrays["targets"],
        starts=arrays["starts"],
        lookback=inputs.lookback,
        horizon=inputs.horizon,
        origin=pd.DatetimeIndex(arrays["origin"], name="session"),
        feature_names=inputs.feature_names,
        known=inputs.known,
    )
    split = Split(*(range(first, stop) for first, stop in document["split"]))
    light = replace(fetched, content=b"")
    return Ready(light, inputs, split, windows, document["audit"], document["data"])


def _parts(split: Split) -> tuple[range, range, range]:
    return split.train, split.validation, split.test
