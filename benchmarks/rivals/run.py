"""One rival in this process: trained, watched, asked for forecasts; one JSON document.

python -m benchmarks.rivals.run RIVAL --data FILE.npz --out FILE.json [--seed 0]
    [--seconds 40] [--set batch=128 …]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.rivals.contract import RIVALS, Forecaster
from benchmarks.rivals.task import Task, load
from benchmarks.rivals.watch import BATCH, Watch

PACKAGES = ("numpy", "tensorflow", "keras", "torch", "darts", "neuralforecast")


def main() -> None:
    """Run one rival."""
    parser = argparse.ArgumentParser(description="Run one rival in this process.")
    parser.add_argument("rival", choices=RIVALS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=40.0, help="of training, at most")
    parser.add_argument("--patience", type=float, default=0.5, help="see watch.Watch; 0 for none")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    wanted = parser.parse_args()
    rival = RIVALS[wanted.rival]
    if any(os.environ.get(name) != value for name, value in rival.environment.items()):
        # The allocator reads its environment once, when the process starts.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **rival.environment})
    module = rival.load()
    settings = module.Settings(**{**rival.settings, **dict(map(setting, wanted.set))})
    task = load(wanted.data)
    watch = Watch(task, seconds=wanted.seconds, patience=wanted.patience or None)
    begun = time.time() - psutil.Process().create_time()
    watch.start()
    forecaster = module.train(task, watch, settings=settings, seed=wanted.seed)
    watch.finish(forecaster.predict)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    steps, targets = watch.rates
    document = {
        "rival": wanted.rival,
        "label": rival.label,
        "seed": wanted.seed,
        "settings": asdict(settings),
        "versions": {name: version(name) for name in PACKAGES},
        "start_s": begun,
        "trained_s": watch.trained,
        "steps_per_s": steps,
        "targets_per_s": targets,
        "peak_mb": peak,
        "points": [asdict(point) for point in watch.points],
        "inference": inference(forecaster, task),
    }
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    wanted.out.write_text(json.dumps(document))
    best = min(point.pinball for point in watch.points)
    print(
        f"{wanted.rival}: start {begun:.1f} s, trained {watch.trained:.1f} s, best {best:.5f}, "
        f"last {watch.points[-1].pinball:.5f}, {targets:,.0f} targets/s, {peak:,.0f} MB"
    )


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is JSON, or else text."""
    name, value = text.split("=", 1)
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def inference(forecaster: Forecaster, task: Task) -> dict[str, float]:
    """Milliseconds for one forecast and for a batch, and whether both ways of asking agree."""
    one, many = task.held[-1:], np.resize(task.held, BATCH)
    ask = forecaster.ready(many)
    apart = np.abs(ask() - forecaster.predict(many)).max()
    return {
        "single_ms": median_ms(forecaster.ready(one), times=20),
        "batch_ms": median_ms(ask, times=5),
        "batch": BATCH,
        "largest_difference": float(apart),
    }


def median_ms(ask: Callable[[], object], *, times: int, seconds: float = 4.0) -> float:
    """Median of so many calls after one that does not count, or of those within `seconds`."""
    ask()
    took: list[float] = []
    while len(took) < times and sum(took) < 1000 * seconds:
        begun = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took)


if __name__ == "__main__":
    main()
