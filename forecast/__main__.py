"""`python -m forecast`, and the program `forecast`."""

from __future__ import annotations

import sys


def main() -> None:
    """The command line; an interrupt while it is still being imported ends it as any other."""
    try:
        from forecast.cli import main as run
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
