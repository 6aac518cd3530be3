"""The threads of NumPy's matrix products."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Within, a matrix product keeps to the thread that asks for it.

    Those of a network are so small that waking a second thread costs more than it gains, on a busy
    machine ten times more; and after a larger one it waits for the next, at the cost of a core.
    """
    limited: AbstractContextManager[Any] = blas().limit(limits=1)
    return limited


@cache
def blas() -> Any:
    """What controls those threads; to find it takes a millisecond, with TensorFlow loaded ten."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
