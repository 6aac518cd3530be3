"""The textbook's script: two LSTM(50), window 10, scaled close, 50 epochs, batch 32.

As found in many tutorials, with its usual slips left out: the scaler is fitted on the training
part, and the forecasts are turned back into prices. Written for comparison; see
`against_textbook.py`, which runs it.

    python benchmarks/textbook.py AAPL 2011-04-13
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.preprocessing import MinMaxScaler

from forecast.market.bars import derive_bars
from forecast.market.sources import sample

WINDOW = 10


def main(ticker: str, first_test_origin: str) -> None:
    """Train, forecast each session after the first test origin, print the scores as JSON."""
    keras.utils.set_random_seed(7)
    close = derive_bars(sample.fetch(ticker).quotes)["close"]
    first = int(close.index.get_loc(first_test_origin)) + 1
    scaler = MinMaxScaler().fit(close.to_numpy()[:first, None])
    scaled = scaler.transform(close.to_numpy()[:, None])[:, 0]
    windows = np.lib.stride_tricks.sliding_window_view(scaled, WINDOW)[:-1, :, None]
    outcomes = scaled[WINDOW:]
    train = first - WINDOW
    model = keras.Sequential(
        [
            keras.Input((WINDOW, 1)),
            keras.layers.LSTM(50, return_sequences=True),
            keras.layers.LSTM(50),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mse")
    model.fit(windows[:train], outcomes[:train], epochs=50, batch_size=32, verbose=0)
    predicted = scaler.inverse_transform(model.predict(windows[train:], verbose=0))[:, 0]
    actual = close.to_numpy()[first:]
    last_close = close.to_numpy()[first - 1 : -1]
    print(
        json.dumps(
            {
                "origins": len(actual),
                "mse_price": float(np.mean((actual - predicted) ** 2)),
                "mae_price": float(np.mean(np.abs(actual - predicted))),
                "mse_price_last_close": float(np.mean((actual - last_close) ** 2)),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
