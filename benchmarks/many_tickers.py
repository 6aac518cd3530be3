"""One network over 10, 100 and 500 tickers: what each stage takes, from CSV files to the reports.

    python benchmarks/many_tickers.py [--tickers 10,100,500] [--sessions 5000] [--from DIR]

`--from` names CSV files to draw the made-up tickers from, such as those of the StockNet data set;
default: the committed sample. Every number of tickers is trained twice, in a home of its own and in
processes of their own: the second time the bars and features are there. Prints a Markdown table and
draws `docs/images/many_tickers.svg`.
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

STAGES = ("fetch", "features", "fit", "score and report")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "many_tickers.svg"


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
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = [count for count, _ in measured]
    figure = Figure(figsize=(8, 5), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    series = [(name, [seconds[name] for _, seconds in measured]) for name in STAGES]
    series.append(("whole process", [seconds["process"] for _, seconds in measured]))
    for name, values in series:
        whole = name == "whole process"
        axes.plot(rows, values, marker="o", linewidth=2.4 if whole else 1.6, label=name)
    last = series[-1][1][-1]
    axes.plot(
        rows,
        [last * count / rows[-1] for count in rows],
        color="0.6",
        linestyle="--",
        label="in proportion to the rows",
    )
    axes.set(xscale="log", yscale="log", xlabel="rows (tickers × sessions)", ylabel="seconds")
    axes.set_title("One network over many tickers: where the time goes", loc="left")
    axes.grid(visible=True, which="major", color="0.9")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "many_tickers"}):
        FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
