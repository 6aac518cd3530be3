"""What two spare units do to an LSTM layer's forward and backward pass on one core.

    python benchmarks/spare_units.py [--slices 32] [--rows 75] [--rounds 30]

Prints a Markdown table: a layer of so many units above one of the same width, with the spare units
of `networks.fast.block` and without, in turn; and what of the two `forecast train` takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from forecast.networks.fast import block
from forecast.networks.training import prepare_backend

WIDTHS = (32, 50, 64, 96, 100, 128, 256)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=32, help="half a batch of `forecast train`")
    parser.add_argument("--rows", type=int, default=75, help="of a slice with its context")
    parser.add_argument("--rounds", type=int, default=30)
    wanted = parser.parse_args()
    prepare_backend(0)
    print("| units | as they are, ms | two spare, ms | ratio | taken |\n|---|---|---|---|---|")
    for units in WIDTHS:
        passes = [one_pass(units, spare, wanted.slices, wanted.rows) for spare in (0, block.SPARE)]
        took: list[list[float]] = [[], []]
        for _ in range(wanted.rounds):
            for run, times in zip(passes, took, strict=True):
                begun = time.perf_counter()
                run()
                times.append(1000 * (time.perf_counter() - begun))
        plain, spare = (statistics.median(times) for times in took)
        taken = "two spare" if block.spare_units(units) else "as they are"
        print(f"| {units} | {plain:.1f} | {spare:.1f} | {spare / plain:.2f} | {taken} |")


def one_pass(units: int, spare: int, slices: int, rows: int) -> Any:
    """Outputs of a layer and the gradients of its inputs and weights, traced and run once."""
    import tensorflow as tf

    shapes = [(slices, rows, units), (units, 4 * units), (units, 4 * units), (4 * units,)]
    given = [
        tf.random.stateless_normal(shape, (number, units), stddev=0.1)
        for number, shape in enumerate(shapes)
    ]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            every, _ = block.lstm(*given, spare=spare)
            loss = tf.reduce_sum(tf.square(every))
        return tape.gradient(loss, given)

    run()
    return run


if __name__ == "__main__":
    main()
