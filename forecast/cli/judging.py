"""`forecast evaluate`, `forecast compare` and `forecast audit`."""

from __future__ import annotations

from typing import Any

import click

from forecast.cli.options import (
    ANY_TICKERS,
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
@click.option("--folds", type=int, help="Test blocks over the second half [default: 5].")
@NETWORK
@training_options
@AS_OF
@shared_options
@click.pass_obj
def evaluate(
    shared: Shared, /, tickers: tuple[str, ...], as_of: tuple[str, ...], **flags: Any
) -> int:
    """Walk forward: retrain in each fold with several seeds, score, trade on the forecasts.

    An interrupted evaluation goes on where it was; a finished one is not done again.
    """
    from forecast.pipeline import evaluate as verb
    from forecast.pipeline.every import FailedRun

    home, settings = settings_for(shared, **flags)
    with watching_of(shared) as watch:
        results = verb.evaluate(
            tickers, home=home, settings=settings, as_of=snapshots(tickers, as_of), watch=watch
        )
    done = [result for result in results if isinstance(result, verb.Evaluation)]
    failed = [result for result in results if isinstance(result, FailedRun)]
    if shared.json:
        print_json({"evaluations": [one.document for one in done], **failures(failed)})
    else:
        print_lines("\n\n".join(str(one) for one in done).splitlines())
    return EXIT_ERROR if failed else 0


@click.command()
@TICKERS
@SOURCE
@click.option("--networks", metavar="lstm,gru", help="Which networks [default: all].")
@training_options
@AS_OF
@shared_options
@click.pass_obj
def compare(
    shared: Shared,
    /,
    tickers: tuple[str, ...],
    networks: str | None,
    as_of: tuple[str, ...],
    **flags: Any,
) -> int:
    """Train several networks with several seeds on the same bars and say which, if it matters.

    An interrupted comparison goes on where it was; a finished one is not done again.
    """
    from forecast.pipeline import compare as verb
    from forecast.pipeline.every import FailedRun

    home, settings = settings_for(shared, **flags)
    chosen = None
    if networks is not None:
        chosen = [name.strip() for name in networks.split(",") if name.strip()]
    with watching_of(shared) as watch:
        results = verb.compare(
            tickers,
            home=home,
            settings=settings,
            networks=chosen,
            as_of=snapshots(tickers, as_of),
            watch=watch,
        )
    done = [result for result in results if isinstance(result, verb.Comparison)]
    failed = [result for result in results if isinstance(result, FailedRun)]
    if shared.json:
        print_json({"comparisons": [one.document for one in done], **failures(failed)})
    else:
        print_lines("\n\n".join(str(one) for one in done).splitlines())
    return EXIT_ERROR if failed else 0


@click.command()
@ANY_TICKERS
@SOURCE
@shared_options
@click.pass_obj
def audit(shared: Shared, tickers: tuple[str, ...], source: str | None) -> int:
    """Prove that no feature, scaler or forecast sees the future.

    Without a ticker: every ticker that has a trained network, or else AAPL of the sample.
    """
    from forecast.pipeline import audit as verb

    home, settings = settings_for(shared, source=source)
    with watching_of(shared) as watch:
        results = verb.audit(tickers, home=home, settings=settings, watch=watch)
    if shared.json:
        print_json({"audits": [result.as_document() for result in results]})
    else:
        print_lines("\n\n".join(str(result) for result in results).splitlines())
    return 0 if all(result.passed for result in results) else EXIT_ERROR
