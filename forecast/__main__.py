"""`python -m forecast`, and the program `forecast`."""

from __future__ import annotations

import atexit
import signal
import sys
import threading


def main() -> None:
    """The command line; an interrupt ends it with 130, wherever it came."""
    pressed = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        pressed.set()
        raise KeyboardInterrupt

    mine = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if mine:
        signal.signal(signal.SIGINT, interrupt)
        # The first one registered runs last: with the work done, an interrupt changes nothing.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        from forecast.cli import main as run

        run()
    except (KeyboardInterrupt, ImportError) as error:
        # An interrupt while a library's compiled part is imported comes as an ImportError.
        if isinstance(error, ImportError) and not pressed.is_set():
            raise
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    finally:
        if mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # Where an interrupt came out of code that was made from a text, CPython ends by the signal
        # itself in place of the exit code, unless such code has come to its end since.
        exec("")


if __name__ == "__main__":
    main()
