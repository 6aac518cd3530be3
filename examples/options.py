"""What the scripts' options have in common."""

from __future__ import annotations


def count(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: for anything else, which argparse turns into a message.
    """
    number = int(text)
    if number < 1:
        raise ValueError(f"must be at least 1. Received {number}.")
    return number
