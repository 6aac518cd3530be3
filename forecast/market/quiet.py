"""Libraries whose DeprecationWarnings are meant for their authors.

Filters belong to all threads: `warnings.catch_warnings` in one puts back what was there before, and
so undoes what another one has set since. Here each waits for the other.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


def quieten(module: str) -> None:
    """Ignore the DeprecationWarnings of a module and those below it, in this process for good.

    Args:
        module: Such as `yfinance`.
    """
    below = rf"{re.escape(module)}(\.|$)"
    with _lock:
        # To add a filter again would take it out for a moment.
        if ("ignore", None, DeprecationWarning, re.compile(below), 0) not in warnings.filters:
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=below)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore all DeprecationWarnings within."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
