"""The one task that every rival is given: scaled rows, encoded targets, and whose outcome counts.

    python -m benchmarks.rivals.task FILE.npz [--bars FOLDER] [--tickers 22] [--sessions 3500]
        [--features textbook]

The rows come from the same functions as in `forecast train`. The target is the next session's log
return in units of its standard deviation over the training part, as one would standardise by hand.
This program's own target is measured in the volatility that the last ranges imply: an untrained
network then is within 0.5 % of the best, and there would be nothing to time.

With `--bars` every CSV file of the folder with history enough takes part. Without, the committed
sample, filled up to `--tickers` with simulated tickers (GARCH with Student t shocks), so that
nothing has to be downloaded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.features.targets import LEVELS
from forecast.features.windows import Windows

ROOT = Path(__file__).parents[2]
LOOKBACK = 60
UNITS = (64, 64)
FEATURES = ("textbook", "default")
"""What the rows hold: what the texts add to a price, or what `forecast train` adds. The latter's
ranges all but give the spread away, so that every rival is near its best after some 20 updates."""
TEXTBOOK = (
    "return_1",
    "return_5",
    "return_20",
    "return_overnight",
    "sma_10_ratio",
    "sma_20_ratio",
    "sma_50_ratio",
    "rsi_14",
    "macd_ratio",
    "bollinger_20_b",
    "stochastic_14",
    "volume_20_ratio",
    "weekday_sin",
    "weekday_cos",
)
HELD_ORIGINS = 4096
"""At most so many origins are scored; more would tell no more, as neighbours share their rows."""


@dataclass(frozen=True)
class Task:
    """Rows of all tickers below each other, and the windows of each part.

    Attributes:
        features: Scaled on each ticker's training part, shape (rows, n_features), float32.
        targets: Standardised log return of the session after each row, shape (rows, 1), float32;
            NaN in the last row of each ticker.
        first_rows: Of each ticker, shape (tickers,).
        train: First rows of the training windows, increasing; stride 1 within a ticker.
        validation: The same for the validation part.
        held: First rows of the held-out windows that are scored.
        feature_names: One a column.
    """

    features: np.ndarray
    targets: np.ndarray
    first_rows: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    held: np.ndarray
    feature_names: tuple[str, ...]

    def windows(self, part: str) -> Windows:
        """The windows of `train`, `validation` or `held` as this program knows them."""
        starts = getattr(self, part)
        return Windows(
            features=self.features,
            targets=self.targets,
            starts=starts,
            lookback=LOOKBACK,
            horizon=1,
            # Nothing in training looks at the dates.
            origin=pd.DatetimeIndex(np.asarray(starts, dtype="datetime64[s]")),
            feature_names=self.feature_names,
        )

    def gather(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Windows (n, lookback, n_features) and their targets (n,)."""
        rows = starts[:, None] + np.arange(LOOKBACK)
        return self.features[rows], self.targets[starts + LOOKBACK - 1, 0]

    @property
    def quantiles(self) -> np.ndarray:
        """Quantiles of the training targets, shape (7,)."""
        return np.quantile(self.gather_targets("train"), LEVELS).astype("float32")

    def gather_targets(self, part: str) -> np.ndarray:
        """Targets of a part's windows, shape (n,)."""
        return self.targets[getattr(self, part) + LOOKBACK - 1, 0]

    def runs(self, part: str) -> list[tuple[int, int]]:
        """Stretches of windows at stride 1, one a ticker: (first row, how many windows)."""
        return self.windows(part).runs()


def pinball(outcomes: np.ndarray, quantiles: np.ndarray) -> float:
    """Mean pinball loss over origins and levels, in the target's unit.

    Args:
        outcomes: Shape (n,).
        quantiles: At `LEVELS`, shape (n, 7).
    """
    error = outcomes[:, None].astype("float64") - quantiles
    levels = np.array(LEVELS)
    return float(np.maximum(levels * error, (levels - 1.0) * error).mean())


