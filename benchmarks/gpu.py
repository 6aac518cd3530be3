"""What a GPU makes of this program's network: run it anywhere with one, and keep the table.

    [KERAS_BACKEND=tensorflow|jax|torch] python benchmarks/gpu.py [--out FOLDER] [--smoke]

Training steps of the default network on its own slices, 75 rows with a loss on the last 60, for
every kernel, precision and batch; the card's limit for matrix products; and one training over 500
tickers of 20 years (simulated rows). Writes `CARD-BACKEND.md` and `.json`. Without a GPU it says
so and exits 1; `--smoke` runs everything at a tiny size, on the CPU too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from benchmarks.rivals.limit import flops_per_step
from forecast.config import Settings
from forecast.features.windows import Windows
from forecast.networks import devices, training
from forecast.networks.architectures import build
from forecast.networks.batches import training_context
from forecast.networks.heads import point_and_quantile_loss

N_FEATURES, UNITS, LOOKBACK = 16, (64, 64), 60
SESSIONS_A_YEAR = 252
KERNELS = {
    "tensorflow": ("fused", "plain", "xla"),
    # JAX compiles every training step with XLA; torch has none.
    "jax": ("fused", "xla"),
    "torch": ("fused", "plain"),
}
"""cuDNN's; the backend's own loop; that loop compiled by XLA."""


@dataclass(frozen=True)
class Size:
    """How much is done."""

    matrix: int
    batches: tuple[int, ...]
    scored: int
    seconds: float
    tickers: int
    years: int
    epochs: int


FULL = Size(8192, (64, 256, 1024, 4096), 60, 2.0, 500, 20, Settings().epochs)
SMOKE = Size(256, (8, 16), 8, 0.2, 4, 2, 1)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("reports/gpu"))
    parser.add_argument("--smoke", action="store_true", help="tiny, on the CPU too")
    wanted = parser.parse_args()
    # Not `training.prepare_backend`: under its determinism Keras would refuse XLA.
    import keras

    device = devices.devices()[0]
    backend = keras.backend.backend()
    if device.kind != "GPU" and not wanted.smoke:
        print(
            f"Keras's backend {backend} finds no GPU here. `forecast doctor` says why; another "
            "backend (KERAS_BACKEND=jax or torch) may find one; --smoke tries this script on the "
            "CPU.",
            file=sys.stderr,
        )
        sys.exit(1)
    size = SMOKE if wanted.smoke else FULL
    results = {
        "device": device.name,
        "kind": device.kind,
        "backend": backend,
        "versions": {name: version(name) for name in ("keras", backend)},
        "matrix": size.matrix,
        "limits": {name: matrix_limit(name, size) for name in devices.PRECISIONS},
        "flops_per_step": flops_per_step(N_FEATURES, UNITS),
        "steps": list(sweep(backend, device, size)),
        "many": many(size),
    }
    name = re.sub(r"[^a-z0-9]+", "-", f"{device.name}-{backend}".lower()).strip("-")
    wanted.out.mkdir(parents=True, exist_ok=True)
    (wanted.out / f"{name}.json").write_text(json.dumps(results, indent=1))
    (wanted.out / f"{name}.md").write_text(as_markdown(results))
    print(as_markdown(results))


def matrix_limit(precision: str, size: Size) -> float:
    """Operations a second of chained square products in this precision."""
    from keras import ops

    kind = precision.removeprefix("mixed_")
    matrix = ops.cast(ops.full((size.matrix, size.matrix), 1.0 / size.matrix), kind)

    def chain() -> None:
        result = matrix
        for _ in range(10):
            result = ops.matmul(result, matrix)
        # Reading a number waits for the card.
        float(ops.convert_to_numpy(ops.cast(result[0, 0], "float32")))

    return 10 * 2.0 * size.matrix**3 / fastest(chain, seconds=size.seconds)


def sweep(backend: str, device: devices.Device, size: Size) -> Iterator[dict[str, Any]]:
    """Training speed of every kernel, precision and batch; an `error` where one cannot run."""
    kernels = [name for name in KERNELS[backend] if name != "fused" or device.kind == "GPU"]
    for kernel, precision, batch in product(kernels, devices.PRECISIONS, size.batches):
        tried = {"kernel": kernel, "precision": precision, "batch": batch}
        print(f"{kernel}, {precision}, batch {batch} …", file=sys.stderr)
        try:
            speed = steps_per_s(kernel, precision, batch, size)
        except Exception as error:  # a card may lack the memory or the kernel: the rest goes on
            reason = str(error).strip().splitlines() or [type(error).__name__]
            yield {**tried, "error": reason[0][:200]}
        else:
            yield {**tried, "steps_per_s": speed}


def steps_per_s(kernel: str, precision: str, batch: int, size: Size) -> float:
    """LSTM steps a second: rows through both layers, forward, backward and the update."""
    import keras
    from keras import ops

    keras.backend.clear_session()
    devices.set_precision(precision)
    try:
        network = build("lstm", n_features=N_FEATURES, horizon=1, units=UNITS, scored=size.scored)
    finally:
        devices.set_precision("float32")
    for layer in network.layers:
        if isinstance(layer, keras.layers.LSTM):
            layer.use_cudnn = kernel == "fused"
            # Set to False while the layer was built, as if it were to be fused.
            layer.supports_jit = kernel != "fused"
    network.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=point_and_quantile_loss(),
        jit_compile=kernel == "xla",
    )
    rows = training_context(LOOKBACK, size.scored) + size.scored
    rng = np.random.default_rng(0)
    x = ops.convert_to_tensor(rng.standard_normal((batch, rows, N_FEATURES), dtype="float32"))
    y = ops.convert_to_tensor(rng.standard_normal((batch, size.scored, 1, 1), dtype="float32"))
    return batch * rows / fastest(lambda: network.train_on_batch(x, y), seconds=size.seconds)


def many(size: Size) -> dict[str, float]:
    """One network over many simulated tickers, and forecasts of their last 15 %."""
    rows = size.years * SESSIONS_A_YEAR
    parts = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}
    rng = np.random.default_rng(0)
    features = rng.standard_normal((size.tickers * rows, N_FEATURES), dtype="float32")
    # The first feature tells the spread, so that there is something to learn.
    targets = np.exp(0.4 * features[:, :1]) * rng.standard_normal((len(features), 1), "float32")
    origins = rows - LOOKBACK
    windows = {}
    for name, (first, last) in parts.items():
        within = np.arange(round(first * origins), round(last * origins))
        starts = (np.arange(size.tickers)[:, None] * rows + within).ravel()
        windows[name] = Windows(
            features=features,
            targets=targets,
            starts=starts,
            lookback=LOOKBACK,
            horizon=1,
            origin=pd.DatetimeIndex(starts.astype("datetime64[s]")),
            feature_names=tuple(f"x{number}" for number in range(N_FEATURES)),
        )
    defaults = Settings()
    begun = time.perf_counter()
    fitted = training.fit(
        windows["train"],
        windows["validation"],
        network="lstm",
        units=UNITS,
        dropout=defaults.dropout,
        l2=defaults.l2,
        learning_rate=defaults.learning_rate,
        epochs=size.epochs,
        patience=defaults.patience,
        seed=0,
    )
    trained = time.perf_counter()
    training.infer(fitted.model, windows["test"])
    return {
        "tickers": size.tickers,
        "years": size.years,
        "origins": len(windows["train"]),
        "epochs": len(fitted.loss),
        "fit_s": trained - begun,
        "forecasts": len(windows["test"]),
        "forecasts_s": time.perf_counter() - trained,
    }


def fastest(work: Callable[[], Any], *, seconds: float) -> float:
    """Seconds of the fastest call, after two that do not count."""
    work()
    work()
    best, stop = np.inf, time.perf_counter() + seconds
    while True:
        begun = time.perf_counter()
        work()
        ended = time.perf_counter()
        best = min(best, ended - begun)
        if ended > stop:
            return best


def as_markdown(results: dict[str, Any]) -> str:
    """The tables."""
    limits, many_ = results["limits"], results["many"]
    versions = ", ".join(f"{name} {text}" for name, text in results["versions"].items())
    lines = [
        f"{results['device']} ({results['kind']}), {versions}.",
        "",
        f"Matrix limit ({results['matrix']} × {results['matrix']}): "
        + ", ".join(f"{name} {limit / 1e12:.3g} TFLOP/s" for name, limit in limits.items())
        + ".",
        "",
        "| kernel | precision | batch | LSTM steps/s | share of the limit |",
        "|---|---|---|---|---|",
    ]
    for row in results["steps"]:
        if "error" in row:
            speed, share = row["error"].replace("|", "/"), "–"
        else:
            speed = f"{row['steps_per_s']:,.0f}"
            flops = row["steps_per_s"] * results["flops_per_step"]
            share = f"{flops / limits[row['precision']]:.1%}"
        lines.append(
            f"| {row['kernel']} | {row['precision']} | {row['batch']} | {speed} | {share} |"
        )
    lines += [
        "",
        f"{many_['tickers']} tickers × {many_['years']} years, {many_['origins']:,} training "
        f"origins: trained in {many_['fit_s']:.1f} s ({many_['epochs']} epochs), "
        f"{many_['forecasts']:,} forecasts in {many_['forecasts_s']:.1f} s.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
