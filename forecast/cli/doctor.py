"""`forecast doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from forecast.cli.options import Shared, shared_options
from forecast.cli.running import (
    EXIT_ERROR,
    home_of,
    print_json,
    print_lines,
    settings_for,
    watching_of,
)

if TYPE_CHECKING:
    from forecast.pipeline.doctor import Checkup


@click.command()
@click.argument("tickers", nargs=-1, metavar="[TICKER...]")
@click.option("--alert", metavar="TEXT", help="Send TEXT and what is wrong to the webhook.")
@shared_options
@click.pass_obj
def doctor(shared: Shared, tickers: tuple[str, ...], alert: str | None) -> int:
    """Say whether a night would go well here, and what to do if not.

    Looks at versions, disk, settings, bars, networks, the ledger, the timer, the source and the
    devices. Exit code 1 when something would stop a night.
    """
    from forecast.config import Settings
    from forecast.errors import ConfigError
    from forecast.pipeline import doctor as verb

    refused = None
    try:
        home, settings = settings_for(shared)
    except ConfigError as error:
        home, settings, refused = home_of(shared), Settings(), error
    with watching_of(shared) as watch:
        checkup = verb.doctor(tickers, home=home, settings=settings, refused=refused, watch=watch)
    if shared.json:
        print_json(checkup.as_document())
    else:
        print_lines(str(checkup).splitlines())
    if alert is not None:
        _send(home, alert, checkup)
    return 0 if checkup.passed else EXIT_ERROR


def _send(home: Path, text: str, checkup: Checkup) -> None:
    from forecast.config import webhook_of
    from forecast.errors import ConfigError
    from forecast.nightly.alerts import send_alert
    from forecast.pipeline.doctor import FAIL, WARN

    wrong = checkup.told(FAIL, WARN) or "Nothing else is wrong here."
    try:
        # Settings that are refused are one of the things to be alerted about.
        webhook = webhook_of(home)
    except ConfigError as error:
        refusal: str | None = error.message.removesuffix(".")
    else:
        refusal = (
            send_alert(webhook, f"{text}\n{wrong}", {"passed": checkup.passed})
            if webhook
            else "nightly.webhook is not set"
        )
    if refusal is not None:
        click.echo(f"NOTICE: no alert was sent: {refusal}.", err=True)
