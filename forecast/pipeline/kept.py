"""Forecasts kept as soon as they are made, so that what was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.pipeline.preparing import Prepared, features_of
from forecast.pipeline.provenance import code_hash, data_hash, settings_document, versions
from forecast.pipeline.readers import Reader, read_by

_CODE = ("features", "networks", "baselines", "evaluation", "pipeline")


def deciding(
    settings: Settings, readers: AbstractSet[Reader], *, but: AbstractSet[str] = frozenset()
) -> dict[str, Any]:
    """The settings that a result depends on, given the bars.

    Args:
        settings: The resolved ones.
        readers: What the result is made by: of `VERBS`, or fewer.
        but: Left out all the same, such as a seed that names the result's file.

    Raises:
        ConfigError: if a feature is unknown.
    """
    chosen = read_by(readers, settings_document(settings))
    chosen["features"] = list(features_of(settings))
    return {name: value for name, value in chosen.items() if name not in but}


def key_of(bars: pd.DataFrame, wanted: Mapping[str, Any]) -> str:
    """Names everything that forecasts depend on: these settings, bars, code, libraries."""
    document = {
        "settings": wanted,
        "bars": data_hash(bars),
        "code": code_hash(*_CODE),
        "on": versions(),
    }
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seeds_of(settings: Settings) -> list[int]:
    """The seeds, from the one that was set on."""
    return [(settings.seed + number) % 2**32 for number in range(settings.seeds)]


def kept(
    path: Path,
    one: Prepared,
    make: Callable[[], pd.DataFrame],
    *,
    read: Callable[[Path], pd.DataFrame],
    write: Callable[[Path, pd.DataFrame], None],
) -> pd.DataFrame:
    """The forecasts of the test part in the file, or else made and written to it."""
    frame = kept_forecasts(path, one, read=read)
    if frame is None:
        frame = make()
        write(path, frame)
    return frame


def kept_forecasts(
    path: Path, one: Prepared, *, read: Callable[[Path], pd.DataFrame]
) -> pd.DataFrame | None:
    """The forecasts in the file, if it is there and holds the test part, every number of it."""
    if not path.exists():
        return None
    try:
        frame = read(path)
    except ArtifactError:
        return None
    wanted = one.part("test").origin.as_unit("s").repeat(one.inputs.horizon)
    models = frame["model"].nunique()
    whole = sorted(frame["origin"]) == sorted([*wanted] * models)
    return frame if whole and np.isfinite(frame.select_dtypes("number")).all(axis=None) else None
