"""Beijing's PM2.5: which of six classes the air is in, one hour ahead.

Reads the UCI file (https://archive.ics.uci.edu/dataset/381, `PRSA_data_2010.1.1-2014.12.31.csv`; X.
Liang et al. 2015, Assessing Beijing's PM2.5 pollution, Proc. R. Soc. A 471). Without `--file` a
made-up series in the same columns and units stands in, and every line says so.

    python -m examples.air_quality [--file FILE.csv] [--lookback 24] [--network lstm]
                                   [--seed 7] [--epochs 100]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from examples.options import count, seed
from forecast.errors import ForecastError, SourceError
from forecast.evaluation.significance import diebold_mariano
from forecast.features.scaling import fit_standard
from forecast.features.splits import chronological
from forecast.features.windows import Windows, make_windows
from forecast.networks.architectures import NETWORKS
from forecast.networks.heads import classes
from forecast.networks.training import fit, infer

BOUNDS = (35.0, 75.0, 115.0, 150.0, 250.0)
NAMES = ("excellent", "good", "light", "moderate", "heavy", "severe")
"""Upper bounds [µg/m³] and names of the classes: China's HJ 633-2012, 24-hour PM2.5."""
RUN = 24
WIND = ("NW", "NE", "SE", "cv")


def made_up(hours: int, *, seed: int) -> pd.DataFrame:
    """A series in the file's columns and units; it is not Beijing's air.

    Log PM2.5 comes back to a mean that is higher in winter, rises in calm or south-easterly air and
    is blown away by north-westerly wind; wind speed adds up while the direction holds, as in the
    file.
    """
    rng = np.random.default_rng(seed)
    time = pd.date_range("2010-01-01", periods=hours, freq="h")
    winter = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 15) / 365.25)
    day = -np.cos(2 * np.pi * (time.hour.to_numpy() - 3) / 24)
    wind, speed, level = np.zeros(hours, int), np.zeros(hours), np.zeros(hours)
    for hour in range(1, hours):
        stays = rng.random() < 0.85
        wind[hour] = wind[hour - 1] if stays else rng.choice(4, p=[0.32, 0.12, 0.35, 0.21])
        gust = rng.gamma(2.0, 0.9 if wind[hour] == 3 else 2.2)
        speed[hour] = gust + (speed[hour - 1] if stays else 0.0)
        blown = 0.004 * min(speed[hour], 60.0) * (wind[hour] == 0) - 0.07 * (wind[hour] > 1)
        back = 0.03 * (0.25 * winter[hour] - level[hour - 1])
        level[hour] = level[hour - 1] + back - blown + rng.normal(0, 0.13)
    temperature = 12.5 - 15 * winter + 4 * day + rng.normal(0, 1.5, hours)
    frame = pd.DataFrame(
        {
            "No": np.arange(1, hours + 1),
            "year": time.year,
            "month": time.month,
            "day": time.day,
            "hour": time.hour,
            "pm2.5": np.exp(4.0 + level).clip(1, 990).round(),
            "DEWP": (temperature - 8 + 4 * level).round(),
            "TEMP": temperature.round(),
            "PRES": (1016 + 9 * winter + rng.normal(0, 2, hours)).round(),
            "cbwd": np.array(WIND)[wind],
            "Iws": speed.round(2),
            "Is": 0,
            "Ir": 0,
        }
    )
    frame.loc[:23, "pm2.5"] = np.nan  # as the file begins
    for first in rng.integers(hours, size=hours // 110):
        frame.loc[first : first + rng.geometric(0.2), "pm2.5"] = np.nan
    return frame


def read(file: Path) -> pd.DataFrame:
    """The UCI file.

    Raises:
        SourceError: if it cannot be read, lacks a column, or holds words for numbers.
    """
    needed = {"year", "month", "day", "hour", "pm2.5", "DEWP", "TEMP", "PRES", "cbwd", "Iws"}
    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{file} must be a readable CSV file: {error}",
            hint="download PRSA_data_2010.1.1-2014.12.31.csv from UCI, or leave out --file",
        ) from error
    if lacking := sorted(needed - set(frame)):
        raise SourceError(
            f"{file} must have UCI's columns. Missing: {', '.join(lacking)}.",
            hint="download PRSA_data_2010.1.1-2014.12.31.csv from UCI, or leave out --file",
        )
    try:
        numbers = frame[sorted(needed - {"cbwd"})].apply(pd.to_numeric)
    except ValueError as error:
        raise SourceError(
            f"{file}: every column but cbwd must hold numbers. {error}.",
            hint="download PRSA_data_2010.1.1-2014.12.31.csv from UCI, or leave out --file",
        ) from error
    return frame.assign(**numbers)


