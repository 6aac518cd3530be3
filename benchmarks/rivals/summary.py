"""Runs of all rivals become one table: medians over the rounds, ratios round by round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.rivals.contract import RIVALS
from benchmarks.rivals.limit import LARGE, RECURRENT, flops_per_step
from benchmarks.rivals.task import UNITS, Task, describe, pinball

WITHIN = 0.005
"""A run has arrived when its held-out pinball is this near to the best of any run."""
OWN = "program"

Run = dict[str, Any]


def arrival(run: Run, goal: float) -> float:
    """Seconds of training to the first look at or under `goal`; infinite if there was none."""
    return next((look["trained"] for look in run["points"] if look["pinball"] <= goal), math.inf)


def settled(run: Run, goal: float) -> float:
    """Seconds of training to the first look from which on all are at or under `goal`.

    A curve that jumps touches the goal by luck, long before it is there for good; and nobody may
    stop at that touch who does not look at the held-out part. Infinite if the last look is above.
    """
    above = [number for number, look in enumerate(run["points"]) if look["pinball"] > goal]
    after = run["points"][above[-1] + 1 :] if above else run["points"]
    return after[0]["trained"] if after else math.inf


def summarise(runs: Sequence[Run], task: Task) -> dict[str, Any]:
    """One entry a rival, in the order of `RIVALS`.

    Times are seconds: `trained` leaves out the start of the process (imports, loading), `whole`
    holds it; `settled` is training until the goal is kept.
    A rival's ratio is the median over the rounds of its time by this program's in the
    same round. What never arrived is None.
    """
    best = min(look["pinball"] for run in runs for look in run["points"])
    goal = best * (1 + WITHIN)
    own = {run["seed"]: run for run in runs if run["rival"] == OWN}
    rows = []
    for name in RIVALS:
        mine = [run for run in runs if run["rival"] == name]
        if mine:
            rows.append({"rival": name, **_row(mine, own, goal, task)})
    untrained = task.quantiles[None].repeat(len(task.held), 0)
    return {
        "task": describe(task),
        "rounds": len({run["seed"] for run in runs}),
        "best": best,
        "goal": goal,
        "untrained": pinball(task.gather_targets("held"), untrained),
        "sgemm": {
            name: statistics.median(run["sgemm"][name] for run in runs) for name in runs[0]["sgemm"]
        },
        "flops_per_step": flops_per_step(task.features.shape[1], UNITS),
        "processor": runs[0]["processor"],
        "versions": runs[0]["versions"],
        "rivals": rows,
    }


def _row(mine: list[Run], own: dict[int, Run], goal: float, task: Task) -> dict[str, Any]:
    def middle(values: Sequence[float]) -> float | None:
        value = statistics.median(values)
        return value if math.isfinite(value) else None

    def ratio(of: str) -> float | None:
        pairs = [
            (_time(run, goal, of), _time(own[run["seed"]], goal, of))
            for run in mine
            if run["seed"] in own
        ]
        known = [theirs / ours for theirs, ours in pairs if math.isfinite(ours)]
        return middle(known) if known else None

    flops = flops_per_step(task.features.shape[1], UNITS, gates=RIVALS[mine[0]["rival"]].gates)
    return {
        "label": mine[0]["label"],
        "settings": mine[0]["settings"],
        "runs": len(mine),
        "arrived": sum(math.isfinite(arrival(run, goal)) for run in mine),
        "start": middle([run["start_s"] for run in mine]),
        "trained": middle([_time(run, goal, "trained") for run in mine]),
        "whole": middle([_time(run, goal, "whole") for run in mine]),
        "settled": middle([_time(run, goal, "settled") for run in mine]),
        "settled_ratio": ratio("settled"),
        "trained_ratio": ratio("trained"),
        "whole_ratio": ratio("whole"),
        "best": middle([min(look["pinball"] for look in run["points"]) for run in mine]),
        "targets_per_s": middle([run["targets_per_s"] for run in mine]),
        "steps_per_s": middle([run["steps_per_s"] for run in mine]),
        "sgemm_share": middle([run["steps_per_s"] * flops / run["sgemm"]["large"] for run in mine]),
        "peak_mb": middle([run["peak_mb"] for run in mine]),
        "single_ms": middle([run["inference"]["single_ms"] for run in mine]),
        "batch_ms": middle([run["inference"]["batch_ms"] for run in mine]),
    }


def _time(run: Run, goal: float, of: str) -> float:
    if of == "settled":
        return settled(run, goal)
    return arrival(run, goal) + (run["start_s"] if of == "whole" else 0.0)


def as_markdown(results: dict[str, Any]) -> str:
    """The tables of `docs/benchmarks.md`."""
    sgemm = results["sgemm"]
    lines = [
        f"{results['task']}. {results['rounds']} rounds, medians. Best held-out pinball "
        f"{results['best']:.5f}, so the goal is {results['goal']:.5f}; untrained "
        f"{results['untrained']:.5f}.",
        "",
        "| | start, s | training to the goal, s | × this program | both, s | × this program "
        "| training to stay there, s | × this program | best held-out | arrived |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rivals"]:
        over = 100 * (row["best"] / results["best"] - 1)
        lines.append(
            f"| {row['label']} | {row['start']:.1f} | {_number(row['trained'], 2)} "
            f"| {_number(row['trained_ratio'], 1)} | {_number(row['whole'], 1)} "
            f"| {_number(row['whole_ratio'], 1)} | {_number(row['settled'], 2)} "
            f"| {_number(row['settled_ratio'], 1)} | {row['best']:.5f} (+{over:.2f} %) "
            f"| {row['arrived']} of {row['runs']} |"
        )
    lines += [
        "",
        "| | targets/s | LSTM steps/s | share of sgemm | peak memory, MB | one forecast, ms "
        "| 1,024 forecasts, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['label']} | {row['targets_per_s']:,.0f} | {row['steps_per_s']:,.0f} "
        f"| {row['sgemm_share']:.0%} | {row['peak_mb']:,.0f} | {row['single_ms']:.1f} "
        f"| {row['batch_ms']:,.0f} |"
        for row in results["rivals"]
    ]
    lines += [
        "",
        f"sgemm (NumPy, {sgemm['cores']:.0f} cores, float32): {sgemm['large'] / 1e9:.0f} GFLOP/s "
        f"for {_shape(LARGE)}, {sgemm['recurrent'] / 1e9:.0f} for {_shape(RECURRENT)}; a step of "
        f"this network takes {results['flops_per_step']:,} operations, forward and backward.",
        "",
        f"Processor: {results['processor']}. Versions: "
        + ", ".join(f"{name} {text}" for name, text in results["versions"].items())
        + ".",
        "",
    ]
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "not reached" if value is None else f"{value:.{digits}f}"


def _shape(shape: tuple[int, int, int]) -> str:
    return f"({shape[0]} × {shape[1]})·({shape[1]} × {shape[2]})"
