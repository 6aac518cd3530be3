"""`python -m forecast`, and the program `forecast`."""

from __future__ import annotations

import signal
import sys
import threading


def main() -> None:
    """The command line; an interrupt ends it with 130, wherever it came."""
    pressed = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        pressed.set()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
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
        signal.signal(signal.SIGINT, before)
        # Where an interrupt came out of code that was made from a text, CPython ends by the signal
        # itself in place of the exit code, unless such code has come to its end since.
        exec("")


if __name__ == "__main__":
    main()
