"""`forecast train` and `forecast predict`."""

from __future__ import annotations

from typing import Any

import click

from forecast.cli.options import (
    AS_OF,
    NETWORK,
    SOURCE,
    TICKERS,
    Shared,
    shared_options,
    training_options,
)
from forecast.cli.running import (
    EXIT_ERROR,
    failures,
    print_json,
    print_lines,
    settings_for,
    snapshots,
    watching_of,
)


@click.command()
@TICKERS
@SOURCE
@NETWORK
@training_options
@click.option("--together", is_flag=True, help="One network over all tickers.")
@click.option("--untuned", is_flag=True, help="Leave the settings out that tune found.")
@AS_OF
@shared_options
@click.pass_obj
def train(
    shared: Shared,
    /,
    tickers: tuple[str, ...],
    together: bool,
    untuned: bool,
    as_of: tuple[str, ...],
    **flags: Any,
) -> int:
    """Train a network, score it beside the baselines, write model and report."""
    from forecast.pipeline import train as verb
    from forecast.pipeline.every import FailedRun
    from forecast.report.run_text import group_lines

    home, settings = settings_for(shared, **flags)
    with watching_of(shared) as watch:
        results = verb.train(
            tickers,
            home=home,
            settings=settings,
            together=together,
            untuned=untuned,
            as_of=snapshots(tickers, as_of),
            watch=watch,
        )
    runs = [result for result in results if isinstance(result, verb.Run)]
    failed = [result for result in results if isinstance(result, FailedRun)]
    pooled = next((run.pooled for run in runs if run.pooled), None)
    if shared.json:
        group = {"pooled": pooled} if pooled else {}
        print_json({"runs": [run.document for run in runs], **group, **failures(failed)})
    elif pooled:
        print_lines(group_lines(pooled, [run.document for run in runs]))
    else:
        print_lines("\n\n".join(str(run) for run in runs).splitlines())
    return EXIT_ERROR if failed else 0


@click.command()
@TICKERS
@SOURCE
@click.option("--model", metavar="RUN", help="Which run [default: the champion].")
@AS_OF
@shared_options
@click.pass_obj
def predict(
    shared: Shared,
    tickers: tuple[str, ...],
    source: str | None,
    model: str | None,
    as_of: tuple[str, ...],
) -> int:
    """Forecast the next sessions from the newest completed bar."""
    from forecast.pipeline import predict as verb
    from forecast.pipeline.every import FailedRun
    from forecast.report.forecast_text import forecast_lines

    home, settings = settings_for(shared, source=source)
    with watching_of(shared) as watch:
        results = verb.predict(
            tickers,
            home=home,
            settings=settings,
            run=model,
            as_of=snapshots(tickers, as_of),
            watch=watch,
        )
    failed = [result for result in results if isinstance(result, FailedRun)]
    documents = [result for result in results if not isinstance(result, FailedRun)]
    if shared.json:
        print_json({"forecasts": documents, **failures(failed)})
    else:
        print_lines([line for document in documents for line in forecast_lines(document)])
    return EXIT_ERROR if failed else 0
