"""One network over 10, 100 and 500 tickers: what each stage takes, from CSV files to the reports.

    python benchmarks/many_tickers.py [--tickers 10,100,500] [--sessions 5000] [--from DIR]

`--from` names CSV files to draw the made-up tickers from, such as those of the StockNet data set;
default: the committed sample. Every number of tickers is trained twice, in a home of its own and in
processes of their own: the second time the bars and features are there. Prints a Markdown table and
draws `docs/images/many_tickers.png`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from made_up import write_tickers

from forecast.market.sources.sample import sample_folder
from forecast.report import style

STAGES = ("fetch", "features", "fit", "score and report")
LINES = (
    ("process", "whole process", style.INK),
    ("fit", "fit", style.BLUE),
    ("score and report", "score, report", style.ORANGE),
    ("features", "features", style.GREEN),
    ("fetch", "fetch", style.PURPLE),
)
"""Key of the seconds, what it is called, its colour."""
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "many_tickers.png"


def main() -> None:
    """Train each number of tickers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickers", default="10,100,500")
    parser.add_argument("--sessions", type=int, default=5_000)
    parser.add_argument("--from", dest="seeds", type=Path, default=sample_folder())
    parser.add_argument("--epochs", type=int, help="At most so many [default: the program's].")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    counts = [int(count) for count in options.tickers.split(",")]
    heads = ["tickers", "rows", "run", *STAGES, "start and saving", "whole process, s"]
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "csv"
        names = write_tickers(
            csv, seeds=options.seeds, tickers=max(counts), sessions=options.sessions
        )
        for count in counts:
            home = Path(folder) / f"home-{count}"
            home.mkdir()
            (home / "tickers.txt").write_text("\n".join(names[:count]))
            for run in ("first", "second"):
                seconds = timed(home, csv, options.epochs)
                cells = " | ".join(f"{seconds[name]:.1f}" for name in [*STAGES, "rest", "process"])
                rows = count * options.sessions
                print(f"| {count} | {rows:,} | {run} | {cells} |", flush=True)
                if run == "first":
                    measured.append((rows, seconds))
    draw(measured, options.picture)


def timed(home: Path, csv: Path, epochs: int | None) -> dict[str, float]:
    """Seconds of one training over all the tickers listed in the home folder."""
    command = [sys.executable, "-m", "forecast", "train", f"@{home / 'tickers.txt'}", "--together"]
    command += [f"--source=csv:{csv}", "--home", str(home), "--json", "--quiet"]
    command += [] if epochs is None else [f"--epochs={epochs}"]
    begun = time.perf_counter()
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    whole = time.perf_counter() - begun
    document: dict[str, Any] = json.loads(result.stdout)
    found: dict[str, float] = document["pooled"]["seconds"]
    print(f"  {document['pooled']['verdict']['text']}", file=sys.stderr)
    stages = {name: found[name] for name in STAGES if name in found}
    stages["score and report"] = found["total"] - sum(stages.values())
    return {**stages, "rest": whole - found["total"], "process": whole}


def draw(measured: list[tuple[int, dict[str, float]]], path: Path) -> None:
    """Seconds of each stage against the rows, on logarithmic axes, with the line of proportion."""
    rows = [count for count, _ in measured]
    last = measured[-1][1]
    figure = style.new_figure(
        f"One network over {rows[-1]:,} rows: {last['process'] / 60:.0f} minutes from the files on",
        "seconds of each stage by rows (tickers × sessions), both logarithmic · dashes: in "
        "proportion to the rows",
    )
    width = style.RIGHT - style.LEFT - 0.06
    axes = figure.add_axes((style.LEFT, 0.125, width, style.TOP - 0.125))
    axes.set(xscale="log", yscale="log")
    style.dress(axes, ylabel="seconds")
    axes.plot(
        rows,
        [last["process"] * count / rows[-1] for count in rows],
        color=style.MUTED,
        linewidth=1.3,
        linestyle=(0, (5, 3)),
    )
    labels = []
    for name, label, colour in LINES:
        values = [seconds[name] for _, seconds in measured]
        axes.plot(
            rows,
            values,
            marker="o",
            color=colour,
            linewidth=3.0 if name == "process" else style.LINE,
        )
        labels.append((values[-1], f"{label} {values[-1]:.0f} s", colour))
    axes.set_xticks(rows, [f"{count:,}" for count in rows])
    axes.minorticks_off()
    axes.margins(x=0.03)
    axes.set_xlabel("rows", size=style.SMALL, color=style.MUTED)
    style.label_ends(axes, labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


if __name__ == "__main__":
    main()
