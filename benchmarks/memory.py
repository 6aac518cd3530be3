"""Peak memory against the number of origins: train, forecast and score one network over many rows.

    python benchmarks/memory.py [--origins 10000,100000,1000000] [--from DIR]

Every size is a `forecast train --together`, process by process, on made-up tickers of 5,000
sessions. Prints a Markdown table: the peak of the main process, which trains and forecasts, of the
largest worker, and of all at one moment (resident memory; what processes share counts for each).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from made_up import write_tickers

from forecast.market.sources.sample import sample_folder

try:
    import psutil
except ModuleNotFoundError:
    sys.exit("memory.py needs psutil. Try: .venv/bin/python -m pip install psutil")

SESSIONS = 5_000
LOST = 129
"""Sessions of a ticker that are no origin: warm-up, lookback and horizon."""


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--origins", default="10000,100000,1000000")
    parser.add_argument("--from", dest="seeds", type=Path, default=sample_folder())
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    sizes = [int(size) for size in options.origins.split(",")]
    print("| origins | tickers | main process, MB | largest worker, MB | all, MB | seconds |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        home, csv = Path(folder), Path(folder) / "csv"
        tickers = [-(-size // (SESSIONS - LOST)) for size in sizes]
        names = write_tickers(csv, seeds=options.seeds, tickers=max(tickers), sessions=SESSIONS)
        for count in tickers:
            (home / "tickers.txt").write_text("\n".join(names[:count]))
            command = [sys.executable, "-m", "forecast", "train", f"@{home / 'tickers.txt'}"]
            command += ["--together", f"--source=csv:{csv}", f"--epochs={options.epochs}"]
            command += ["--home", str(home), "--json", "--quiet"]
            begun = time.perf_counter()
            main_peak, worker_peak, all_peak, document = peaks(command)
            seconds = time.perf_counter() - begun
            origins = sum(
                part["origins"] for run in document["runs"] for part in run["split"].values()
            )
            print(
                f"| {origins:,} | {count} | {main_peak / 1e6:.0f} | {worker_peak / 1e6:.0f} "
                f"| {all_peak / 1e6:.0f} | {seconds:.0f} |",
                flush=True,
            )


def peaks(command: list[str]) -> tuple[int, int, int, dict]:
    """Peak resident bytes of a process, of its largest child, of all at once; what it printed."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said)
        found = {"main": 0, "worker": 0, "all": 0}
        watcher = threading.Thread(target=watch, args=(psutil.Process(process.pid), found))
        watcher.start()
        if process.wait():
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
        watcher.join()
        said.seek(0)
        return found["main"], found["worker"], found["all"], json.load(said)


def watch(process: psutil.Process, found: dict[str, int]) -> None:
    """Keep the largest values until the process has ended."""
    while True:
        try:
            own = process.memory_info().rss
            children = []
            for child in process.children(recursive=True):
                try:
                    children.append(child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
        except psutil.NoSuchProcess:
            return
        if process.status() == psutil.STATUS_ZOMBIE:
            return
        found["main"] = max(found["main"], own)
        found["worker"] = max(found["worker"], *children, 0)
        found["all"] = max(found["all"], own + sum(children))
        time.sleep(0.05)


if __name__ == "__main__":
    main()
