"""A few settings of every rival, one run each: what was tried before the comparison.

    python -m benchmarks.rivals.tune [--rivals torch_windows,darts_lstm] [--bars FOLDER]
        [--out FOLDER]

Writes `tried.json` and `tried.md`, the fastest to the goal first; the goal is 0.5 % above the best
of all these runs. The settings that come out best belong into the rivals' `Settings`.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from benchmarks.rivals import compare
from benchmarks.rivals import task as tasks
from benchmarks.rivals.summary import WITHIN, arrival

SECONDS = 30.0

EVERY_STEP = [
    {"batch": 64, "learning_rate": 4e-3, "updates": 130},
    {"batch": 64, "learning_rate": 8e-3, "updates": 80},
    {"batch": 32, "learning_rate": 8e-3, "updates": 100},
    {"batch": 32, "learning_rate": 8e-3, "updates": 100, "context": 59},
    {"batch": 32, "learning_rate": 8e-3, "updates": 100, "context": 0},
    {"batch": 32, "learning_rate": 8e-3, "updates": 60, "scored": 120},
    {"batch": 16, "learning_rate": 8e-3, "updates": 120},
    {"batch": 16, "learning_rate": 8e-3, "updates": 120, "average": 0.8},
    {"batch": 8, "learning_rate": 8e-3, "updates": 150},
]
WINDOWS = [
    {"batch": batch, "learning_rate": rate}
    for batch, rate in ((32, 3e-3), (64, 3e-3), (64, 5e-3), (128, 4e-3), (256, 4e-3))
]
GRIDS: dict[str, list[dict[str, Any]]] = {
    "torch_every_step_allocator": EVERY_STEP,
    "torch_windows": WINDOWS,
    "darts_lstm": WINDOWS,
    "neuralforecast_lstm": [
        *({**each, "series": 4} for each in WINDOWS),
        {"batch": 64, "learning_rate": 5e-3, "series": 1},
        {"batch": 64, "learning_rate": 5e-3, "series": 22},
    ],
    "keras_windows": [
        *WINDOWS,
        {"batch": 64, "learning_rate": 5e-3, "inter_op_threads": 0},
    ],
}


def main() -> None:
    """Run what is missing, then list all."""
    parser = argparse.ArgumentParser(description="Try a few settings of every rival.")
    parser.add_argument("--rivals", default=",".join(GRIDS))
    parser.add_argument("--out", type=Path, default=tasks.ROOT / "reports" / "rivals-tuning")
    tasks.options(parser)
    wanted = parser.parse_args()
    compare.prepare(wanted)
    for name in wanted.rivals.split(","):
        for number, settings in enumerate(GRIDS[name]):
            file = wanted.out / "runs" / f"{name}-{number}.json"
            if not file.exists():
                data = wanted.out / "task.npz"
                compare.run(name, data, file, seed=0, seconds=SECONDS, settings=settings)
    runs = [json.loads(file.read_text()) for file in (wanted.out / "runs").glob("*.json")]
    goal = min(look["pinball"] for run in runs for look in run["points"]) * (1 + WITHIN)
    runs.sort(key=lambda run: (run["rival"], arrival(run, goal), run["start_s"]))
    (wanted.out / "tried.json").write_text(json.dumps(runs))
    lines = [
        "| rival | settings | training to the goal, s | best | targets/s |",
        "|---|---|---|---|---|",
    ]
    for run in runs:
        took = arrival(run, goal)
        lines.append(
            f"| {run['label']} | {', '.join(f'{k} {v}' for k, v in run['settings'].items())} "
            f"| {'not reached' if math.isinf(took) else f'{took:.1f}'} "
            f"| {min(look['pinball'] for look in run['points']):.5f} "
            f"| {run['targets_per_s']:,.0f} |"
        )
    text = "\n".join([*lines, ""])
    (wanted.out / "tried.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
