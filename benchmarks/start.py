"""How soon training begins, against the number of origins: from rows in memory to the first update.

    python benchmarks/start.py [--origins 10000,100000,1000000] [--rounds 3]

Each measurement is a process of its own that has not loaded TensorFlow yet; the rows are random
numbers, 5,000 a ticker. Prints a Markdown table of medians.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from forecast.config import Settings
from forecast.features.windows import Windows, concatenate, make_windows
from forecast.networks import epochs, training

FEATURES, LOOKBACK, SESSIONS = 16, 60, 5_000


class BegunError(Exception):
    """The first update is done; nothing more is wanted."""


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--origins", default="10000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(windows_of(options.one))))
        return
    print("| origins | training begins after, s | first update done after, s |\n|---|---|---|")
    for origins in (int(size) for size in options.origins.split(",")):
        command = [sys.executable, __file__, f"--one={origins}"]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            for _ in range(options.rounds)
        ]
        begins, done = np.median(runs, axis=0)
        print(f"| {origins:,} | {begins:.2f} | {done:.2f} |", flush=True)


def windows_of(origins: int) -> Windows:
    """Random rows of as many tickers as it takes."""
    rng = np.random.default_rng(0)
    each = SESSIONS - LOOKBACK
    return concatenate(
        [
            make_windows(
                rng.standard_normal((SESSIONS, FEATURES)).astype("float32"),
                np.r_[rng.standard_normal((SESSIONS - 1, 1)), [[np.nan]]].astype("float32"),
                pd.bdate_range("2000-01-03", periods=SESSIONS),
                lookback=LOOKBACK,
                feature_names=[f"feature_{number}" for number in range(FEATURES)],
            )
            for _ in range(-(-origins // each))
        ]
    )


def measured(windows: Windows) -> tuple[float, float]:
    """Seconds until training begins, and until its first update is done; both from here."""
    cut = len(windows) * 7 // 10
    train, validation = windows.take(range(cut)), windows.take(range(cut, len(windows)))
    defaults, moments = Settings(), []

    def watched(learner: Any, *parts: Any, **given: Any) -> Any:
        update = learner.train_on_batch
        moments.append(time.perf_counter())

        def first(x: np.ndarray, y: np.ndarray) -> None:
            update(x, y)
            moments.append(time.perf_counter())
            raise BegunError

        learner.train_on_batch = first
        return epochs.train_epochs(learner, *parts, **given)

    begun = time.perf_counter()
    with mock.patch.object(training, "train_epochs", watched), suppress(BegunError):
        training.fit(
            train,
            validation,
            network=defaults.network,
            units=defaults.units,
            dropout=defaults.dropout,
            l2=defaults.l2,
            learning_rate=defaults.learning_rate,
            epochs=1,
            patience=defaults.patience,
            seed=defaults.seed,
        )
    return moments[0] - begun, moments[1] - begun


if __name__ == "__main__":
    main()
