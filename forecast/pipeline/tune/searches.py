"""How a study comes to its settings: from a list that is known beforehand, or trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from forecast.errors import ConfigError
from forecast.pipeline.tune import candidates
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.tune.space import Space

SEARCHES = ("grid", "random", "tpe")


class Search(Protocol):
    """Where the settings of each trial come from. Trial 0 is the settings as they are."""

    @property
    def trials(self) -> int:
        """How many trials there are."""

    def settings(self, number: int) -> dict[str, Any]:
        """The values to try, in the space's terms; asked by whoever holds the trial."""

    def hopeless(self, number: int, losses: list[float]) -> bool:
        """Whether the trial may end after these folds."""

    def learn(self, number: int, result: dict[str, Any]) -> None:
        """What came of the trial."""


@dataclass(frozen=True)
class Listed:
    """A grid or a random search: every trial is known beforehand, and none is cut short."""

    values: Sequence[dict[str, Any]]

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return len(self.values)

    def settings(self, number: int) -> dict[str, Any]:
        """The values to try."""
        return self.values[number]

    def hopeless(self, number: int, losses: list[float]) -> bool:
        """Never: a grid has every value of every combination."""
        return False

    def learn(self, number: int, result: dict[str, Any]) -> None:
        """Nothing."""


def search_of(
    kind: str,
    space: Space,
    own: dict[str, Any],
    *,
    trials: int | None,
    seed: int,
    slots: Slots,
) -> Search:
    """The search.

    Args:
        kind: One of `SEARCHES`.
        space: To be searched.
        own: The settings as they are, in the space's terms.
        trials: At most so many, the first one with the settings as they are. None for all of a
            grid.
        seed: Of what is drawn.
        slots: Of the study.

    Raises:
        ConfigError: if there is no such search, a grid would be without end, or Optuna is missing.
    """
    if kind not in SEARCHES:
        raise ConfigError(
            f"--search must be one of {', '.join(SEARCHES)}. Received {kind!r}.",
            hint="--search random",
        )
    if kind == "grid":
        listed = candidates.with_defaults_first(own, candidates.grid(space))
        return Listed(list(islice(listed, trials)))
    count = int(min(trials or 1, candidates.size(space) + 1))
    if kind == "random":
        drawn = candidates.random(space, count=count, seed=seed)
        return Listed(list(islice(candidates.with_defaults_first(own, drawn), count)))
    from forecast.pipeline.tune.tpe import Tpe

    return Tpe.open(slots, space, own, trials=count, seed=seed)
