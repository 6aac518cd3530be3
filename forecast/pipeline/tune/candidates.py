"""Which settings a grid and a random search try, in which order: the n-th is always the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from forecast.pipeline.tune.space import NAMES, Range, Space, label, settle

_SHUFFLED = 100_000
"""Spaces of up to so many combinations are shuffled whole."""


def size(space: Space) -> float:
    """How many combinations there are; infinite with a range of more than whole numbers."""
    return math.prod(_count(values) for values in space.values())


def size_with(own: Mapping[str, Any], space: Space) -> float:
    """The same, with the settings as they are among them."""
    listed = _listed(space)
    inside = all(own[name] in values for name, values in listed.items())
    return size(space) + (0 if inside else 1)


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination once; those of one network shape follow each other.

    A compiled network is used again by the next training of its shape, which saves seconds.
    """
    from sklearn.model_selection import ParameterGrid

    places = _listed(space)

    def order(one: Mapping[str, Any]) -> list[int]:
        return [places[name].index(one[name]) for name in NAMES if name in one]

    for one in sorted(ParameterGrid(places), key=order):
        yield {name: one[name] for name in space}


def random(space: Space, *, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` combinations drawn at random, none twice; more of them begin with the same ones.

    Fewer where there are no more.
    """
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    total, listed = size(space), _listed(space)
    ranged = any(isinstance(values, Range) for values in space.values())
    if total <= _SHUFFLED and not ranged:
        # scikit-learn's sampler would give other first ones when asked for more.
        all_ = ParameterGrid(listed)
        for place in np.random.default_rng(seed).permutation(len(all_))[:count]:
            one = all_[int(place)]
            yield {name: one[name] for name in space}
        return
    seen: set[str] = set()
    drawn = ParameterSampler(_drawn(space), 100 * count if ranged else count, random_state=seed)
    # Of a small space, those that chance left out.
    for one in chain(drawn, () if math.isinf(total) else ParameterGrid(listed)):
        values = {name: settle(space[name], one[name]) for name in space}
        if (key := key_of(values)) not in seen:
            seen.add(key)
            yield values
        if len(seen) == count:
            return


def with_defaults_first(
    own: Mapping[str, Any], others: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The settings as they are, then all others, each once."""
    yield dict(own)
    yield from (one for one in others if key_of(one) != key_of(own))


def key_of(values: Mapping[str, Any]) -> str:
    """The same text for the same values, and for no others."""
    return " ".join(f"{name}={label(values[name])}" for name in sorted(values))


def _count(values: tuple[Any, ...] | Range) -> float:
    if not isinstance(values, Range):
        return len(values)
    return values.high - values.low + 1 if values.whole else math.inf


def _listed(space: Space) -> dict[str, Sequence[Any]]:
    """What can be listed: choices, and ranges of whole numbers."""
    return {
        name: range(int(values.low), int(values.high) + 1) if isinstance(values, Range) else values
        for name, values in space.items()
        if not isinstance(values, Range) or values.whole
    }


def _drawn(space: Space) -> dict[str, Any]:
    """As scikit-learn takes it: lists, and scipy's distributions."""
    from scipy.stats import loguniform, randint, uniform

    def one(values: tuple[Any, ...] | Range) -> Any:
        if not isinstance(values, Range):
            return list(values)
        if values.log:
            return loguniform(values.low, values.high)
        if values.whole:
            return randint(int(values.low), int(values.high) + 1)
        return uniform(values.low, values.high - values.low)

    return {name: one(values) for name, values in space.items()}
