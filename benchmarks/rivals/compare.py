"""All rivals on one task, each in a process of its own, in turn, several rounds.

    python -m benchmarks.rivals.compare [--rivals program,torch_windows] [--rounds 3] [--quick]
        [--bars FOLDER] [--out FOLDER] [--fresh] [--publish]

Every run is a file in `FOLDER/runs`; what is there is not run again without `--fresh`, so that a
stopped comparison goes on, and one rival can be run again by deleting its files. The results are
written after every run: `results.json`, `results.md`, `curves.png`, `bars.png`, and dark ones.
`--publish` also puts the tables into `docs/benchmarks.md` and the pictures into `docs/images`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.rivals import task as tasks
from benchmarks.rivals.contract import RIVALS
from benchmarks.rivals.limit import limits, processor
from benchmarks.rivals.pictures import draw
from benchmarks.rivals.summary import as_markdown, summarise

SECONDS = 40.0
"""Of training at most, for each run."""
BEGIN, END = "<!-- rivals -->", "<!-- end of rivals -->"
"""Marks in the page of results."""
PICTURES = {
    "bars": "Seconds to the same held-out loss, a bar a rival",
    "curves": "Held-out loss against seconds since the process started, a line a rival",
}
PICTURE = (
    '<picture><source media="(prefers-color-scheme: dark)" srcset="images/rivals_{name}_dark.png">'
    '<img src="images/rivals_{name}.png" alt="{alt}"></picture>\n'
)


def main() -> None:
    """Run what is missing, then sum up."""
    parser = argparse.ArgumentParser(description="Run the rivals in turn and compare them.")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="names, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="each with a seed of its own")
    parser.add_argument("--quick", action="store_true", help="a tiny task: does everything work?")
    parser.add_argument("--out", type=Path, default=tasks.ROOT / "reports" / "rivals")
    parser.add_argument("--fresh", action="store_true", help="throw away earlier runs")
    parser.add_argument("--publish", action="store_true", help="write the results into docs/")
    tasks.options(parser)
    wanted = parser.parse_args()
    chosen = wanted.rivals.split(",")
    if unknown := set(chosen) - set(RIVALS):
        parser.error(f"no rival {', '.join(sorted(unknown))}: there are {', '.join(RIVALS)}")
    if wanted.quick:
        wanted.tickers, wanted.sessions, wanted.rounds = 4, 900, 1
        wanted.out = wanted.out / "quick"
    if wanted.fresh:
        shutil.rmtree(wanted.out / "runs", ignore_errors=True)
        (wanted.out / "task.json").unlink(missing_ok=True)
    task = prepare(wanted)
    seconds = 3.0 if wanted.quick else SECONDS
    failed = False
    for seed in range(wanted.rounds):
        # Another one begins each round, so that none always runs on a cold or a hot machine.
        for name in chosen[seed % len(chosen) :] + chosen[: seed % len(chosen)]:
            file = wanted.out / "runs" / f"{name}-{seed}.json"
            if not file.exists():
                failed |= not run(name, wanted.out / "task.npz", file, seed=seed, seconds=seconds)
                report(wanted.out, task)
    report(wanted.out, task)
    tables = (wanted.out / "results.md").read_text()
    print(tables)
    if wanted.publish:
        publish(wanted.out, tables)
    sys.exit(1 if failed else 0)


def prepare(wanted: argparse.Namespace) -> tasks.Task:
    """The task, made anew unless it is there already, made of the same."""
    file, note = wanted.out / "task.npz", wanted.out / "task.json"
    made_of = {
        "bars": str(wanted.bars.absolute()) if wanted.bars else None,
        "tickers": wanted.tickers,
        "sessions": wanted.sessions,
        "features": wanted.features,
    }
    if note.exists() and json.loads(note.read_text()) != made_of:
        raise SystemExit(f"{wanted.out} holds runs on another task: --fresh, or another --out")
    if note.exists():
        return tasks.load(file)
    task = tasks.make(
        file,
        bars=wanted.bars,
        tickers=wanted.tickers,
        sessions=wanted.sessions,
        features=wanted.features,
    )
    note.write_text(json.dumps(made_of))
    return task


def run(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int,
    seconds: float,
    settings: Mapping[str, Any] | None = None,
) -> bool:
    """One rival in a process of its own; False if it failed, with its last words on stderr.

    Args:
        name: Key of `RIVALS`.
        data: The task.
        out: File for the run.
        seed: Of weights and order.
        seconds: Of training, at most.
        settings: Other than the rival's own.
    """
    print(f"{out.stem} …", end=" ", file=sys.stderr, flush=True)
    # Just before, so that a machine that is slow now is slow for both.
    speed = limits()
    command = [sys.executable, "-m", "benchmarks.rivals.run", name, f"--data={data}"]
    staged = out.with_suffix(".part")
    overrides = [f"{key}={json.dumps(value)}" for key, value in (settings or {}).items()]
    if overrides:
        overrides.insert(0, "--set")
    result = subprocess.run(
        [*command, f"--out={staged}", f"--seed={seed}", f"--seconds={seconds}", *overrides],
        env={**os.environ, **RIVALS[name].environment},
        cwd=tasks.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        print(f"failed:\n{result.stderr[-2000:]}", file=sys.stderr)
        return False
    print(result.stdout.strip().split(": ", 1)[1], file=sys.stderr)
    measured = json.loads(staged.read_text())
    document: dict[str, Any] = {**measured, "sgemm": speed, "processor": processor()}
    staged.write_text(json.dumps(document))
    staged.replace(out)
    return True


def report(out: Path, task: tasks.Task) -> None:
    """Sum up the runs that are there."""
    runs = [json.loads(file.read_text()) for file in sorted((out / "runs").glob("*.json"))]
    if runs:
        results = summarise(runs, task)
        (out / "results.json").write_text(json.dumps(results, indent=1))
        (out / "results.md").write_text(as_markdown(results))
        draw(out, results, runs)


def publish(out: Path, tables: str) -> None:
    """Tables between the marks of `docs/benchmarks.md`, pictures beside the other images."""
    page, images = tasks.ROOT / "docs" / "benchmarks.md", tasks.ROOT / "docs" / "images"
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    shown = "".join(PICTURE.format(name=name, alt=alt) for name, alt in PICTURES.items())
    page.write_text(f"{before}{BEGIN}\n{shown}\n{tables}{END}{after}")
    for picture in out.glob("*.png"):
        shutil.copyfile(picture, images / f"rivals_{picture.name}")


if __name__ == "__main__":
    main()
