"""How a study comes to its settings: from a list that is known beforehand, or trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from typing import Any, Protocol

from forecast.errors import ConfigError
from forecast.pipeline.tune import candidates
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.tune.space import Space

SEARCHES = ("grid", "random", "tpe")
LARGEST_GRID = 10_000


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


def check_search(kind: str, space: Space) -> None:
    """Refuse a search that cannot be made, before any work.

    Raises:
        ConfigError: if there is no such search, a grid is too large, or Optuna is missing.
    """
    if kind not in SEARCHES:
        raise ConfigError(
            f"--search must be one of {', '.join(SEARCHES)}. Received {kind!r}.",
            hint="--search random",
        )
    if kind == "grid" and candidates.size(space) > LARGEST_GRID:
        raise ConfigError(
            f"a grid must have at most {LARGEST_GRID:,} combinations. This space has "
            f"{candidates.size(space):,}.",
            hint="fewer values, or --search random",
        )
    if kind == "tpe" and find_spec("optuna") is None:
        raise ConfigError(
            "--search tpe needs the optuna package. It is not installed.",
            hint="pip install -e '.[tune]', or --search random",
        )


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
        kind: One of `SEARCHES`, checked.
        space: To be searched.
        own: The settings as they are, in the space's terms.
        trials: At most so many, the first one with the settings as they are. None for all of a
            grid.
        seed: Of what is drawn.
        slots: Of the study.
    """
    if kind == "grid":
        listed = candidates.with_defaults_first(own, candidates.grid(space))
        return Listed(list(islice(listed, trials)))
    count = int(min(trials or 1, candidates.size_with(own, space)))
    if kind == "random":
        drawn = candidates.random(space, count=count, seed=seed)
        return Listed(list(islice(candidates.with_defaults_first(own, drawn), count)))
    from forecast.pipeline.tune.tpe import Tpe

    return Tpe(slots, space, own, count, seed)
