"""How fast `forecast predict` is: whole processes beside `import tensorflow`, in turn.

    python benchmarks/predict.py [--tickers 500] [--sessions 5000] [--rounds 5]

Everything is cached: bars of the newest completed session are in the store, the networks are
saved. One ticker is AAPL's sample; the many are random walks, with one network for all of them and
with a network each, of the default size and with random weights, which cost what trained ones do.
Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from store import fill

from forecast.config import Settings
from forecast.evaluation.intervals import Calibration
from forecast.features.inputs import fit_inputs
from forecast.features.sets import DEFAULT_FEATURES
from forecast.networks.architectures import build
from forecast.networks.forward import read_forward
from forecast.networks.training import load_model, prepare_backend
from forecast.pipeline.fetch import fetch
from forecast.registry import NETWORK, new_run, promote, run_folder, save_run

TENSORFLOW = [sys.executable, "-c", "import tensorflow"]


def main() -> None:
    """Make the homes, run the rounds, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    names = [f"T{number}" for number in range(wanted.tickers)]
    with tempfile.TemporaryDirectory() as folder:
        one, shared, each = (Path(folder, name) for name in ("one", "shared", "each"))
        save_runs(one, ["AAPL"], source="sample")
        fill(str(shared / "data"), names, wanted.sessions)
        save_runs(shared, names, together=True)
        each.mkdir()
        (each / "data").symlink_to(shared / "data")
        save_runs(each, names)
        rounds = alternate(
            {
                '`python -c "import tensorflow"`': TENSORFLOW,
                "`forecast predict AAPL`": predict(one, ["AAPL", "--source=sample"]),
                f"{len(names)} tickers, one network": predict(shared, names),
                f"{len(names)} tickers, a network each": predict(each, names),
            },
            wanted.rounds,
        )
        print(f"Median of {wanted.rounds} rounds, {os.cpu_count()} cores\n")
        print_processes(rounds)
        (network,) = one.glob(f"models/AAPL/*/{NETWORK}")
        print()
        print_forward(network)


def save_runs(
    home: Path, tickers: list[str], *, source: str = "auto", together: bool = False
) -> None:
    """Saved runs as training leaves them: inputs fitted, calibrated to the newest bar."""
    prepare_backend(7)
    features = DEFAULT_FEATURES["return"]
    model = build("lstm", n_features=len(features), horizon=1, units=(64, 64))
    entries, bars_of = {}, {}
    for fetched in fetch(tickers, home=home, settings=Settings(source=source)):
        bars = fetched.bars
        inputs, _ = fit_inputs(
            bars,
            ticker=fetched.ticker,
            feature_names=features,
            lookback=60,
            horizon=1,
            target="return",
        )
        state = Calibration(np.zeros((1, 3)), bars.index[-1])
        entries[fetched.ticker] = {
            "inputs": inputs.as_document(),
            "calibration": state.as_document(),
        }
        bars_of[fetched.ticker] = {"snapshot": fetched.snapshot}
    run = new_run()
    for group in [tickers] if together else [[ticker] for ticker in tickers]:
        save_run(
            run_folder(home, group, run),
            save_network=model.save,
            inputs={ticker: entries[ticker] for ticker in group},
            manifest={
                "run": run,
                "network": "lstm",
                "tickers": {ticker: bars_of[ticker] for ticker in group},
            },
            metrics={"runs": []},
        )
    for ticker in tickers:
        promote(home, ticker, run, reason="the benchmark's")


def predict(home: Path, words: list[str]) -> list[str]:
    return [sys.executable, "-m", "forecast", "predict", *words, "--json", "--home", str(home)]


def alternate(commands: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of each command in each round, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            begun = time.perf_counter()
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def print_processes(rounds: dict[str, list[float]]) -> None:
    imports = next(iter(rounds.values()))
    print("| process | s | least | ratio to `import tensorflow`, round by round |")
    print("|---|---|---|---|")
    for name, seconds in rounds.items():
        ratios = ", ".join(f"{a / b:.2f}" for a, b in zip(seconds, imports, strict=True))
        print(f"| {name} | {statistics.median(seconds):.2f} | {min(seconds):.2f} | {ratios} |")


def print_forward(network: Path) -> None:
    """One process: loading the network, and a forecast with it, in NumPy and in Keras."""
    rng = np.random.default_rng(0)
    alone, many = (rng.normal(size=(n, 60, 16)).astype("float32") for n in (1, 500))
    loaders: dict[str, Callable[[Path], Any]] = {"NumPy": read_forward, "Keras": load_model}
    models = {name: load(network) for name, load in loaders.items()}
    print("| runtime | load, ms | one forecast, ms | 500 forecasts, ms |")
    print("|---|---|---|---|")
    for name, model in models.items():
        loaded = milliseconds(lambda load=loaders[name]: load(network), 10)
        single = milliseconds(lambda model=model: model.predict_on_batch(alone), 50)
        batch = milliseconds(lambda model=model: model.predict_on_batch(many), 10)
        print(f"| {name} | {loaded:.1f} | {single:.1f} | {batch:.0f} |")
    ours, theirs = (model.predict_on_batch(many) for model in models.values())
    print(f"\nGreatest difference of an output between the two: {np.abs(ours - theirs).max():.1g}.")


def milliseconds(work: Callable[[], object], times: int) -> float:
    work()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    main()
