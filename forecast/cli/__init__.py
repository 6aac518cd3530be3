"""The command line: parse, call one verb, print. Results on stdout, all else on stderr.

Each file here holds the commands of one kind; `COMMANDS` lists them all.
"""

from __future__ import annotations

import sys

import click

from forecast.cli.data import fetch
from forecast.cli.doctor import doctor
from forecast.cli.judging import audit, compare, evaluate
from forecast.cli.learning import predict, train
from forecast.cli.ledger import ledger
from forecast.cli.models import models, promote, rollback
from forecast.cli.nightly import nightly
from forecast.cli.options import Shared, shared_options
from forecast.cli.running import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_USAGE, print_json
from forecast.cli.schedule import schedule
from forecast.cli.streams import mend_streams
from forecast.cli.tuning import tune
from forecast.errors import ForecastError, from_system

COMMANDS: list[click.Command] = [
    fetch,
    train,
    predict,
    evaluate,
    compare,
    tune,
    audit,
    nightly,
    schedule,
    doctor,
    models,
    promote,
    rollback,
    ledger,
]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="forecast")
@shared_options
def cli() -> None:
    """Forecast stock prices with recurrent networks, and say honestly what came of it.

    The first thing to try: forecast train AAPL
    """


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    mend_streams()
    shared = Shared()
    # A document is promised even when the options cannot be parsed.
    wants_json = "--json" in sys.argv[1:]
    try:
        status = cli.main(standalone_mode=False, obj=shared, prog_name="forecast")
        sys.stdout.flush()
    except click.UsageError as error:
        status = EXIT_USAGE
        if wants_json:
            print_json(
                {
                    "error": {
                        "type": "UsageError",
                        "message": error.format_message(),
                        "hint": f"{error.ctx.command_path if error.ctx else 'forecast'} --help",
                    }
                }
            )
        else:
            error.show()
    except (KeyboardInterrupt, click.Abort):
        status = EXIT_INTERRUPTED
        click.echo("Interrupted: no half file is left, and what was finished is kept.", err=True)
    except (ForecastError, OSError) as error:
        if shared.debug:
            raise
        status = EXIT_ERROR
        known = error if isinstance(error, ForecastError) else from_system(error)
        if wants_json:
            print_json({"error": known.as_document()})
        else:
            click.echo(f"{type(known).__name__}: {known}", err=True)
    sys.exit(status)
