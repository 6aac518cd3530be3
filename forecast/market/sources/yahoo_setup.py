"""yfinance as this program needs it: errors raised, no output, caches in a folder of ours."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache as once
from pathlib import Path
from typing import Any

import filelock
import peewee
import yfinance as yf
from yfinance import cache as yf_cache

from forecast.market.quiet import quieten
from forecast.market.sources.yahoo_session import YahooSession

_lock = threading.Lock()
_folder: Path | None = None


def shared_session() -> YahooSession:
    """The process's one session; it reads the proxy and CA variables when it is made."""
    with _lock:
        return _session()


@once
def _session() -> YahooSession:
    return YahooSession()


@contextmanager
def prepared(folder: Path) -> Iterator[None]:
    """Within, yfinance is set up for this process, its time zones cached in `folder`."""
    _prepare(folder)
    try:
        yield
    finally:
        # Each thread has a connection of its own, which nobody would close when the thread ends.
        database = getattr(yf_cache._TzCacheManager._tz_cache, "db", None)
        if database is not None:
            database.close()


def _prepare(folder: Path) -> None:
    global _folder  # noqa: PLW0603
    with _lock:
        yf.config.debug.hide_exceptions = False
        # yfinance shows its users the warnings that pandas means for its authors.
        quieten("yfinance")
        logger = logging.getLogger("yfinance")
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        if _folder != folder:
            _use_cache(folder)
            _open_cache(folder)
            _folder = folder


def _use_cache(folder: Path) -> None:
    """Point yfinance at the folder, for time zones alone.

    Its managers keep the first folder for good unless they are made anew. Its cookie cache is a
    pickle, which we neither write nor load.
    """
    yf_cache.set_tz_cache_location(str(folder))
    yf_cache._CookieCacheManager._Cookie_cache = _CookieMemory()
    yf_cache._TzCacheManager._tz_cache = None


class _CookieMemory:
    """yfinance's cookie cache, for the life of the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def store(self, strategy: str, cookie: Any) -> None:
        self._kept[strategy] = cookie

    def lookup(self, strategy: str) -> dict[str, Any] | None:
        cookie: Any = self._kept.get(strategy)
        try:
            # yfinance reads just this of it, and would trip over any other cookie.
            [domain] = cookie
            known = cookie[domain]["/"]["A3"].expires is not None
        except (KeyError, TypeError, ValueError):
            known = False
        return {"cookie": cookie} if known else None


def _open_cache(folder: Path) -> None:
    """Make the time zone cache, alone among the processes; a damaged one is thrown away.

    Where it cannot be written, yfinance does without.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with filelock.FileLock(folder / "open.lock"):
            try:
                yf_cache.get_tz_cache().lookup("")
            except peewee.OperationalError:  # it cannot be written
                yf_cache._TzCacheManager._tz_cache = yf_cache._TzCacheDummy()
            except peewee.DatabaseError:  # it is damaged
                for path in folder.glob("tkr-tz.db*"):
                    path.unlink()
                _use_cache(folder)
                yf_cache.get_tz_cache().lookup("")
    except OSError:
        pass
