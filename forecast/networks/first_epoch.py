"""The first epoch of a large group: small batches, large steps, and some towards the spread.

What is learnt first is plain enough to be seen in half a batch, and a regression says much of it
(docs/decisions/0280, 0300).
Source: S. Smith et al. (2018), Don't Decay the Learning Rate, Increase the Batch Size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LEAST_UPDATES = 8
"""Of fewer, what is learnt later does not outweigh what small batches learnt by chance."""
LEAST_SLICES = 32
"""An update of fewer takes nearly as long."""
FASTER = 1.5
MOMENTUM = 0.8


@contextmanager
def hastened(learner: Any, batches: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Within, the learner is set for what it gives: the batches of the first epoch, or halves.

    Args:
        learner: Stays as it is, unless it has `takes_any_batch`, as `Direct` has.
        batches: First rows of slices, all of one number.
    """
    half = len(batches[0]) // 2
    large = len(batches) >= LEAST_UPDATES and half >= LEAST_SLICES
    if not large or not getattr(learner, "takes_any_batch", False):
        yield batches
        return
    optimizer = learner.optimizer
    usual = float(optimizer.learning_rate), optimizer.beta_1
    optimizer.learning_rate, optimizer.beta_1 = usual[0] * FASTER, MOMENTUM
    learner.towards_spread = True
    try:
        yield [part for each in batches for part in (each[:half], each[half:])]
    finally:
        optimizer.learning_rate, optimizer.beta_1 = usual
        learner.towards_spread = False
