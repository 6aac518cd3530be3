"""Open, close and volume of ten sessions tell tomorrow's close, as far as they do.

python -m examples.ten_days [--ticker AAPL] [--network lstm] [--seed 7] [--epochs 100]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from examples.options import count, seed
from forecast.evaluation.significance import diebold_mariano
from forecast.features.scaling import fit_standard
from forecast.features.splits import Split, chronological
from forecast.features.targets import log_returns_ahead
from forecast.features.windows import Windows, make_windows
from forecast.market.bars import derive_bars
from forecast.market.sources import sample
from forecast.networks.architectures import NETWORKS
from forecast.networks.heads import POINT
from forecast.networks.training import fit, infer

LOOKBACK = 10
WORST = 1.02
"""Of last close's squared error: nobody can be much better, and a network need not be worse."""


def changes(bars: pd.DataFrame) -> np.ndarray:
    """What open, close and volume did since the session before, in logs, shape (n - 1, 3).

    As levels a network would see prices it was never trained on as soon as they rise.
    """
    close, volume = np.log(bars["close"]), np.log1p(bars["volume"])
    gap = np.log(bars["open"]) - close.shift()
    return np.column_stack([gap, close.diff(), volume.diff()])[1:]


def ten_day_windows(bars: pd.DataFrame, *, ticker: str) -> tuple[Windows, Split, float]:
    """Windows of scaled changes with tomorrow's scaled return, their parts, and the return's scale.

    Both scales are those of the training part.
    """
    rows = changes(bars)
    split = chronological(len(rows) - LOOKBACK, horizon=1, sessions=len(bars), ticker=ticker)
    known = split.train.stop + LOOKBACK - 1
    ahead = log_returns_ahead(bars["close"], horizon=1)[1:]
    unit = float(ahead[:known].std())
    windows = make_windows(
        fit_standard(rows[:known]).transform(rows),
        ahead / unit,
        bars.index[1:],
        lookback=LOOKBACK,
        feature_names=["open", "close", "volume"],
    )
    return windows, split, unit


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, forecast the test part, print errors beside last close; 1 if far worse than that."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticker", choices=sample.TICKERS, default="AAPL")
    parser.add_argument("--network", choices=list(NETWORKS), default="lstm")
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--epochs", type=count, default=100)
    options = parser.parse_args(arguments)
    bars = derive_bars(sample.fetch(options.ticker).quotes)
    windows, split, unit = ten_day_windows(bars, ticker=options.ticker)
    test = windows.take(split.test)
    fitted = fit(
        windows.take(split.train),
        windows.take(split.validation),
        network=options.network,
        head=POINT,
        units=(32,),
        dropout=0.2,
        l2=0.0,
        learning_rate=3e-3,
        epochs=options.epochs,
        patience=15,
        seed=options.seed,
    )
    last = bars["close"].loc[test.origin].to_numpy()
    actual = last * np.exp(test.y[:, 0] * unit)
    told = {
        options.network: last * np.exp(infer(fitted.model, test, head=POINT)[:, 0, 0] * unit),
        "last close": last,
    }
    squared = {name: (prices - actual) ** 2 for name, prices in told.items()}
    print(f"{options.ticker}: tomorrow's close from open, close, volume of {LOOKBACK} sessions")
    print(
        f"{len(test)} sessions never seen, {test.origin[0]:%Y-%m-%d} – {test.origin[-1]:%Y-%m-%d}"
    )
    for name, errors in squared.items():
        mae = np.sqrt(errors).mean()
        print(f"{name:12} MSE {errors.mean():8.4f} USD²   MAE {mae:7.4f} USD")
    ours, naive = squared.values()
    p, ratio = diebold_mariano(ours, naive, step=1), float(ours.mean() / naive.mean())
    verdict = "no difference" if not p < 0.05 else "better" if ratio < 1 else "worse"
    print(f"Squared error {100 * (ratio - 1):+.2f} %, Diebold-Mariano p = {p:.3f}: {verdict}")
    return int(ratio > WORST or verdict == "worse")


if __name__ == "__main__":
    sys.exit(main())
