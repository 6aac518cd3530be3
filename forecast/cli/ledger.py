"""`forecast ledger`."""

from __future__ import annotations

from pathlib import Path

import click

from forecast.cli.options import Shared, shared_options
from forecast.cli.running import EXIT_ERROR, print_json, print_lines, settings_for, watching_of

_KINDS = (".csv", ".parquet")


@click.command()
@click.argument("ticker", required=False, metavar="[TICKER]")
@click.option(
    "--verify", is_flag=True, help="Only check that no entry was changed, removed or added."
)
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the track record to FILE.csv or FILE.parquet.",
)
@shared_options
@click.pass_obj
def ledger(shared: Shared, ticker: str | None, verify: bool, export: Path | None) -> int:
    """Forecasts issued before their outcome, and how they turned out.

    Exit code 1 where the record is not as it was written: changed, cut off or damaged.
    """
    from forecast.pipeline import ledger as verb
    from forecast.report.track_record_text import check_lines, ledger_lines

    if verify and (ticker or export):
        raise click.UsageError("--verify checks the whole record: no TICKER, no --export.")
    if export is not None and export.suffix not in _KINDS:
        raise click.UsageError(f"--export needs a name that ends in {' or '.join(_KINDS)}.")
    home, settings = settings_for(shared)
    if verify:
        document, lines = verb.verify(home), check_lines
    else:
        with watching_of(shared) as watch:
            document = verb.ledger(
                ticker, home=home, settings=settings, export=export, watch=watch
            ).document
        lines = ledger_lines
    if shared.json:
        print_json(document)
    else:
        print_lines(lines(document))
    return EXIT_ERROR if document["problems"] else 0
