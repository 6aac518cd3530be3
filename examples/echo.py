"""Delayed echo: a network gives back the value before the last one of a random signal.

Nothing in the last row says what it must answer, so it can only be right by remembering.

    python -m examples.echo [--network lstm] [--delay 1] [--seed 7] [--epochs 150]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from examples.options import count, seed
from forecast.features.windows import Windows, make_windows
from forecast.networks.architectures import NETWORKS
from forecast.networks.heads import POINT
from forecast.networks.training import fit, infer

GOAL = 0.99
LOOKBACK = 10


def echo_windows(rows: int, *, delay: int, rng: np.random.Generator) -> Windows:
    """Windows of independent values, uniform in [-1, 1]; the target is the value `delay` before.

    Args:
        rows: Length of the signal.
        delay: Steps from the last row back to the one to be answered, in [1, LOOKBACK).
        rng: Of the signal.
    """
    signal = rng.uniform(-1.0, 1.0, rows)
    echo = np.roll(signal, delay)
    echo[:delay] = 0.0  # no window ends so early
    return make_windows(
        signal[:, None],
        # The last row has no outcome yet, as in any Windows.
        np.r_[echo[:-1], np.nan][:, None],
        pd.date_range("2000-01-01", periods=rows),
        lookback=LOOKBACK,
        feature_names=["signal"],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, score on a signal that was never seen, print R²; 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=list(NETWORKS), default="lstm")
    parser.add_argument("--delay", type=int, choices=range(1, LOOKBACK), default=1)
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--epochs", type=count, default=150)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    train, validation, test = (
        echo_windows(rows, delay=options.delay, rng=rng) for rows in (20_000, 4_000, 4_000)
    )
    fitted = fit(
        train,
        validation,
        network=options.network,
        head=POINT,
        units=(32,),
        dropout=0.0,
        l2=0.0,
        learning_rate=1e-2,
        epochs=options.epochs,
        patience=15,
        seed=options.seed,
        centred=False,
    )
    error = test.y - infer(fitted.model, test, head=POINT)[..., 0]
    r2 = 1.0 - float(np.mean(error**2) / np.var(test.y))
    print(f"{options.network}, delay {options.delay}, {len(test):,} held-out windows")
    print(f"R² {r2:.4f} (goal: above {GOAL}), best of {len(fitted.loss)} epochs")
    return int(r2 <= GOAL)


if __name__ == "__main__":
    sys.exit(main())
