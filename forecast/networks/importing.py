"""Keras's first import: quiet, quick, and with words for a backend that is not there."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import get_ident
from types import ModuleType

from forecast.errors import ConfigError

DEFAULT_BACKEND = "tensorflow"
# Keras imports these two where it finds them, for parts of it that nothing here uses: a second
# and 85 MB.
_NEEDLESS = ("sklearn", "matplotlib")
# TensorFlow's start-up lines: they come from C++ before any log level counts, and say nothing to a
# user.
_STARTING = re.compile(r"WARNING: All log messages before absl|[IWEF]\d{4} [\d:.]+ +\d+ ")


@contextmanager
def importing_keras() -> Iterator[None]:
    """Within, Keras and its backend may be imported for the first time.

    Raises:
        ConfigError: if the backend asked for cannot be imported.
    """
    backend, place = backend_asked_for()
    # Its seeds are set wherever it can be imported, which takes longer than all the rest.
    needless = _NEEDLESS if backend == DEFAULT_BACKEND else (*_NEEDLESS, "tensorflow")
    with _silence(), _as_if_missing(*needless), _uncollected("keras"):
        try:
            yield
        except (ImportError, ValueError) as error:
            if "keras" in sys.modules:
                raise
            raise ConfigError(
                f"Keras's backend must be one that can be imported. Received {backend!r} from "
                f"{place}: {str(error).strip().splitlines()[0]}.",
                hint=_instead_of(backend),
            ) from error


def backend_asked_for() -> tuple[str, str]:
    """Keras's backend, and where it was chosen; without importing Keras."""
    if chosen := os.environ.get("KERAS_BACKEND"):
        return chosen, "KERAS_BACKEND"
    file = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras.json"
    try:
        return str(json.loads(file.read_bytes())["backend"]), str(file)
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_BACKEND, "KERAS_BACKEND"


def _instead_of(backend: str) -> str:
    if backend == DEFAULT_BACKEND:
        return "make install"
    other = f"KERAS_BACKEND={DEFAULT_BACKEND}"  # which wins over Keras's file
    return f"{other}, or pip install -e '.[{backend}]'" if backend in ("jax", "torch") else other


class _Missing(MetaPathFinder, Loader):
    """Packages that one thread cannot import; other threads may be importing them.

    Who only looks whether they are there, as torch does, is told of them.
    """

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages, self._thread = packages, get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        hidden = fullname in self._packages and get_ident() == self._thread
        return ModuleSpec(fullname, self) if hidden else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Never reached: no module is made."""


@contextmanager
def _as_if_missing(*packages: str) -> Iterator[None]:
    """What is imported within finds these packages only if they are loaded already."""
    finder = _Missing(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def _uncollected(package: str) -> Iterator[None]:
    """Import without looking for garbage: what a package makes stays, and there is much of it."""
    if package in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep TensorFlow's start-up lines off stderr, unless starting fails.

    What else is said meanwhile, by other threads too, is said at the end.
    """
    try:
        kept = os.dup(2)
    except OSError:  # closed: nobody reads it
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said:
                if failed or not _STARTING.match(line.decode(errors="replace")):
                    os.write(2, line)
