"""What a night stands on: Python, libraries, clock, variables, disk, memory."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecast.config import PREFIX
from forecast.market.sources.yahoo import CA_BUNDLES, PROXIES
from forecast.pipeline.capacity import cores, free_memory
from forecast.pipeline.doctor.finding import FAIL, OK, WARN, Finding

LITTLE_SPACE, NO_SPACE = 2e9, 2e8
"""Free bytes below which a night may, and will, run out."""
_BUILT = datetime(2026, 1, 1)
_FOLDERS = ("data", "models", "reports", "logs")
_MATTER = (
    *("KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "CUDA_VISIBLE_DEVICES", "XLA_FLAGS"),
    *("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_ENABLE_ONEDNN_OPTS", "TZ"),
)
_BACKENDS = ("tensorflow", "jax", "torch")


def python() -> Finding:
    """The interpreter, which must be of 64 bits."""
    told = f"{platform.python_version()} in {sys.prefix}"
    if sys.maxsize <= 2**32:
        return Finding("python", FAIL, f"{told} is of 32 bits; TensorFlow needs 64", "make install")
    return Finding("python", OK, told)


def libraries() -> Iterator[Finding]:
    """Whether what is installed is what this version was made for."""
    from packaging.requirements import Requirement

    wrong = []
    for text in requires("forecast") or []:
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            yield Finding("libraries", FAIL, f"{needed.name} is not installed", "make install")
            continue
        if not needed.specifier.contains(found, prereleases=True):
            wrong.append(f"{needed.name} {found} (made for {needed.specifier})")
    if wrong:
        yield Finding("libraries", WARN, f"other versions: {', '.join(wrong)}", "make install")
    else:
        shown = ("tensorflow", "keras", "numpy", "pandas", "yfinance")
        told = ", ".join(f"{name} {version(name)}" for name in shown if _installed(name))
        yield Finding("libraries", OK, f"forecast {version('forecast')}: {told}, all as required")


def clock(newest: datetime | None) -> Finding:
    """The clock and the time zones.

    Args:
        newest: When the store was last written by this machine's clock, tz-aware, or None.
    """
    now = datetime.now().astimezone()
    try:
        there = now.astimezone(ZoneInfo("America/New_York"))
    except ZoneInfoNotFoundError:
        return Finding("clock", FAIL, "there are no time zones on this machine", "install tzdata")
    told = f"{now:%Y-%m-%d %H:%M %Z}, {there:%H:%M} in New York"
    if now.replace(tzinfo=None) < _BUILT:
        return Finding("clock", FAIL, f"{told}: that is in the past", "set the clock (timedatectl)")
    if newest is not None and newest > now:
        return Finding(
            "clock",
            WARN,
            f"{told}: the store was written at {newest:%Y-%m-%d %H:%M %Z}, in the future",
            "set the clock (timedatectl)",
        )
    return Finding("clock", OK, told)


def variables(environment: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """The variables that change what a night does; of addresses the host alone is told."""
    given = os.environ if environment is None else environment
    faults = list(_faulty_variables(given))
    yield from faults
    if faults:
        return
    names = [name for name in given if name.startswith(PREFIX)]
    shown = [f"{name}={given[name]}" for name in _MATTER if name in given]
    shown += [f"{name}={_host(given[name])}" for name in PROXIES if name in given]
    shown += [name for name in CA_BUNDLES if name in given]
    told = ", ".join([*sorted(names), *shown]) or "none that matters is set"
    yield Finding("variables", OK, told)


def _faulty_variables(given: Mapping[str, str]) -> Iterator[Finding]:
    for name in CA_BUNDLES:
        if given.get(name) and not Path(given[name]).exists():
            hint = f"unset {name}, or let it name a file of certificates"
            yield Finding(
                "variables", FAIL, f"{name} names {given[name]}, which is not there", hint
            )
    backend = given.get("KERAS_BACKEND", "tensorflow")
    if backend not in _BACKENDS or not _installed(backend):
        told = f"KERAS_BACKEND is {backend!r}, which is not installed"
        yield Finding("variables", FAIL, told, "unset KERAS_BACKEND")
    if given.get("TF_USE_LEGACY_KERAS", "0") not in ("", "0", "False", "false"):
        told = "TF_USE_LEGACY_KERAS asks for Keras 2; this program is for Keras 3"
        yield Finding("variables", WARN, told, "unset TF_USE_LEGACY_KERAS")


def disk(home: Path) -> Finding:
    """Free space where the home folder is."""
    usage = shutil.disk_usage(_existing(home))
    told = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.0f} GB at {home}"
    if usage.free < NO_SPACE:
        return Finding("disk", FAIL, told, "free some space, or another --home")
    if usage.free < LITTLE_SPACE:
        return Finding("disk", WARN, told, "free some space, or lower nightly.keep_runs")
    return Finding("disk", OK, told)


def writing(home: Path) -> Iterator[Finding]:
    """Whether files can be made in the home and the folders that are there."""
    folders = [home, *(home / name for name in _FOLDERS)]
    refused = []
    for folder in folders:
        place = _existing(folder)
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            refused.append(place)
            if place not in refused[:-1]:
                told = f"{place} cannot be written: {error.strerror or error}"
                yield Finding("writing", FAIL, told, f"ls -ld {place}, or another --home")
    if not refused:
        yield Finding("writing", OK, f"{home} and its folders can be written")


def memory(needed: float) -> Finding:
    """Memory and cores that a night may use, where the system tells.

    Args:
        needed: What one training is reckoned to take [GB], the setting `nightly.memory`.
    """
    free = free_memory()
    if free is None:
        return Finding("memory", OK, "this system does not tell how much is free")
    told = f"{free / 1e9:.1f} GB free, {cores()} cores"
    if free / 1e9 < needed:
        wanted = f"{told}; a training is reckoned at {needed:g} GB"
        return Finding("memory", WARN, wanted, "end other programs, or lower nightly.memory")
    return Finding("memory", OK, told)


def _installed(name: str) -> bool:
    return find_spec(name) is not None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _host(address: str) -> str:
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "not readable"
