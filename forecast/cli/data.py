"""`forecast fetch`."""

from __future__ import annotations

from datetime import datetime

import click

from forecast.cli.options import AS_OF, SOURCE, TICKERS, Shared, shared_options
from forecast.cli.running import (
    EXIT_ERROR,
    day,
    print_json,
    print_lines,
    settings_for,
    snapshots,
    watching_of,
)

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@TICKERS
@SOURCE
@click.option("--start", type=_DAY, metavar="YYYY-MM-DD", help="First session wanted.")
@click.option("--end", type=_DAY, metavar="YYYY-MM-DD", help="Last session wanted.")
@click.option("--refresh", is_flag=True, help="Fetch the whole history again.")
@AS_OF
@shared_options
@click.pass_obj
def fetch(
    shared: Shared,
    tickers: tuple[str, ...],
    source: str | None,
    start: datetime | None,
    end: datetime | None,
    refresh: bool,
    as_of: tuple[str, ...],
) -> int:
    """Bring bars into the store and say what is odd about them."""
    from forecast.market.fetching import Failed
    from forecast.pipeline import fetch as verb
    from forecast.report.fetch_text import fetch_lines

    home, settings = settings_for(shared, source=source)
    with watching_of(shared) as watch:
        results = verb.fetch(
            tickers,
            home=home,
            settings=settings,
            start=day(start),
            end=day(end),
            refresh=refresh,
            as_of=snapshots(tickers, as_of),
            watch=watch,
        )
    if shared.json:
        print_json({"tickers": [verb.as_document(result) for result in results]})
    else:
        print_lines(fetch_lines([verb.as_document(result) for result in results]))
    return EXIT_ERROR if any(isinstance(result, Failed) for result in results) else 0