def load(path: Path) -> Task:
    """The task in a file that `write` made."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return Task(**{**arrays, "feature_names": tuple(arrays["feature_names"].tolist())})


def write(path: Path, bars: Iterator[tuple[str, pd.DataFrame]], *, features: Sequence[str]) -> Task:
    """Prepare every ticker as `forecast train` does and write the task.

    Args:
        path: `.npz` file.
        bars: Tickers and their bars.
        features: Indicators.
    """
    from forecast.features.inputs import fit_inputs
    from forecast.features.targets import log_returns_ahead

    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    tables, targets, first_rows, rows = [], [], [], 0
    for ticker, history in bars:
        inputs, split = fit_inputs(
            history,
            ticker=ticker,
            feature_names=features,
            lookback=LOOKBACK,
            horizon=1,
            target="return",
        )
        windows = inputs.windows(history, ticker=ticker)
        close = history["close"].iloc[-len(windows.features) :]
        returns = log_returns_ahead(close, horizon=1)
        unit = returns[: split.train.stop - 1 + LOOKBACK].std()
        for name, starts in parts.items():
            starts.append(windows.take(getattr(split, name)).starts + rows)
        tables.append(windows.features)
        targets.append((returns / unit).astype("float32"))
        first_rows.append(rows)
        rows += len(windows.features)
    held = np.concatenate(parts["test"])
    task = Task(
        features=np.concatenate(tables),
        targets=np.concatenate(targets),
        first_rows=np.array(first_rows),
        train=np.concatenate(parts["train"]),
        validation=np.concatenate(parts["validation"]),
        held=held[:: -(-len(held) // HELD_ORIGINS)],
        feature_names=tuple(features),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **vars(task))
    return task


def sample_and_simulated(tickers: int, sessions: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """The sample's long histories, then simulated ones of `sessions` bars."""
    from forecast.market.bars import derive_bars
    from forecast.market.sources import sample

    # The simulator belongs to the tests.
    sys.path.append(str(ROOT / "tests"))
    from simulated import garch

    names = [name for name in sample.TICKERS if name != "FB"][:tickers]
    for name in names:
        yield name, derive_bars(sample.fetch(name).quotes).iloc[-sessions:]
    for number in range(tickers - len(names)):
        yield (
            f"SIM{number:02d}",
            garch(sessions, seed=number, volatility=0.01 + 0.001 * number).bars,
        )


def from_folder(
    folder: Path, tickers: int, names: Sequence[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The first `tickers` of a folder of CSV files whose bars are sound and long enough."""
    import forecast
    from forecast.errors import ForecastError
    from forecast.features.inputs import origins_of
    from forecast.features.splits import MIN_ORIGINS

    taken = 0
    with tempfile.TemporaryDirectory() as home:
        for path in sorted(folder.glob("*.csv*")):
            ticker = path.name.split(".csv")[0]
            try:
                bars = forecast.fetch(ticker, home=home, source=f"csv:{folder.absolute()}")
            except ForecastError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            if origins_of(len(bars), names, lookback=LOOKBACK, horizon=1) < MIN_ORIGINS:
                print(f"left out: {ticker} has {len(bars)} sessions only", file=sys.stderr)
                continue
            yield ticker, bars
            taken += 1
            if taken == tickers:
                return


def make(
    path: Path, *, bars: Path | None, tickers: int | None, sessions: int, features: str
) -> Task:
    """Write the task of a folder, or of the sample and simulated tickers.

    Args:
        path: `.npz` file.
        bars: Folder of `TICKER.csv[.gz]`, or None.
        tickers: At most so many; None for all of the folder, or 22.
        sessions: Of each simulated ticker.
        features: One of `FEATURES`.
    """
    names = features_of(features)
    if bars is not None:
        return write(path, from_folder(bars, tickers or sys.maxsize, names), features=names)
    return write(path, sample_and_simulated(tickers or 22, sessions), features=names)


def features_of(name: str) -> tuple[str, ...]:
    """The indicators that one of `FEATURES` stands for."""
    from forecast.features.sets import DEFAULT_FEATURES

    return TEXTBOOK if name == "textbook" else DEFAULT_FEATURES["return"]


def describe(task: Task) -> str:
    """Its size in words."""
    return (
        f"{len(task.first_rows)} tickers, {len(task.features):,} rows, {len(task.train):,} "
        f"training origins, {len(task.held):,} held-out origins scored"
    )


def options(parser: argparse.ArgumentParser) -> None:
    """What a task is made of."""
    parser.add_argument("--bars", type=Path, help="folder of TICKER.csv[.gz]; else the sample")
    parser.add_argument("--tickers", type=int, help="default 22; all with --bars")
    parser.add_argument("--sessions", type=int, default=3500, help="of simulated tickers")
    parser.add_argument("--features", choices=FEATURES, default="textbook")


def main() -> None:
    """Write the task and say how large it is."""
    parser = argparse.ArgumentParser(description="Write the task of the rivals.")
    parser.add_argument("file", type=Path)
    options(parser)
    wanted = parser.parse_args()
    task = make(
        wanted.file,
        bars=wanted.bars,
        tickers=wanted.tickers,
        sessions=wanted.sessions,
        features=wanted.features,
    )
    print(describe(task))


if __name__ == "__main__":
    main()
