"""`forecast nightly`."""

from __future__ import annotations

from typing import Any

import click

from forecast.cli.options import ANY_TICKERS, SOURCE, Shared, shared_options
from forecast.cli.running import print_json, print_lines, settings_for, watching_of

EXIT_BUSY = 75
"""`EX_TEMPFAIL` of sysexits.h: another night is at work; try again later."""


@click.command()
@ANY_TICKERS
@SOURCE
@click.option("--now", metavar="TIME", help="Set the clock: a date, or a time with its zone.")
@click.option("--force", is_flag=True, help="Do nights that are done again.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Processes here, or Ray [default: local].",
)
@click.option("--address", metavar="HOST:PORT", help="Of a Ray cluster [default: Ray here].")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Trainings at once [default: as cores and memory allow].",
)
@shared_options
@click.pass_obj
def nightly(
    shared: Shared,
    /,
    tickers: tuple[str, ...],
    source: str | None,
    now: str | None,
    **options: Any,
) -> int:
    """Fetch, train challengers, promote the better ones, forecast, keep the record.

    Without a ticker: those of [nightly] in the settings. A night that is done is not done again.
    """
    from forecast.errors import BusyError
    from forecast.nightly.clock import clock_of
    from forecast.nightly.night import run_night
    from forecast.report.night_text import night_lines

    home, settings = settings_for(shared, source=source)
    if options["address"] and options["engine"] != "ray":
        raise click.UsageError("--address needs --engine ray.")
    try:
        with watching_of(shared) as watch:
            night = run_night(
                tickers,
                home=home,
                settings=settings,
                clock=clock_of(now),
                watch=watch,
                **options,
            )
    except BusyError as error:
        if shared.json:
            print_json({"error": error.as_document()}, indent=None)
        click.echo(f"{type(error).__name__}: {error}", err=True)
        return EXIT_BUSY
    if night.alert is not None:
        # Also with --quiet: it is all that cron has to mail.
        click.echo(night.alert, err=True)
    if shared.json:
        # One line, so that a log of nights is a file of JSON lines.
        print_json(night.document, indent=None)
    else:
        print_lines(night_lines(night.document))
    return night.exit_code
