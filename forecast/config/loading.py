"""The settings as a user wrote them: file, variables, flags, and what is said of a wrong one."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from forecast.config.settings import Settings
from forecast.errors import ConfigError

PREFIX = "FORECAST_"
# Variables that belong to the command line, not to the settings.
_NOT_SETTINGS = {"FORECAST_HOME"}
_SECRET = {"nightly.webhook"}


def load_settings(home: Path, **flags: Any) -> Settings:
    """The settings for a home folder.

    Args:
        home: Folder that may hold `forecast.toml`. A path in that file, or in a variable, begins
            there: nights must not depend on where they are started from.
        flags: Values from the command line or a Python call; None means not given. A path there
            begins at the working directory.

    Raises:
        ConfigError: if a key is unknown (the nearest spelling is named) or a value is refused.
    """
    merged: dict[str, Any] = {}
    where: dict[str, str] = {}
    for origin, values in (
        (str(home / "forecast.toml"), _at(home, _from_file(home / "forecast.toml"))),
        ("environment", _at(home, _from_environment(os.environ))),
        (
            "the flags or arguments",
            {name: value for name, value in flags.items() if value is not None},
        ),
    ):
        for key, value in values.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = {**merged[key], **value}
            else:
                merged[key] = value
            where[key] = origin
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, where) from error


def webhook_of(home: Path) -> str | None:
    """Where alerts are posted, also where another setting is refused; None if nowhere.

    As it was written: `webhook_refusal` says whether it will do.

    Raises:
        ConfigError: if no variable says it and `forecast.toml` cannot be read.
    """
    given = {name.upper(): value for name, value in os.environ.items()}
    written = given.get(f"{PREFIX}NIGHTLY__WEBHOOK")
    if written is None:
        table = _from_file(home / "forecast.toml").get("nightly")
        written = table.get("webhook") if isinstance(table, dict) else None
    return str(written) if written else None


def changed(settings: Settings, **values: Any) -> Settings:
    """The settings with other values, which must fit the rest as if they had been loaded.

    Raises:
        ConfigError: if a value is refused.
    """
    try:
        return Settings.model_validate(settings.model_dump() | values)
    except ValidationError as error:
        raise _explain(error, {}) from error


def _at(home: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The values, in which the folder of `csv:DIR` begins at the home folder."""
    kind, _, folder = str(values.get("source", "")).partition(":")
    # A `~` is the user's own, and its fault is told with the setting's name.
    if kind != "csv" or not folder or folder.startswith("~"):
        return values
    return values | {"source": f"csv:{home / folder}"}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        # Some editors begin a file with a byte order mark, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError as error:
        raise ConfigError(
            f"the home folder must be a folder. Received {path.parent}, which is none.",
            hint="another one with --home DIR, or FORECAST_HOME=DIR",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise ConfigError(
            f"{path} must be a readable TOML file. Reading it failed: {error}.",
            hint=f"correct {path.name}, or remove it",
        ) from error


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """`FORECAST_LOOKBACK=60` sets `lookback`; `FORECAST_QUALITY__JUMP=8` sets `[quality] jump`."""
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in variables.items():
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        key, _, inner = name.removeprefix(PREFIX).lower().partition("__")
        if key in values and (not inner or isinstance(values[key], str)):
            raise ConfigError(
                f"setting {key!r} must be set by one variable, or a group by its parts. Received "
                f"{names[key]} and {name}.",
                hint=f"unset {names[key]} or {name}",
            )
        names[key] = name
        if inner:
            values.setdefault(key, {})[inner] = value
        else:
            values[key] = value
    return values


def _explain(error: ValidationError, where: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name, origin = ".".join(path), where.get(path[0], "settings")
    if first["type"] == "extra_forbidden":
        fields = Settings.model_fields
        for part in path[:-1]:
            annotation = fields[part].annotation
            fields = annotation.model_fields if isinstance(annotation, type) else {}
        near = difflib.get_close_matches(path[-1], fields, n=1, cutoff=0.0)
        return ConfigError(
            f"every setting must be a known one. Received {name!r} from {origin}.",
            hint=f"{near[0]!r}, if that was meant" if near else "remove it",
        )
    refusal = getattr(first.get("ctx", {}).get("error"), "__cause__", None)
    if isinstance(refusal, ConfigError):
        told = refusal.message.removesuffix(".")
        return ConfigError(f"setting {name!r}: {told} from {origin}.", hint=refusal.hint)
    message = first["msg"].removeprefix("Value error, ")
    received = "one that is not shown" if name in _SECRET else repr(first["input"])
    return ConfigError(
        f"setting {name!r}: {message[0].lower()}{message[1:]}. Received {received} from {origin}.",
        hint=f"another value for {name!r}",
    )
