"""`forecast tune`."""

from __future__ import annotations

from typing import Any

import click

from forecast.cli.options import AS_OF, NETWORK, SOURCE, Shared, shared_options, training_options
from forecast.cli.running import print_json, print_lines, settings_for, snapshots, watching_of


@click.command()
@click.argument("ticker")
@SOURCE
@click.option(
    "--search",
    type=click.Choice(["grid", "random", "tpe"]),
    default="random",
    help="Every combination, some drawn at random, or those that look promising [default: random].",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="How many [default: 20; of a grid: all].",
)
@click.option("--folds", type=int, help="Of the walk-forward validation [default: 3].")
@click.option(
    "--space",
    multiple=True,
    metavar="NAME=A,B,C",
    help="What to search, a setting each time: values, or LOW..HIGH (for random and tpe; "
    "with a log behind it on a log scale).",
)
@NETWORK
@training_options
@AS_OF
@shared_options
@click.pass_obj
def tune(
    shared: Shared,
    /,
    ticker: str,
    search: str,
    trials: int | None,
    folds: int | None,
    space: tuple[str, ...],
    as_of: tuple[str, ...],
    **flags: Any,
) -> int:
    """Search the network's settings; train then uses the best ones.

    Each trial is scored by walk-forward validation on the bars before the test part. An
    interrupted search goes on where it was; several processes share one.
    """
    from forecast.pipeline import tune as verb
    from forecast.pipeline.tune.space import read_flags

    said = {"folds": folds, "space": read_flags(space)}
    own = {name: value for name, value in said.items() if value is not None}
    home, settings = settings_for(shared, tune=own or None, **flags)
    with watching_of(shared) as watch:
        tuning = verb.tune(
            ticker,
            home=home,
            settings=settings,
            search=search,
            trials=trials,
            as_of=snapshots((ticker,), as_of),
            watch=watch,
        )
    if shared.json:
        print_json(tuning.document)
    else:
        print_lines(str(tuning).splitlines())
    return 0
