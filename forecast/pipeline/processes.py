"""The same work for many tickers: in this process for a few, in several where that pays.

What comes out is the same bit for bit, and in the same order, however many processes there are.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import Any, TypeVar

from forecast.errors import ForecastError, as_known
from forecast.pipeline.capacity import room_for

Item = TypeVar("Item")
Result = TypeVar("Result")

FEWEST = 4
"""For fewer tickers than this, starting processes takes longer than they save."""
_WORKER_MEMORY = 0.5
"""What a worker may need [GB]: pandas, the tests' libraries, one ticker."""
_AHEAD = 2
"""Items handed over before they are asked for, a worker: none waits, and few wait in memory."""


def for_each(
    do: Callable[[Item], Result],
    items: Iterable[Item | ForecastError],
    *,
    named: Callable[[Item], str],
    count: int,
    workers: int | None = None,
) -> Iterator[Result | ForecastError]:
    """What `do` gave for each item, in their order; an error in place of what went wrong.

    A fault that nobody foresaw, too, is its item's alone.

    Args:
        do: A function of its argument alone that other processes can import, and so can be sent
            the argument. It must not load TensorFlow.
        items: Taken as they are needed; an error stands for one that could not be made, and for
            what would have come of it.
        named: The item's ticker, for its error; a function that can be sent as `do`.
        count: How many there are at most.
        workers: Processes; None for as many as there are cores and memory for, or none at all
            for few items.

    Raises:
        ForecastError: if a worker was ended from outside.
    """
    wanted = room_for(count, memory=_WORKER_MEMORY) if workers is None else workers
    if wanted < 2 or (workers is None and count < FEWEST):
        for item in items:
            # A product of matrices may round differently on two threads.
            with _threads().limit(limits=1):
                result = _attempt(do, named, item)
            yield result
        return
    executor = ProcessPoolExecutor(
        wanted,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
    )
    waiting: deque[Future[Result | ForecastError]] = deque()
    try:
        # They start while the first items are made.
        for _ in range(wanted):
            executor.submit(_load, do)
        for item in items:
            waiting.append(executor.submit(_attempt, do, named, item))
            if len(waiting) >= _AHEAD * wanted:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ForecastError(
            f"each of the {wanted} worker processes must live until the work is done. One was "
            "ended from outside; the system ends processes for want of memory.",
            hint="the same again with more free memory, or fewer tickers at once; in a script of "
            "your own, with the call below if __name__ == '__main__':",
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _load(do: Callable[[Item], Result]) -> None:
    """In a worker: to be sent the function is to import it."""


def _attempt(
    do: Callable[[Item], Result], named: Callable[[Item], str], item: Item | ForecastError
) -> Result | ForecastError:
    if isinstance(item, ForecastError):
        return item
    try:
        return do(item)
    except Exception as failure:
        return as_known(failure, ticker=named(item))


@cache
def _threads() -> Any:
    # Imported for the libraries they load: what is loaded later would not be limited.
    import scipy.linalg  # noqa: F401
    import sklearn.utils  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _begin() -> None:
    """In a worker of `for_each`: one thread, as here. What is not needed is not imported for it."""
    for library in ("OPENBLAS", "OMP"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)  # what a caller's script has loaded already
    begin_worker(signal.SIGINT)


def begin_worker(*ignored: signal.Signals) -> None:
    """In a worker: signals to the group are the driver's to answer; and it outlives no driver."""
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)
    driver = multiprocessing.parent_process()

    def follow() -> None:
        if driver is not None:
            driver.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
