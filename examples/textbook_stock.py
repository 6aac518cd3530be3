"""The textbook's stock forecast, two LSTM(50) on ten scaled prices: its leak, and it put right.

First as many texts have it: 50 epochs on scaled prices, the scaler fitted on all rows, so that it
knows how high the price will go. Then the same with a scaler that knows the training part alone.
Last put right: returns in place of prices, stopped by a validation part. What "tomorrow = today"
scores on the same sessions stands beside all three.

    python -m examples.textbook_stock [--ticker AAPL] [--seed 7] [--epochs 50] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from examples.options import count, seed
from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.lag import LagTest, lag_test
from forecast.evaluation.significance import diebold_mariano
from forecast.features.scaling import Scaler, fit_minmax, fit_standard
from forecast.features.windows import Windows, make_windows
from forecast.market.bars import derive_bars
from forecast.market.sources import sample
from forecast.networks.architectures import build
from forecast.networks.heads import POINT
from forecast.networks.training import fit, infer, prepare_backend

WINDOW = 10
UNITS = (50, 50)
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
LEAKY, HONEST, RIGHT = "prices, scaler sees all", "prices, scaler sees training", "returns"
WAYS, LAST = (LEAKY, HONEST, RIGHT), "last_close"


def forecasts(close: pd.Series, *, seed: int, epochs: int) -> pd.DataFrame:
    """Tomorrow's close as each way has it, over the test part [quote currency].

    Args:
        close: Adjusted close, shape (n,).
        seed: Of the networks.
        epochs: Of the textbook's training; put right, training stops by itself.

    Returns:
        Index: the session that is forecast; a column a way, `last_close` and `actual`.
    """
    prices = close.to_numpy()[:, None]
    moves = np.diff(np.log(prices), axis=0, prepend=np.log(prices[:1]))
    count = len(prices) - WINDOW
    train, test = range(round(TRAIN_SHARE * count) - 1), range(round(TRAIN_SHARE * count), count)
    known = train.stop + WINDOW  # rows whose price the training part holds
    origins = np.array(test) + WINDOW - 1
    told = {LAST: prices[origins, 0]}
    for name, scaler in ((LEAKY, fit_minmax(prices)), (HONEST, fit_minmax(prices[:known]))):
        windows = windows_of(prices, scaler, close.index)
        told[name] = as_the_textbook(windows.take(train), windows.take(test), seed, epochs)
        told[name] = told[name] * scaler.scale[0] + scaler.center[0]
    scaler = fit_standard(moves[:known])
    windows = windows_of(moves, scaler, close.index)
    ahead = put_right(windows.take(train), windows.take(test), seed)
    told[RIGHT] = told[LAST] * np.exp(ahead * scaler.scale[0] + scaler.center[0])
    return pd.DataFrame({**told, "actual": prices[origins + 1, 0]}, index=close.index[origins + 1])


def windows_of(values: np.ndarray, scaler: Scaler, sessions: pd.DatetimeIndex) -> Windows:
    """Windows of scaled values, shape (n, 1), each with the value that follows."""
    scaled = scaler.transform(values)
    following = np.vstack([scaled[1:], [[np.nan]]])
    return make_windows(scaled, following, sessions, lookback=WINDOW, feature_names=["value"])


def as_the_textbook(train: Windows, test: Windows, seed: int, epochs: int) -> np.ndarray:
    """Keras's `fit` on every window for a set number of epochs; the next value, shape (n,)."""
    prepare_backend(seed)
    model = build("lstm", head=POINT, n_features=1, horizon=1, units=UNITS)
    model.compile("adam", loss=POINT.loss())
    x, y = train.gather(slice(None)), train.y[..., None]
    model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
    return infer(model, test, head=POINT)[:, 0, 0]


def put_right(train: Windows, test: Windows, seed: int) -> np.ndarray:
    """This program's training, stopped by the latest tenth; the next value, shape (n,)."""
    first = round((1 - VALIDATION_SHARE) * len(train))
    fitted = fit(
        train.take(range(first - 1)),
        train.take(range(first, len(train))),
        network="lstm",
        head=POINT,
        units=UNITS,
        dropout=0.0,
        l2=0.0,
        learning_rate=3e-3,
        epochs=100,
        patience=15,
        seed=seed,
    )
    return infer(fitted.model, test, head=POINT)[:, 0, 0]


def shifted(told: pd.DataFrame, *, ticker: str) -> LagTest:
    """Is the textbook's line yesterday's price?"""
    rows = pd.DataFrame({"origin": told.index, "session": told.index, "actual": told["actual"]})
    rows = rows.assign(ticker=ticker, step=1, **dict.fromkeys(QUANTILE_COLUMNS, np.nan))
    models = [rows.assign(model=name, predicted=told[name]) for name in (LEAKY, LAST)]
    return lag_test(pd.concat(models), model=LEAKY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all three, print errors beside last close; 1 unless they come out as is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ticker", choices=sample.TICKERS, default="AAPL")
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--epochs", type=count, default=50)
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    options = parser.parse_args(arguments)
    close = derive_bars(sample.fetch(options.ticker).quotes)["close"]
    told = forecasts(close, seed=options.seed, epochs=options.epochs)
    actual, naive = told["actual"], (told[LAST] - told["actual"]) ** 2
    print(f"{options.ticker}, two LSTM(50), window {WINDOW}; {len(told)} sessions never trained on")
    print(f"{'':30}{'MSE, USD²':>10}{'MAE, USD':>10}{'R²':>8}{'p against last close':>24}")
    squared = {name: (told[name] - actual) ** 2 for name in (*WAYS, LAST)}
    for name, errors in squared.items():
        p = diebold_mariano(errors.to_numpy(), naive.to_numpy(), step=1)
        r2 = 1 - errors.mean() / actual.var(ddof=0)
        print(
            f"{name:30}{errors.mean():10.3f}{np.sqrt(errors).mean():10.3f}{r2:8.3f}"
            + ("" if name == LAST else f"{p:24.3f}")
        )
    lag = shifted(told, ticker=options.ticker)
    print(lag.text)
    if options.plot:
        from examples.textbook_picture import draw

        options.plot.write_bytes(draw(told, ticker=options.ticker).png())
    known = (
        lag.persistence
        and squared[LEAKY].mean() < 0.05 * actual.var(ddof=0)
        and naive.mean() < squared[LEAKY].mean() < squared[HONEST].mean()
        and squared[RIGHT].mean() < 1.02 * naive.mean()
    )
    print(
        "Known result: R² above 0.95 with the leak, and yet worse than last close; without the "
        f"leak worse still; returns within 2 % of last close: {'yes' if known else 'NO'}"
    )
    return int(not known)


if __name__ == "__main__":
    sys.exit(main())
