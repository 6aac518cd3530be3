"""The Forecast frame: every forecast and its outcome, in prices; and its file, forecasts.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from forecast.errors import ArtifactError
from forecast.features.targets import LEVELS, Prediction
from forecast.files import write_atomically

QUANTILE_COLUMNS = [f"p{round(100 * level):02d}" for level in LEVELS]
FORECAST_COLUMNS = [
    "ticker",
    "origin",
    "step",
    "session",
    "model",
    "predicted",
    *QUANTILE_COLUMNS,
    "actual",
]


def forecast_frame(
    prediction: Prediction,
    *,
    ticker: str,
    model: str,
    close: np.ndarray,
    origins: pd.DatetimeIndex,
    sessions: np.ndarray,
    actual: np.ndarray,
) -> pd.DataFrame:
    """One model's forecasts of one ticker as rows, in prices.

    Args:
        prediction: Log returns from the close at the origin, n origins.
        ticker: Named in each row.
        model: Named in each row: a network or a baseline.
        close: Adjusted close at the origin [quote currency], shape (n,).
        origins: The origins, shape (n,).
        sessions: The sessions forecast, datetime64, shape (n, horizon).
        actual: Adjusted closes that came [quote currency], NaN = not known, shape (n, horizon).

    Returns:
        Forecast frame, n x horizon rows in the order of origin, then step; `predicted` is
        `close * exp(point)`, the quantiles likewise; the index is 0, 1, 2 …

    Raises:
        ValueError: if the shapes do not agree.
    """
    n, horizon = prediction.point.shape
    shapes = [close.shape, origins.shape, sessions.shape, actual.shape, prediction.quantiles.shape]
    wanted = [(n,), (n,), (n, horizon), (n, horizon), (n, horizon, len(LEVELS))]
    if shapes != wanted:
        raise ValueError(f"shapes must be {wanted} for this prediction. Received {shapes}.")
    start = close.astype("float64")[:, None]
    prices = start[:, :, None] * np.exp(prediction.quantiles.astype("float64"))
    quantiles = prices.reshape(n * horizon, len(LEVELS))
    columns: dict[str, object] = {
        "ticker": ticker,
        "origin": origins.repeat(horizon),
        "step": np.tile(np.arange(1, horizon + 1), n),
        "session": pd.DatetimeIndex(sessions.ravel()),
        "model": model,
        "predicted": (start * np.exp(prediction.point.astype("float64"))).ravel(),
        **dict(zip(QUANTILE_COLUMNS, quantiles.T, strict=True)),
        "actual": actual.astype("float64").ravel(),
    }
    return pd.DataFrame(columns, columns=FORECAST_COLUMNS).astype(_KINDS)


_KINDS = {
    "ticker": "str",
    "origin": "datetime64[s]",
    "step": "int64",
    "session": "datetime64[s]",
    "model": "str",
} | dict.fromkeys(["predicted", *QUANTILE_COLUMNS, "actual"], "float64")


def outcomes(
    bars: pd.DataFrame,
    origins: pd.DatetimeIndex,
    *,
    horizon: int,
    coming: pd.DatetimeIndex | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The sessions after each origin and their closes.

    Args:
        bars: Bars.
        origins: Sessions of the bars, shape (n,).
        horizon: Sessions ahead, >= 1.
        coming: Sessions after the last bar, from the exchange's calendar; needed when an origin
            is within `horizon` of the end.

    Returns:
        Sessions (datetime64) and adjusted closes [quote currency, NaN = not known yet], both of
        shape (n, horizon).

    Raises:
        ValueError: if an origin is no session, or a session after it is not known.
    """
    index = bars.index if coming is None else bars.index.append(coming)
    rows = bars.index.get_indexer(origins)
    ahead = rows[:, None] + np.arange(1, horizon + 1)
    if (rows < 0).any() or (ahead >= len(index)).any():
        raise ValueError("every origin must be a session with `horizon` known sessions after it.")
    close = np.full(len(index), np.nan)
    close[: len(bars)] = bars["close"].to_numpy("float64")
    return index.to_numpy()[ahead], close[ahead]


def write_forecasts(path: Path, frame: pd.DataFrame) -> None:
    """Write forecasts.csv whole or not at all; reading it back gives the same floats bit for bit.

    Raises:
        ArtifactError: if the folder cannot be written.
    """
    text = frame[FORECAST_COLUMNS].to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    write_atomically(path, text.encode())


def read_forecasts(path: Path) -> pd.DataFrame:
    """The Forecast frame of a forecasts.csv.

    Raises:
        ArtifactError: if the file is missing or is no such table.
    """
    try:
        # Read as text: a ticker may be spelt NA, and float() returns the very bits written.
        text = pd.read_csv(path, dtype="str", keep_default_na=False)[FORECAST_COLUMNS]
        numbers = {
            name: [float(value or "nan") for value in text[name]]
            for name, kind in _KINDS.items()
            if kind == "float64"
        }
        return text.assign(**numbers).astype(_KINDS)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{path} must be a table with the columns {', '.join(FORECAST_COLUMNS)}. "
            f"Reading it failed: {error}.",
            hint="forecast train TICKER",
        ) from error
