"""The frame of class forecasts: every probability and the class that came; probabilities.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.errors import ArtifactError
from forecast.files import write_atomically

PREFIX = "probability_"
_KEYS = ["ticker", "origin", "step", "session", "model"]


@dataclass(frozen=True)
class ClassPrediction:
    """One model's class forecasts.

    Attributes:
        probabilities: Shape (n, horizon, classes), each row adds up to 1.
        called: The class that the model names, as a number, shape (n, horizon).
    """

    probabilities: np.ndarray
    called: np.ndarray


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Columns that hold the probability of each class."""
    return [f"{PREFIX}{name}" for name in classes]


def classes_of(frame: pd.DataFrame) -> list[str]:
    """The classes of a frame, from its columns."""
    return [str(name).removeprefix(PREFIX) for name in frame if str(name).startswith(PREFIX)]


def class_frame(
    prediction: ClassPrediction,
    *,
    classes: Sequence[str],
    ticker: str,
    model: str,
    origins: pd.DatetimeIndex,
    sessions: np.ndarray,
    actual: np.ndarray,
) -> pd.DataFrame:
    """One model's class forecasts of one ticker as rows.

    Args:
        prediction: n origins.
        classes: Their names.
        ticker: Named in each row.
        model: Named in each row: a network or a baseline.
        origins: Shape (n,).
        sessions: The sessions forecast, datetime64, shape (n, horizon).
        actual: The classes that came, as numbers, NaN = not known, shape (n, horizon).

    Returns:
        n x horizon rows in the order of origin, then step: `ticker, origin, step, session, model,
        probability_…, called, actual`; the last two are names, `actual` empty where not known.
    """
    n, horizon, count = prediction.probabilities.shape
    names = np.array([*classes, ""], dtype=object)
    came = np.where(np.isnan(actual), count, actual).astype(int)
    values = prediction.probabilities.reshape(n * horizon, count)
    columns: dict[str, object] = {
        "ticker": ticker,
        "origin": origins.repeat(horizon),
        "step": np.tile(np.arange(1, horizon + 1), n),
        "session": pd.DatetimeIndex(sessions.ravel()),
        "model": model,
        **dict(zip(probability_columns(classes), values.T, strict=True)),
        "called": names[prediction.called.ravel()],
        "actual": names[came.ravel()],
    }
    return pd.DataFrame(columns).astype(_kinds(classes))


def write_class_forecasts(path: Path, frame: pd.DataFrame) -> None:
    """Write probabilities.csv whole or not at all; reading it gives the same floats bit for bit.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    text = frame.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    write_atomically(path, text.encode())


def read_class_forecasts(path: Path) -> pd.DataFrame:
    """The frame of a probabilities.csv.

    Raises:
        ArtifactError: if the file is missing or is no such table.
    """
    try:
        text = pd.read_csv(path, dtype="str", keep_default_na=False)
        classes = classes_of(text)
        numbers = {
            name: [float(value) for value in text[name]] for name in probability_columns(classes)
        }
        if not classes:
            raise ValueError("no column of probabilities")
        frame = text.assign(**numbers)
        return frame[[*_KEYS, *numbers, "called", "actual"]].astype(_kinds(classes))
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{path} must be a table with the columns {', '.join(_KEYS)}, {PREFIX}…, called, "
            f"actual. Reading it failed: {error}.",
            hint="forecast train TICKER",
        ) from error


def _kinds(classes: Sequence[str]) -> dict[str, str]:
    return {
        **{"ticker": "str", "origin": "datetime64[s]", "step": "int64"},
        **{"session": "datetime64[s]", "model": "str", "called": "str", "actual": "str"},
        **dict.fromkeys(probability_columns(classes), "float64"),
    }
