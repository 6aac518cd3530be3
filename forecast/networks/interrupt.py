"""Ctrl-C while a network trains: kept until a safe point, so that it is never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def kept_interrupt() -> Iterator[Callable[[], None]]:
    """A function to call at safe points; it raises KeyboardInterrupt if Ctrl-C was pressed.

    Raised at any moment inside TensorFlow's callbacks an interrupt may be swallowed, and training
    would go on. A second Ctrl-C acts at once. Outside the main thread nothing is changed, nor
    where the process was told to leave Ctrl-C to another.
    """
    previous = signal.getsignal(signal.SIGINT)
    elsewhere = threading.current_thread() is not threading.main_thread()
    if elsewhere or previous in (None, signal.SIG_IGN):
        yield lambda: None
        return
    pressed = threading.Event()

    def keep(number: int, frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, previous)

    def check() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, keep)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, previous)
