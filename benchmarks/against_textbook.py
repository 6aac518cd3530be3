"""`forecast train` beside the textbook's script: whole processes, in turn, on the same origins.

    python benchmarks/against_textbook.py [--ticker AAPL] [--rounds 3]

Prints a Markdown table with the median wall time of each, their test MSE in price units, and what
"tomorrow = today" scores on these origins; then where the time of `forecast train` goes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def timed(command: list[str]) -> tuple[float, dict[str, Any]]:
    """Wall seconds of a process and the JSON it prints."""
    begun = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - begun, json.loads(result.stdout)


def main() -> None:
    """Run both in turn and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticker", default="AAPL")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, theirs, stages = [], [], []
    run: dict[str, Any] = {}
    textbook: dict[str, Any] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, "-m", "forecast", "train", options.ticker, "--source=sample"]
            seconds, document = timed([*command, "--home", home, "--json", "--quiet"])
        (run,) = document["runs"]
        ours.append(seconds)
        stages.append({**run["seconds"], "start and imports": seconds - run["seconds"]["total"]})
        first = run["split"]["test"]["first"]
        seconds, textbook = timed(
            [sys.executable, str(HERE / "textbook.py"), options.ticker, first]
        )
        theirs.append(seconds)
    scores = {row["model"]: row for row in run["scores"]}
    own = scores[run["network"]]
    if own["origins"] != textbook["origins"]:
        raise SystemExit(f"origins differ: {own['origins']} and {textbook['origins']}.")
    print(f"{options.ticker}, {own['origins']} test origins, median of {options.rounds} rounds\n")
    print("| | wall time, s | test MSE, price² | test MAE, price |")
    print("|---|---|---|---|")
    for name, times, row in (
        ("forecast train", ours, own),
        ("textbook script", theirs, textbook),
        ("last close", None, scores["last_close"]),
    ):
        wall = f"{statistics.median(times):.1f}" if times else "–"
        print(f"| {name} | {wall} | {row['mse_price']:.4g} | {row['mae_price']:.4g} |")
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"\nTime ratio, round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}\n")
    print("| stage of `forecast train` | median, s |")
    print("|---|---|")
    for stage in stages[0]:
        print(f"| {stage} | {statistics.median(each[stage] for each in stages):.2f} |")


if __name__ == "__main__":
    main()
