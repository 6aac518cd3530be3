"""The command line: parse, call one verb, print. Results on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from forecast.errors import ForecastError
from forecast.features.targets import TARGETS
from forecast.networks.recurrent import NETWORKS

if TYPE_CHECKING:
    from forecast.config import Settings
    from forecast.pipeline.watch import Watch

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


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


def _shared_options(command: Command) -> Command:
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


_SOURCE = click.option(
    "--source",
    metavar="SOURCE",
    help="auto (store, Yahoo, else the sample), yahoo, sample or csv:DIR.",
)
_AS_OF = click.option(
    "--as-of",
    multiple=True,
    metavar="SNAPSHOT",
    help="Bars of this snapshot, as a saved run's manifest names it; TICKER=SNAPSHOT for several.",
)
_TICKERS = click.argument("tickers", nargs=-1, required=True, metavar="TICKER...")
_NETWORK = click.option("--network", type=click.Choice(list(NETWORKS)), help="Default: lstm.")


def _training_options(command: Command) -> Command:
    """What every command that trains lets the user choose."""
    for option in reversed(
        [
            click.option("--units", metavar="64,64", help="Width of each layer."),
            click.option("--lookback", type=int, help="Sessions a window [default: 60]."),
            click.option("--horizon", type=int, help="Sessions ahead [default: 1]."),
            click.option("--target", type=click.Choice(list(TARGETS)), help="Default: return."),
            click.option("--epochs", type=int, help="At most so many; training stops early."),
            click.option("--seed", type=int, help="Same seed, same network."),
        ]
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="forecast")
@_shared_options
def cli() -> None:
    """Forecast stock prices with recurrent networks, and say honestly what came of it.

    The first thing to try: forecast train AAPL
    """


@cli.command()
@_TICKERS
@_SOURCE
@click.option("--start", type=click.DateTime(["%Y-%m-%d"]), help="First session wanted.")
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last session wanted.")
@click.option("--refresh", is_flag=True, help="Fetch the whole history again.")
@_AS_OF
@_shared_options
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
    from forecast.report import text

    home, settings = _settings(shared, source=source)
    with _watching(shared) as watch:
        results = verb.fetch(
            tickers,
            home=home,
            settings=settings,
            start=_day(start),
            end=_day(end),
            refresh=refresh,
            as_of=_snapshots(tickers, as_of),
            watch=watch,
        )
    if shared.json:
        _print_json({"tickers": [verb.as_document(result) for result in results]})
    else:
        _print(text.fetch_lines([verb.as_document(result) for result in results]))
    return EXIT_ERROR if any(isinstance(result, Failed) for result in results) else 0


@cli.command()
@_TICKERS
@_SOURCE
@_NETWORK
@_training_options
@click.option("--together", is_flag=True, help="One network over all tickers.")
@_AS_OF
@_shared_options
@click.pass_obj
def train(
    shared: Shared,
    /,
    tickers: tuple[str, ...],
    together: bool,
    as_of: tuple[str, ...],
    **flags: Any,
) -> int:
    """Train a network, score it beside the baselines, write model and report."""
    from forecast.pipeline import train as verb
    from forecast.pipeline.every import FailedRun

    home, settings = _settings(shared, **flags)
    with _watching(shared) as watch:
        results = verb.train(
            tickers,
            home=home,
            settings=settings,
            together=together,
            as_of=_snapshots(tickers, as_of),
            watch=watch,
        )
    runs = [result for result in results if isinstance(result, verb.Run)]
    failed = [result for result in results if isinstance(result, FailedRun)]
    if shared.json:
        _print_json({"runs": [run.document for run in runs], **_failures(failed)})
    else:
        _print("\n\n".join(str(run) for run in runs).splitlines())
    return _report_failures(failed)


@cli.command()
@_TICKERS
@_SOURCE
@click.option("--model", metavar="RUN", help="Which run [default: the champion].")
@_AS_OF
@_shared_options
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
    from forecast.report import text

    home, settings = _settings(shared, source=source)
    with _watching(shared) as watch:
        results = verb.predict(
            tickers,
            home=home,
            settings=settings,
            run=model,
            as_of=_snapshots(tickers, as_of),
            watch=watch,
        )
    failed = [result for result in results if isinstance(result, FailedRun)]
    documents = [result for result in results if not isinstance(result, FailedRun)]
    if shared.json:
        _print_json({"forecasts": documents, **_failures(failed)})
    else:
        _print([line for document in documents for line in text.forecast_lines(document)])
    return _report_failures(failed)


@cli.command()
@_TICKERS
@_SOURCE
@click.option("--folds", type=int, help="Test blocks over the second half [default: 5].")
@_NETWORK
@_training_options
@_AS_OF
@_shared_options
@click.pass_obj
def evaluate(
    shared: Shared, /, tickers: tuple[str, ...], as_of: tuple[str, ...], **flags: Any
) -> int:
    """Walk forward: retrain in each fold with several seeds, score, trade on the forecasts.

    An interrupted evaluation goes on where it was; a finished one is not done again.
    """
    from forecast.pipeline import evaluate as verb
    from forecast.pipeline.every import FailedRun

    home, settings = _settings(shared, **flags)
    with _watching(shared) as watch:
        results = verb.evaluate(
            tickers, home=home, settings=settings, as_of=_snapshots(tickers, as_of), watch=watch
        )
    done = [result for result in results if isinstance(result, verb.Evaluation)]
    failed = [result for result in results if isinstance(result, FailedRun)]
    if shared.json:
        _print_json({"evaluations": [one.document for one in done], **_failures(failed)})
    else:
        _print("\n\n".join(str(one) for one in done).splitlines())
    return _report_failures(failed)


@cli.command()
@_TICKERS
@_SOURCE
@click.option("--networks", metavar="lstm,gru", help="Which networks [default: all].")
@_training_options
@_AS_OF
@_shared_options
@click.pass_obj
def compare(
    shared: Shared,
    /,
    tickers: tuple[str, ...],
    networks: str | None,
    as_of: tuple[str, ...],
    **flags: Any,
) -> int:
    """Train several networks on the same bars and say which one, if it matters."""
    from forecast.pipeline import compare as verb
    from forecast.pipeline.every import FailedRun

    home, settings = _settings(shared, **flags)
    chosen = [name.strip() for name in (networks or "").split(",") if name.strip()]
    with _watching(shared) as watch:
        results = verb.compare(
            tickers,
            home=home,
            settings=settings,
            networks=chosen or None,
            as_of=_snapshots(tickers, as_of),
            watch=watch,
        )
    done = [result for result in results if isinstance(result, verb.Comparison)]
    failed = [result for result in results if isinstance(result, FailedRun)]
    if shared.json:
        _print_json({"comparisons": [one.document for one in done], **_failures(failed)})
    else:
        _print("\n\n".join(str(one) for one in done).splitlines())
    return _report_failures(failed)


@cli.command()
@click.argument("tickers", nargs=-1, metavar="[TICKER...]")
@_SOURCE
@_shared_options
@click.pass_obj
def audit(shared: Shared, tickers: tuple[str, ...], source: str | None) -> int:
    """Prove that no feature, scaler or forecast sees the future.

    Without a ticker: every ticker that has a trained network, or else AAPL of the sample.
    """
    from forecast.pipeline import audit as verb

    home, settings = _settings(shared, source=source)
    with _watching(shared) as watch:
        results = verb.audit(tickers, home=home, settings=settings, watch=watch)
    if shared.json:
        _print_json({"audits": [result.as_document() for result in results]})
    else:
        _print("\n\n".join(str(result) for result in results).splitlines())
    return 0 if all(result.passed for result in results) else EXIT_ERROR


def main() -> None:
    """Run the command line and leave with its exit code."""
    shared = Shared()
    # A document is promised even when the options cannot be parsed.
    wants_json = "--json" in sys.argv[1:]
    try:
        status = cli.main(standalone_mode=False, obj=shared, prog_name="forecast")
        sys.stdout.flush()
    except click.UsageError as error:
        status = EXIT_USAGE
        if wants_json:
            _print_json(
                {
                    "error": {
                        "type": "UsageError",
                        "message": error.format_message(),
                        "hint": "forecast --help",
                    }
                }
            )
        else:
            error.show()
    except (KeyboardInterrupt, click.Abort):
        status = EXIT_INTERRUPTED
        click.echo("Interrupted: no half file is left, and what was finished is kept.", err=True)
    except BrokenPipeError:
        # The reader (`| head`) has left; Python would complain again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except (ForecastError, OSError) as error:
        if shared.debug:
            raise
        status = EXIT_ERROR
        known = error if isinstance(error, ForecastError) else _from_system(error)
        if wants_json:
            _print_json({"error": known.as_document()})
        else:
            click.echo(f"{type(known).__name__}: {known}", err=True)
    sys.exit(status)


def _from_system(error: OSError) -> ForecastError:
    return ForecastError(
        f"the system refused a file: {error.strerror or error} ({error.filename}).",
        hint="check the folder's permissions and free space, or choose another --home",
    )


def _settings(shared: Shared, **flags: Any) -> tuple[Path, Settings]:
    from forecast.config import load_settings

    home = (shared.home or Path(os.environ.get("FORECAST_HOME") or ".")).absolute()
    return home, load_settings(home, **flags)


@contextmanager
def _watching(shared: Shared) -> Iterator[Watch]:
    from forecast.progress import silent, watching

    if shared.quiet:
        yield silent()
    else:
        with watching() as watch:
            yield watch


def _snapshots(tickers: tuple[str, ...], given: tuple[str, ...]) -> dict[str, str]:
    """Ticker → snapshot; a bare snapshot belongs to the only ticker."""
    snapshots = {}
    for word in given:
        ticker, separator, snapshot = word.rpartition("=")
        if not separator and len(set(tickers)) > 1:
            raise click.UsageError("--as-of needs TICKER=SNAPSHOT where there are several tickers.")
        snapshots[(ticker or tickers[0]).strip().upper()] = snapshot
    return snapshots


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _failures(failed: list[Any]) -> dict[str, Any]:
    """For several tickers of which some failed; a single failure is an `error` document."""
    if not failed:
        return {}
    return {"failed": [{"ticker": one.ticker, "error": one.error.as_document()} for one in failed]}


def _report_failures(failed: list[Any]) -> int:
    for one in failed:
        click.echo(f"{type(one.error).__name__}: {one.error}", err=True)
    return EXIT_ERROR if failed else 0


def _print(lines: list[str]) -> None:
    click.echo("\n".join(lines))


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))
