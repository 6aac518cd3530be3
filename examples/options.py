"""What the scripts' options have in common."""

from __future__ import annotations


def seed(text: str) -> int:
    """A whole number that Keras and NumPy take as a seed.

    Raises:
        ValueError: for anything else, which argparse turns into a message.
    """
    number = int(text)
    if not 0 <= number < 2**32:
        raise ValueError(f"must be from 0 to 2**32 - 1. Received {number}.")
    return number


def count(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: for anything else, which argparse turns into a message.
    """
    number = int(text)
    if number < 1:
        raise ValueError(f"must be at least 1. Received {number}.")
    return number
