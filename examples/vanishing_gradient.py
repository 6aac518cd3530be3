"""How much of the gradient is left after so many steps back: SimpleRNN, LSTM and GRU, measured.

The gradient of the forecast by the row `lag` steps before the last, as backpropagation through
time gives it in `forecast/networks/fast/` (SimpleRNN: as Keras does). Once as Keras starts the
layers; once with a SimpleRNN whose recurrent matrix is plain random numbers, as the texts have it,
and with gates that training could open.

    python -m examples.vanishing_gradient [--units 32] [--seed 7] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import LogFormatterMathtext

from examples.options import count, seed
from forecast.networks.architectures import build
from forecast.networks.heads import POINT
from forecast.networks.training import prepare_backend
from forecast.report.picture import Picture
from forecast.report.style import (
    BLUE,
    BODY,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    SMALL,
    dress,
    label_ends,
    new_figure,
)

COLOURS = {"simple_rnn": ORANGE, "lstm": BLUE, "gru": GREEN}
LABELS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
AS_KERAS, OPEN = "as Keras starts them", "gates open"
RADIUS, GATE_BIAS = 0.9, 4.0
LAGS, WINDOWS, FEATURES = 100, 20, 4
SMALLEST, LEAST_SHOWN = 1e-30, 1e-7
LAG, TIMES = 50, 100.0
"""Open gates must leave so many times more than a SimpleRNN does, so many steps back."""


def open_gates(model: Any, network: str, rng: np.random.Generator) -> None:
    """Gates that keep 98 % of the state at a step; for a SimpleRNN a matrix of random numbers."""
    layer = model.get_layer(f"{network.replace('_', '')}_1")
    kernel, recurrent, bias = layer.get_weights()
    units = len(recurrent)
    if network == "simple_rnn":
        # Its largest eigenvalues lie near RADIUS (V. Girko 1985, The circular law).
        recurrent = rng.normal(0.0, RADIUS / np.sqrt(units), recurrent.shape)
    elif network == "lstm":
        bias[units : 2 * units] = GATE_BIAS  # the forget gate
    else:
        bias[0, :units] = GATE_BIAS  # the update gate
    layer.set_weights([kernel, recurrent, bias])


def gradient_norms(model: Any, *, lags: int, rng: np.random.Generator) -> np.ndarray:
    """Norm of the forecast's gradient by each row of a random window, the last row first.

    Keras gives gradients to optimizers alone. So a weight of zero is added to the window, and one
    step down the slope of the forecast, with a rate of 1, makes of it the gradient.

    Returns:
        Geometric mean over `WINDOWS` windows, shape (lags,).
    """
    import keras

    place = keras.Input(batch_shape=(1, lags), dtype="int32")
    rows = keras.layers.Embedding(lags, FEATURES, trainable=False)
    moved = keras.layers.Embedding(lags, FEATURES)
    model.trainable = False
    probe = keras.Model(place, model(rows(place) + moved(place)))
    probe.compile(keras.optimizers.SGD(1.0), loss=lambda _, forecast: forecast)
    norms = []
    for _ in range(WINDOWS):
        rows.embeddings.assign(rng.normal(size=(lags, FEATURES)))
        moved.embeddings.assign(np.zeros((lags, FEATURES)))
        probe.train_on_batch(np.arange(lags)[None], np.zeros((1, 1, 1)))
        gradient = np.asarray(moved.embeddings, dtype="float64")[::-1]
        norms.append(np.linalg.norm(gradient, axis=1))
    return np.exp(np.log(np.maximum(norms, SMALLEST)).mean(axis=0))


def measure(*, units: int, lags: int, seed: int) -> dict[str, pd.DataFrame]:
    """Norms by lag, as shares of lag 0: a frame as Keras starts and one with open gates."""
    prepare_backend(seed)
    rng = np.random.default_rng(seed)
    measured: dict[str, dict[str, np.ndarray]] = {AS_KERAS: {}, OPEN: {}}
    for network in LABELS:
        for start, columns in measured.items():
            model = build(
                network, head=POINT, n_features=FEATURES, horizon=1, units=(units,), fast=True
            )
            if start == OPEN:
                open_gates(model, network, rng)
            norms = gradient_norms(model, lags=lags, rng=rng)
            columns[network] = norms / norms[0]
    index = pd.RangeIndex(lags, name="lag")
    return {start: pd.DataFrame(columns, index=index) for start, columns in measured.items()}


def draw(measured: dict[str, pd.DataFrame], *, units: int) -> Picture:
    """Both frames side by side, on one logarithmic scale."""
    title = "An open gate carries the gradient; a plain recurrent network loses it"
    figure = new_figure(
        title, f"one layer of {units} · gradient by the row so many steps back, over the last row’s"
    )
    grid = figure.add_gridspec(1, 2, left=0.085, right=0.93, bottom=0.12, top=0.75, wspace=0.2)
    notes = {
        AS_KERAS: "orthogonal matrix · forget bias 1 · update bias 0",
        OPEN: f"random matrix, radius {RADIUS} · forget and update bias {GATE_BIAS:.0f}",
    }
    for place, (start, frame) in enumerate(measured.items()):
        axes = figure.add_subplot(grid[place])
        axes.set_yscale("log")
        dress(axes)
        axes.set_title(
            start[0].upper() + start[1:], loc="left", y=1.07, size=BODY, color=INK, weight="bold"
        )
        axes.text(0, 1.03, notes[start], transform=axes.transAxes, size=SMALL, color=MUTED)
        axes.set(xlim=(0, len(frame) - 1), ylim=(LEAST_SHOWN, 10))
        axes.yaxis.set_major_formatter(LogFormatterMathtext())
        axes.set_xlabel("steps back", size=SMALL, color=MUTED)
        ends = []
        for network, norms in frame.items():
            axes.plot(norms.index, norms, color=COLOURS[network], linewidth=2)
            if norms.iloc[-1] > LEAST_SHOWN:
                ends.append((float(norms.iloc[-1]), LABELS[network], COLOURS[network]))
            else:  # beside the line, a little before it leaves the page
                at = int((norms < 10 * LEAST_SHOWN).to_numpy().argmax())
                axes.annotate(
                    LABELS[network],
                    (at, norms[at]),
                    xytext=(-10, -4),
                    ha="right",
                    textcoords="offset points",
                    size=SMALL,
                    color=COLOURS[network],
                )
        label_ends(axes, ends)
    alt = "; ".join(
        f"{start}, {LAG} steps back: "
        + ", ".join(f"{LABELS[name]} {frame.loc[LAG, name]:.1e}" for name in frame)
        for start, frame in measured.items()
    )
    return Picture("vanishing_gradient", figure, title, alt, reading="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table; 1 unless open gates keep far more of the gradient."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=count, default=32)
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    options = parser.parse_args(arguments)
    measured = measure(units=options.units, lags=LAGS, seed=options.seed)
    print("Norm of the gradient so many steps back, over that of the last row")
    for start, frame in measured.items():
        shown = frame.loc[[1, 5, 10, 20, LAG, LAGS - 1]].rename(columns=LABELS)
        print(f"\n{start}:\n{shown.to_string(float_format='{:.1e}'.format)}")
    if options.plot:
        options.plot.write_bytes(draw(measured, units=options.units).png())
    left = measured[OPEN].loc[LAG]
    kept = left[["lstm", "gru"]].min() > TIMES * left["simple_rnn"]
    print(f"\nOpen gates leave {TIMES:.0f} times more after {LAG} steps: {'yes' if kept else 'NO'}")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
