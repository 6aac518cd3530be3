"""What a study searches: for each setting a list of choices, or a range."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from forecast.config import Settings, changed
from forecast.config import Space as SpaceSettings
from forecast.errors import ConfigError
from forecast.features.inputs import warm_up_of
from forecast.features.sets import FEATURE_GROUPS, check_features
from forecast.pipeline.preparing import batch_of, features_of, learning_rate_of

NAMES = tuple(SpaceSettings.model_fields)
_RANGES = {"lookback", "dropout", "l2", "learning_rate", "batch", "patience"}
_WHOLE = {"lookback", "batch", "patience"}
_RANGE = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+?)(\s+log)?\s*")

SEARCHED: dict[str, Any] = {
    "network": ["lstm", "gru", "simple_rnn"],
    "units": ["16", "32", "64", "32+32", "64+64"],
    "lookback": [20, 40, 60, 90],
    "features": list(FEATURE_GROUPS),
    "dropout": "0..0.4",
    "learning_rate": "0.001..0.02 log",
    "batch": [32, 64, 128],
}
GRID: dict[str, Any] = {
    "network": ["lstm", "gru"],
    "units": ["32", "64+64"],
    "lookback": [30, 60],
    "learning_rate": [0.003, 0.008],
}
"""16 combinations: 48 trainings of some seconds in three folds."""


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included.

    Attributes:
        low: Smallest.
        high: Largest.
        log: Its logarithm is what is spread evenly.
        whole: Whole numbers only.
    """

    low: float
    high: float
    log: bool
    whole: bool


Space: TypeAlias = dict[str, "tuple[Any, ...] | Range"]
"""Setting → choices as JSON has them (units as a list, features by the name of their group or as a
list), or a range."""


def space_of(settings: Settings, *, grid: bool) -> Space:
    """The space to search: the user's own, or else the default one.

    Of the default one the settings are left out that the user has set: those are held.

    Args:
        settings: The resolved ones, `[tune.space]` among them.
        grid: It must be made of choices alone.

    Raises:
        ConfigError: if a value is none of that setting's, a network cannot be trained with the
            other settings, or a grid has a range.
    """
    said = settings.tune.space.model_dump(exclude_none=True)
    if not said:
        wanted = GRID if grid else SEARCHED
        said = {
            name: value
            for name, value in wanted.items()
            if name not in settings.model_fields_set
            and (name != "features" or settings.target != "price")
        }
    if not said:
        raise ConfigError(
            "a search must have something to search. Every setting of the default space is set "
            "in forecast.toml, the environment or a flag.",
            hint="--space learning_rate=0.001,0.003",
        )
    space = {name: _values(name, said[name]) for name in NAMES if name in said}
    ranged = [name for name, values in space.items() if isinstance(values, Range)]
    if grid and ranged:
        raise ConfigError(
            f"a grid is made of choices. The space has a range for {ranged[0]!r}.",
            hint="a list of values, or --search random",
        )
    networks = space.get("network", ())
    for network in () if isinstance(networks, Range) else networks:
        changed(settings, network=network)
    return space


def read_flags(words: Sequence[str]) -> dict[str, Any] | None:
    """`[tune.space]` from what `--space name=a,b,c` or `--space name=low..high` says.

    Raises:
        ConfigError: if a word is of another form, names no setting that can be searched, or one
            that has been named before.
    """
    space: dict[str, Any] = {}
    for word in words:
        name, equals, said = (part.strip() for part in word.partition("="))
        if not (name and equals and said):
            raise ConfigError(
                f"--space must be NAME=VALUE,VALUE or NAME=LOW..HIGH. Received {word!r}.",
                hint="--space learning_rate=0.001,0.003",
            )
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"--space must name one of {', '.join(NAMES)}. Received {name!r}.",
                hint=f"--space {near}={said}",
            )
        if name in space:
            raise ConfigError(
                f"--space must name each setting once. Received {name!r} again, as {word!r}.",
                hint=f"--space {name}=A,B with all its values",
            )
        space[name] = said if ".." in said else said.split(",")
    return space or None


