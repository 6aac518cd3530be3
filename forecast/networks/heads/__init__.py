"""Output layers and their losses: every head by its name.

`docs/heads.md` says what each answers and when to use it.
"""

from __future__ import annotations

from forecast.networks.heads.classes import DIRECTION, MOVE, classes
from forecast.networks.heads.head import Head, answers
from forecast.networks.heads.point import POINT
from forecast.networks.heads.quantiles import OUTPUTS, QUANTILES, point_and_quantile_loss
from forecast.networks.heads.student_t import STUDENT_T

HEADS: dict[str, Head] = {
    "quantiles": QUANTILES,
    "student_t": STUDENT_T,
    "direction": DIRECTION,
    "move": MOVE,
}
"""The first that fits a target is the target's own."""


def head_of(head: str | Head) -> Head:
    """The head of this name, or the one given: some, like `POINT`, have none."""
    return HEADS[head] if isinstance(head, str) else head


def heads_for(target: str) -> list[str]:
    """Names of the heads that fit a target, its own first."""
    return [name for name, head in HEADS.items() if target in head.targets]


__all__ = [
    "HEADS",
    "OUTPUTS",
    "POINT",
    "Head",
    "answers",
    "classes",
    "head_of",
    "heads_for",
    "point_and_quantile_loss",
]
