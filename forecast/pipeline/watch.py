"""Whom the verbs tell how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.networks.epochs import Epoch


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Standing:
    """Where a search stands.

    Attributes:
        finished: What came of the trials that are finished, as in `trials` of `tune --json`.
        of: How many trials there are.
        now: The number of the trial that begins, or None after the last one.
        settings: Which it tries, in words.
        seconds_left: At the pace of this process and those beside it; None before one is finished.
    """

    finished: list[dict[str, Any]]
    of: int
    now: int | None
    settings: str
    seconds_left: float | None


@dataclass(frozen=True)
class Watch:
    """Listeners; each is optional.

    Attributes:
        stage: A stage begins: what is being done, in words.
        step: One more of many things of the stage is done: how many now, of how many, which.
        epoch: An epoch has ended.
        search: A trial of a search begins, or the last one has ended.
        notice: Something the user must know, such as that the sample stands in for Yahoo.
    """

    stage: Callable[[str], None] = _ignore
    step: Callable[[int, int, str], None] = _ignore
    epoch: Callable[[Epoch], None] = _ignore
    search: Callable[[Standing], None] = _ignore
    notice: Callable[[str], None] = _ignore
