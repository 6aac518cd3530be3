"""What a run must remember so that it can be made again."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.config import PREFIX, Settings
from forecast.features.sets import DEFAULT_FEATURES
from forecast.networks.importing import DEFAULT_BACKEND, backend_asked_for
from forecast.pipeline.readers import READERS, VERBS, Reader, read_by

_LIBRARIES = (
    "forecast",
    "tensorflow",
    "keras",
    "numpy",
    "pandas",
    "scikit-learn",
    "ta",
    "yfinance",
)
_FLAGS = {
    "source",
    "network",
    "units",
    "outputs",
    "lookback",
    "horizon",
    "target",
    "head",
    "epochs",
    "seed",
}
# Given the snapshot, the defaults of these bring the same bars.
_BARS = {Reader.SOURCE, Reader.BARS}
# `[nightly]` may hold a secret address.
_OF_NO_RUN = {Reader.NIGHT, Reader.SEARCH}


def versions() -> dict[str, str]:
    """Versions of this program and of the libraries that decide its figures."""
    backend, _ = backend_asked_for()
    others = () if backend == DEFAULT_BACKEND else (backend,)
    return {name: _version(name) for name in (*_LIBRARIES, *others)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def git_commit() -> str | None:
    """The commit of the checkout this runs from, or None for an installed package."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None


@cache
def code_hash(*folders: str) -> str:
    """SHA-256 of the source in these packages of the program, as this process found it."""
    package, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for folder in folders:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()


def data_hash(bars: pd.DataFrame) -> str:
    """SHA-256 of the bars: sessions and float64 values."""
    digest = hashlib.sha256()
    digest.update(pd.DatetimeIndex(bars.index).as_unit("s").asi8.tobytes())
    digest.update(bars.to_numpy("float64").tobytes())
    return digest.hexdigest()


def settings_document(settings: Settings) -> dict[str, Any]:
    """The resolved settings as JSON, without those that decide no run."""
    left_out = {name for name, reader in READERS.items() if reader in _OF_NO_RUN}
    return settings.model_dump(mode="json", exclude=left_out)


def command(verb: str, tickers: list[str], settings: Settings, *extra: str) -> str:
    """The command line that does this again: variables for what has no flag, then flags.

    Every setting that the verb reads is named, so that another `forecast.toml` has no say; one that
    was left to the network stays so. Those of the bars are named where they were changed, those for
    several tickers with `--together`.
    """
    document, defaults = settings_document(settings), settings_document(type(settings)())
    document["features"] = settings.features or DEFAULT_FEATURES[settings.target]
    quality, usual = document.pop("quality"), defaults.pop("quality")
    readers = VERBS[verb] | _BARS | ({Reader.TOGETHER} if "--together" in extra else set())
    named = {
        name: value
        for name, value in read_by(readers, document).items()
        if value is not None and (READERS[name] not in _BARS or value != defaults[name])
    }
    odd = {f"quality__{name}": value for name, value in quality.items() if value != usual[name]}
    backend, _ = backend_asked_for()
    variables = [f"KERAS_BACKEND={shlex.quote(backend)}"] if backend != DEFAULT_BACKEND else []
    variables += [
        f"{PREFIX}{name.upper()}={shlex.quote(_text(value))}"
        for name, value in {**named, **odd}.items()
        if name not in _FLAGS
    ]
    flags = [f"--{name}={_text(value)}" for name, value in named.items() if name in _FLAGS]
    return " ".join([*variables, shlex.join(["forecast", verb, *tickers, *flags, *extra])])


def _text(value: Any) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
