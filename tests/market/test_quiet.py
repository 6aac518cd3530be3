"""Filters of warnings belong to all threads."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from forecast.market.quiet import quiet, quieten


def warn_in(module: str) -> None:
    """As code of that module would."""
    warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module=module)


def test_a_module_and_those_below_it_are_quiet_and_no_others():
    quieten("vendor")
    filters = list(warnings.filters)
    quieten("vendor")
    assert warnings.filters == filters
    warn_in("vendor")
    warn_in("vendor.part")
    for other in ("vendors", "a.vendor"):
        with pytest.raises(DeprecationWarning):
            warn_in(other)


def test_what_one_thread_puts_back_undoes_nothing_of_another_s():
    within, added = threading.Event(), threading.Event()

    def work() -> None:
        within.wait()
        quieten("vendor")
        added.set()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        with quiet():
            within.set()
            # It waits for the end of this block: what it adds is not lost with it.
            assert not added.wait(0.2)
            warn_in("elsewhere")
        done.result()
    warn_in("vendor")
    with pytest.raises(DeprecationWarning):
        warn_in("elsewhere")