def hourly_windows(frame: pd.DataFrame, *, lookback: int) -> Windows:
    """Unscaled windows of all hours whose next class is known.

    An unknown PM2.5 counts as the last known one, with a column that says so; where the next hour's
    is unknown there is no outcome and so no window.
    """
    frame = frame.loc[frame["pm2.5"].first_valid_index() :].reset_index(drop=True)
    pm = frame["pm2.5"].to_numpy("float64")
    angle = 2 * np.pi * frame["hour"].to_numpy() / 24
    columns = {
        "log_pm2.5": np.log1p(frame["pm2.5"].ffill().to_numpy()),
        "unknown": np.isnan(pm).astype(float),
        **{name: frame[name].to_numpy("float64") for name in ("DEWP", "TEMP", "PRES")},
        "log_wind": np.log1p(frame["Iws"].to_numpy("float64")),
        **{wind: (frame["cbwd"] == wind).to_numpy(float) for wind in WIND[:3]},
        "hour_sin": np.sin(angle),
        "hour_cos": np.cos(angle),
    }
    came = np.where(np.isnan(pm), np.nan, np.searchsorted(BOUNDS, pm))
    windows = make_windows(
        np.column_stack(list(columns.values())),
        np.r_[came[1:], np.nan][:, None],
        pd.DatetimeIndex(pd.to_datetime(frame[["year", "month", "day", "hour"]])),
        lookback=lookback,
        feature_names=list(columns),
    )
    return windows.take(np.flatnonzero(np.isfinite(windows.y[:, 0])))


def unbroken(windows: Windows) -> Windows:
    """Only windows in runs of at least a day: a causal network is trained on stretches.

    Raises:
        SourceError: if there is none.
    """
    rows = [np.arange(first, first + n) for first, n in windows.runs() if n >= RUN]
    if not rows:
        raise SourceError(
            f"training needs {RUN} hours without a gap. There are none in a part of the series.",
            hint="a longer series",
        )
    return windows.take(np.flatnonzero(np.isin(windows.starts, np.concatenate(rows))))


def show(name: str, came: np.ndarray, told: np.ndarray) -> None:
    """Share right, and over the classes alike."""
    recalls = [(told[came == number] == number).mean() for number in np.unique(came)]
    print(f"{name:24} {100 * (told == came).mean():6.1f} %  {100 * np.mean(recalls):6.1f} %")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, name the test part's classes; 1 if no better than the majority, or worse than now."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--lookback", type=count, default=24)
    parser.add_argument("--network", choices=list(NETWORKS), default="lstm")
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--epochs", type=count, default=100)
    parser.add_argument("--hours", type=count, default=43_824, help="of the made-up series")
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except ForecastError as error:
        print(error, file=sys.stderr)
        return 1


def run(options: argparse.Namespace) -> int:
    """The same, of options read.

    Raises:
        ForecastError: if the file or its length will not do.
    """
    frame = read(options.file) if options.file else made_up(options.hours, seed=options.seed)
    source = options.file.name if options.file else "MADE-UP series, not Beijing's air"
    windows = hourly_windows(frame, lookback=options.lookback)
    split = chronological(len(windows), horizon=1, sessions=len(frame), ticker=source)
    known = windows.starts[split.train.stop - 1] + options.lookback
    scaler = fit_standard(windows.features[:known])
    raw = windows.features[:, 0]
    windows = replace(windows, features=scaler.transform(windows.features))
    train, validation, test = (
        windows.take(part) for part in (split.train, split.validation, split.test)
    )
    head = classes(len(NAMES))
    fitted = fit(
        unbroken(train),
        unbroken(validation),
        network=options.network,
        head=head,
        units=(32,),
        dropout=0.1,
        l2=0.0,
        learning_rate=1e-2,
        epochs=options.epochs,
        patience=12,
        seed=options.seed,
        centred=False,
    )
    came = test.y[:, 0].astype(int)
    told = infer(fitted.model, test, head=head)[:, 0].argmax(axis=-1)
    now = np.searchsorted(BOUNDS, np.expm1(raw[test.starts + test.lookback - 1]).round())
    majority = np.full_like(came, np.bincount(train.y[:, 0].astype(int)).argmax())
    print(
        f"{source}: class of the next hour from {options.lookback} hours, {len(test):,} hours "
        f"never seen, from {test.origin[0]:%Y-%m-%d}"
    )
    print(f"{'':24} {'right':>8}  {'classes alike':>8}")
    for name, answers in ((options.network, told), ("as it is now", now), ("majority", majority)):
        show(name, came, answers)
    print("\nRows: what came. Columns: what was named.")
    print(
        pd.DataFrame(
            pd.crosstab(
                pd.Categorical(came, range(6)), pd.Categorical(told, range(6)), dropna=False
            ).to_numpy(),
            NAMES,
            NAMES,
        )
    )
    wrong, naive, plain = ((answers != came).astype(float) for answers in (told, now, majority))
    p = diebold_mariano(wrong, naive, step=1)
    print(f'\nAgainst "as it is now": Diebold-Mariano p = {p:.3f}')
    worse = wrong.mean() > naive.mean() and p < 0.05
    clear = wrong.mean() < plain.mean() and diebold_mariano(wrong, plain, step=1) < 0.05
    return int(worse or not clear)


if __name__ == "__main__":
    sys.exit(main())
