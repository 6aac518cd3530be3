"""Tickers side by side, in threads that an interrupt does not have to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_WORKERS = 8
# A snapshot is written within this; only who waits for a silent source takes longer.
_PARTING = 1.0


def each(tickers: Sequence[str], work: Callable[[str], T], *, stop: Event) -> Iterator[T]:
    """What `work` returns for each ticker, in the order in which they end.

    Where the caller ends early, such as by Ctrl-C, no further ticker is begun and `stop` is set.
    Threads that do not heed it within a second are left behind: they end with the process, at the
    latest, which a store survives at any moment.

    Args:
        tickers: Distinct.
        work: Called in several threads; what it raises is raised here.
        stop: Of those that `work` waits with.
    """
    waiting: SimpleQueue[str] = SimpleQueue()
    done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    for ticker in tickers:
        waiting.put(ticker)

    def run() -> None:
        while not stop.is_set():
            try:
                ticker = waiting.get_nowait()
            except Empty:
                return
            try:
                done.put((work(ticker), None))
            except BaseException as error:
                done.put((None, error))

    threads = [
        Thread(target=run, name=f"fetch-{number}", daemon=True)
        for number in range(min(_WORKERS, len(tickers)))
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in tickers:
            result, error = done.get()
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # there is one where there is no error
        # Whoever forks next must find no thread.
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        ends = time.monotonic() + _PARTING
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, ends - time.monotonic()))
        raise