def own_values(space: Space, settings: Settings) -> dict[str, Any]:
    """The settings as they are, in the space's terms."""
    return {name: _own(name, settings) for name in space}


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with these values of the space in place of their own."""
    update = dict(values)
    if "features" in update:
        update["features"] = features_named(update["features"])
    if "units" in update:
        update["units"] = tuple(update["units"])
    return settings.model_copy(update=update)


def features_named(said: Any) -> tuple[str, ...]:
    """The indicators of a group, or those listed."""
    return FEATURE_GROUPS[said] if isinstance(said, str) else tuple(said)


def reach(space: Space, settings: Settings) -> tuple[int, int]:
    """Fewest and most bars up to the first origin: warm-up and lookback, defaults included."""
    lookbacks = [settings.lookback, *_ends(space.get("lookback", ()))]
    named = [features_of(settings)]
    named += [features_named(one) for one in _ends(space.get("features", ()))]
    warm_ups = [warm_up_of(names) for names in named]
    return min(lookbacks) + min(warm_ups), max(lookbacks) + max(warm_ups)


def label(value: Any) -> str | float | int:
    """A value as one word: `64+64`, `gru`, `0.003`."""
    return "+".join(str(part) for part in value) if isinstance(value, list | tuple) else value


def settle(values: tuple[Any, ...] | Range, drawn: Any) -> Any:
    """What was drawn, as a person would write it: four digits, or a whole number."""
    if not isinstance(values, Range):
        return drawn
    if values.whole:
        return round(float(drawn))
    return min(max(float(f"{float(drawn):.4g}"), values.low), values.high)


def as_document(space: Space) -> dict[str, Any]:
    """As JSON: a list of choices, or `{"from", "to", "log"}`."""
    return {
        name: {"from": values.low, "to": values.high, "log": values.log}
        if isinstance(values, Range)
        else list(values)
        for name, values in space.items()
    }


def as_flags(space: Space) -> list[str]:
    """The flags that say the same."""
    return [f"--space={name}={_as_text(values)}" for name, values in space.items()]


def _as_text(values: tuple[Any, ...] | Range) -> str:
    if isinstance(values, Range):
        return f"{values.low!r}..{values.high!r}{' log' if values.log else ''}"
    return ",".join(str(label(value)) for value in values)


def _ends(values: tuple[Any, ...] | Range) -> tuple[Any, ...]:
    return (values.low, values.high) if isinstance(values, Range) else values


def _own(name: str, settings: Settings) -> Any:
    value = getattr(settings, name)
    if name == "features":
        names = features_of(settings)
        groups = [group for group, members in FEATURE_GROUPS.items() if members == names]
        return groups[0] if groups else list(names)
    if name == "learning_rate":
        return learning_rate_of(settings)
    if name == "batch":
        return batch_of(settings)
    return list(value) if isinstance(value, tuple) else value


def _values(name: str, said: Any) -> tuple[Any, ...] | Range:
    """What the user wrote for a setting, each value checked as that setting's."""
    if isinstance(said, str) and ".." in said:
        return _range(name, said)
    choices: list[Any] = []
    for one in said.split(",") if isinstance(said, str) else said:
        value = _value(name, one)
        if value not in choices:
            choices.append(value)
    if not choices:
        raise ConfigError(
            f"[tune.space] {name} must have at least one value. Received {said!r}.",
            hint=f"leave {name} out, or give it values",
        )
    return tuple(choices)


def _range(name: str, said: str) -> Range:
    match = _RANGE.fullmatch(said)
    ends = [_number(end) for end in match.groups()[:2]] if match else [None, None]
    low, high = ends
    if name not in _RANGES or low is None or high is None or not low < high:
        raise ConfigError(
            f"[tune.space] {name} must be a list of values"
            + (" or a range LOW..HIGH, LOW below HIGH" if name in _RANGES else "")
            + f". Received {said!r}.",
            hint='such as dropout = "0..0.4" or learning_rate = "0.001..0.02 log"',
        )
    log = match is not None and match.group(3) is not None
    if log and low <= 0:
        raise ConfigError(
            f"[tune.space] {name}: a range on a log scale must begin above 0. Received {said!r}.",
            hint=f"without log, or from a number above 0, for {name!r}",
        )
    first, last = _value(name, _plain(low)), _value(name, _plain(high))
    return Range(first, last, log, name in _WHOLE)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plain(number: float) -> float | int:
    return int(number) if number.is_integer() else number


def _value(name: str, said: Any) -> Any:
    """One value as JSON has it.

    Raises:
        ConfigError: if it is none of that setting's.
    """
    value = said.strip() if isinstance(said, str) else said
    if name == "features":
        return _feature_set(value)
    if name == "units":
        value = value.split("+") if isinstance(value, str) else value
        value = value if isinstance(value, list | tuple) else [value]
    try:
        checked = getattr(Settings.model_validate({name: value}), name)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"[tune.space] {name}: {reason[0].lower()}{reason[1:]}. Received {said!r}.",
            hint=f"another value for {name!r}",
        ) from error
    if checked is None or checked == ():
        raise ConfigError(
            f"[tune.space] {name}: a value must not be empty. Received {said!r}.",
            hint=f"another value for {name!r}",
        )
    return list(checked) if isinstance(checked, tuple) else checked


def _feature_set(said: Any) -> Any:
    if isinstance(said, str) and said in FEATURE_GROUPS:
        return said
    names = said.split("+") if isinstance(said, str) else said
    if isinstance(said, str) and len(names) == 1:
        near = difflib.get_close_matches(said, FEATURE_GROUPS, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"[tune.space] features: a set of indicators must be one of "
            f"{', '.join(FEATURE_GROUPS)}, or a list of indicators. Received {said!r}.",
            hint=f"{near!r}, or indicators joined by +, such as return_1+volatility_20",
        )
    if not isinstance(names, Iterable):
        raise ConfigError(
            f"[tune.space] features: a set must be a name or a list of names. Received {said!r}.",
            hint="features = ['default', 'ranges']",
        )
    return list(check_features([str(name).strip() for name in names]))
