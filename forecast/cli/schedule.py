"""`forecast schedule`."""

from __future__ import annotations

import click

from forecast.cli.options import Shared, shared_options
from forecast.cli.running import print_json, print_lines, settings_for


@click.command()
@click.option(
    "--at",
    metavar="HH:MM",
    help="In each exchange's time zone [default: 2:30 h after the close, 18:30 in New York].",
)
@click.option("--install", is_flag=True, help="Install the timers.")
@click.option("--remove", is_flag=True, help="Take them out again.")
@click.option("--foreground", is_flag=True, help="Be the timer until SIGTERM, in a container.")
@click.option(
    "--using",
    type=click.Choice(["systemd", "cron"]),
    help="Default: systemd where it runs, else cron.",
)
@shared_options
@click.pass_obj
def schedule(
    shared: Shared,
    at: str | None,
    install: bool,
    remove: bool,
    foreground: bool,
    using: str | None,
) -> int:
    """Print, install or remove what starts the nightly retrain.

    Without --install nothing is written.
    """
    from forecast.pipeline import schedule as verb

    if install + remove + foreground > 1:
        raise click.UsageError("--install, --remove and --foreground exclude each other.")
    home, settings = settings_for(shared)
    if foreground:
        verb.stay(home=home, settings=settings, at=at)
        return 0
    if remove:
        result = verb.remove(home=home, using=using)
    else:
        result = verb.schedule(home=home, settings=settings, at=at, using=using, install=install)
    if shared.json:
        print_json(result.as_document())
    else:
        for notice in result.notices:
            click.echo(f"NOTICE: {notice}", err=True)
        print_lines(str(result).splitlines())
    return 0
