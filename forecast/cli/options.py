"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from forecast.cli.ticker_lists import tickers_argument
from forecast.features.targets import TARGETS
from forecast.networks.architectures import NETWORKS, OUTPUT_STEPS
from forecast.networks.heads import HEADS

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Shared:
    """What every command takes.

    Attributes:
        home: Folder with `data/`, `models/`, `reports/` and `forecast.toml`.
        json: Print one JSON document.
        quiet: No progress.
        debug: Show tracebacks.
    """

    home: Path | None = None
    json: bool = False
    quiet: bool = False
    debug: bool = False


def shared_options(command: Command) -> Command:
    """The options that stand before or behind the command's name."""

    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None and value is not False:
            setattr(context.find_object(Shared), str(parameter.name), value)

    options: list[Any] = [
        click.option(
            "--home",
            type=click.Path(file_okay=False, path_type=Path),
            expose_value=False,
            callback=keep,
            help="Folder with data/, models/, reports/ and forecast.toml "
            "[variable FORECAST_HOME; default: the current folder].",
        ),
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=keep,
            help="Print one JSON document.",
        ),
        click.option(
            "--quiet",
            is_flag=True,
            expose_value=False,
            callback=keep,
            help="No progress on stderr.",
        ),
        click.option(
            "--debug", is_flag=True, expose_value=False, callback=keep, help="Show tracebacks."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


SOURCE = click.option(
    "--source",
    metavar="SOURCE",
    help="auto (Yahoo; unreachable: stored bars, else the sample), yahoo, sample or csv:DIR.",
)
AS_OF = click.option(
    "--as-of",
    multiple=True,
    metavar="SNAPSHOT",
    help="Bars of this snapshot, as a saved run's manifest names it; TICKER=SNAPSHOT for several.",
)
TICKERS = tickers_argument()
ANY_TICKERS = tickers_argument(required=False)
NETWORK = click.option("--network", type=click.Choice(list(NETWORKS)), help="Default: lstm.")


def training_options(command: Command) -> Command:
    """What every command that trains lets the user choose."""
    for option in reversed(
        [
            click.option("--units", metavar="64,64", help="Width of each layer."),
            click.option(
                "--outputs",
                type=click.Choice(OUTPUT_STEPS),
                help="Train on the last step of each window or on every step [default: every where "
                "the network is causal].",
            ),
            click.option("--lookback", type=int, help="Sessions a window [default: 60]."),
            click.option("--horizon", type=int, help="Sessions ahead [default: 1]."),
            click.option("--target", type=click.Choice(list(TARGETS)), help="Default: return."),
            click.option(
                "--head", type=click.Choice(list(HEADS)), help="Default: the target's own."
            ),
            click.option("--epochs", type=int, help="At most so many; training stops early."),
            click.option("--seed", type=int, help="Same seed, same network."),
        ]
    ):
        command = option(command)
    return command
