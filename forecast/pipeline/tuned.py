"""The settings that a search found best for a ticker: written by `tune`, read by `train`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from forecast.config import Settings
from forecast.errors import ConfigError, NotEnoughBars
from forecast.features.inputs import warm_up_of
from forecast.features.splits import first_test_bar
from forecast.files import inside, write_atomically
from forecast.market.fetching import Fetched
from forecast.pipeline.preparing import features_of
from forecast.pipeline.watch import Watch

FILE = "tuned.toml"


@dataclass(frozen=True)
class Tuned:
    """The best settings of a study.

    Attributes:
        study: Its folder, relative to the home folder.
        target: That it was made for.
        horizon: Same.
        last: The last session that the study read.
        settings: Only those that were searched.
    """

    study: str
    target: str
    horizon: int
    last: date
    settings: dict[str, Any]

    def as_document(self) -> dict[str, Any]:
        """As JSON."""
        return {"study": self.study, "last": self.last.isoformat(), "settings": self.settings}


def path_of(home: Path, ticker: str) -> Path:
    """Where a ticker's best settings are."""
    return inside(home / "models", ticker, FILE)


def write_tuned(home: Path, ticker: str, tuned: Tuned, *, comment: str) -> None:
    """Write the best settings where `train` finds them; the file is whole or not there.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    lines = [
        *(f"# {line}" for line in comment.splitlines()),
        "",
        f"study = {_toml(tuned.study)}",
        f"target = {_toml(tuned.target)}",
        f"horizon = {tuned.horizon}",
        f"last = {tuned.last.isoformat()}",
        "",
        "[settings]",
        *(f"{name} = {_toml(value)}" for name, value in tuned.settings.items()),
    ]
    write_atomically(path_of(home, ticker), ("\n".join(lines) + "\n").encode())


def read_tuned(home: Path, ticker: str) -> Tuned | None:
    """The best settings of a ticker, or None where there are none.

    Raises:
        ConfigError: if the file is damaged, or holds what is no setting.
    """
    path = path_of(home, ticker)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        tuned = Tuned(**found)
        Settings.model_validate(tuned.settings)
        # Not a datetime either, which is a date that no date can be compared with.
        if type(tuned.last) is not date:
            raise TypeError(f"last is {tuned.last!r}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} must hold what forecast tune wrote. Reading it failed: "
            f"{str(error).splitlines()[0]}.",
            hint=f"forecast tune {ticker}, or rm {path}",
        ) from error
    return tuned


def tuned_for(
    fetched: Fetched, *, home: Path, settings: Settings, watch: Watch
) -> tuple[Settings, Tuned | None]:
    """The settings with the ticker's best ones where the user has set none, and which these were.

    They are left out, with a notice, where they were found for another target or horizon, do not go
    with what the user has set, or were found on bars that the test part would be made of: it must
    not have had a say in them.

    Raises:
        ConfigError: if the file is damaged.
    """
    ticker = fetched.ticker
    tuned = read_tuned(home, ticker)
    if tuned is None:
        return settings, None
    if (tuned.target, tuned.horizon) != (settings.target, settings.horizon):
        watch.notice(
            f"{ticker}: the tuned settings are left out. They were found for target "
            f"{tuned.target} and horizon {tuned.horizon}; this is {settings.target}, "
            f"{settings.horizon}."
        )
        return settings, None
    free = {
        name: value
        for name, value in tuned.settings.items()
        if name not in settings.model_fields_set
    }
    if not free:
        return settings, None
    try:
        chosen = Settings.model_validate({**settings.model_dump(exclude_unset=True), **free})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        watch.notice(
            f"{ticker}: the tuned settings are left out. They do not go with what is set: {reason}."
        )
        return settings, None
    first = _first_test_session(fetched, chosen)
    if first is not None and first <= tuned.last:
        watch.notice(
            f"{ticker}: the tuned settings are left out. They were found on bars to "
            f"{tuned.last}; the test part begins on {first}."
        )
        return settings, None
    where = path_of(home, ticker).relative_to(home).as_posix()
    watch.notice(f"{ticker}: tuned settings, {_in_words(free)} ({tuned.study}), from {where}")
    return chosen, Tuned(tuned.study, tuned.target, tuned.horizon, tuned.last, free)


def _first_test_session(fetched: Fetched, settings: Settings) -> date | None:
    bars = fetched.bars
    before = warm_up_of(features_of(settings)) + settings.lookback
    try:
        row = first_test_bar(
            len(bars), before=before, horizon=settings.horizon, ticker=fetched.ticker
        )
    except NotEnoughBars:
        # The training will say so.
        return None
    first: date = bars.index[row].date()
    return first


def _in_words(settings: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        if isinstance(value, list):
            return ",".join(map(str, value)) if len(value) <= 4 else f"{len(value)} of them"
        return str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in settings.items())


def _toml(value: Any) -> str:
    # Strings, numbers and lists of them are written alike in JSON and TOML.
    return json.dumps(value, ensure_ascii=False)
