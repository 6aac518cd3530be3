"""`forecast models`, `forecast promote` and `forecast rollback`."""

from __future__ import annotations

import click

from forecast.cli.options import ANY_TICKERS, Shared, shared_options
from forecast.cli.running import print_json, print_lines, settings_for

TICKER = click.argument("ticker", metavar="TICKER")


@click.command()
@ANY_TICKERS
@shared_options
@click.pass_obj
def models(shared: Shared, tickers: tuple[str, ...]) -> int:
    """List the runs of each ticker, and which of them is the champion.

    Without a ticker: every ticker that has a run.
    """
    from forecast.pipeline import models as verb
    from forecast.report import models_text

    home, _ = settings_for(shared)
    entries = verb.models(tickers, home=home)
    if shared.json:
        print_json({"tickers": entries})
    else:
        print_lines(models_text.model_lines(entries))
    return 0


@click.command()
@TICKER
@click.argument("run", metavar="RUN")
@shared_options
@click.pass_obj
def promote(shared: Shared, ticker: str, run: str) -> int:
    """Make RUN the champion of TICKER, after it was verified."""
    from forecast.pipeline import models as verb
    from forecast.report import models_text

    home, _ = settings_for(shared)
    changed = verb.promote(ticker, run, home=home)
    if shared.json:
        print_json(changed)
    else:
        print_lines(models_text.champion_lines(changed))
    return 0


@click.command()
@TICKER
@shared_options
@click.pass_obj
def rollback(shared: Shared, ticker: str) -> int:
    """Make the champion of TICKER before the present one the champion again."""
    from forecast.pipeline import models as verb
    from forecast.report import models_text

    home, _ = settings_for(shared)
    changed = verb.rollback(ticker, home=home)
    if shared.json:
        print_json(changed)
    else:
        print_lines(models_text.champion_lines(changed))
    return 0
