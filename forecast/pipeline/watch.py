"""Whom the verbs tell how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecast.networks.training import Epoch


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Watch:
    """Listeners; each is optional.

    Attributes:
        stage: A stage begins: what is being done, in words.
        step: One more of many things of the stage is done: how many now, of how many, which.
        epoch: An epoch has ended.
        notice: Something the user must know, such as that the sample stands in for Yahoo.
    """

    stage: Callable[[str], None] = _ignore
    step: Callable[[int, int, str], None] = _ignore
    epoch: Callable[[Epoch], None] = _ignore
    notice: Callable[[str], None] = _ignore
