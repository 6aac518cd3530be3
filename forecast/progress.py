"""How training and fetching go, on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from forecast.pipeline.watch import Watch

if TYPE_CHECKING:
    from rich.console import Console

    from forecast.networks.training import Epoch

_PLAIN_LINES = 10


def silent() -> Watch:
    """Tells nothing but what the user must know."""
    return Watch(notice=_plain_notice)


@contextmanager
def watching() -> Iterator[Watch]:
    """Tells how it goes, in the form that stderr can show."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console

    with _live(Console(stderr=True)) as watch:
        yield watch


def _plain() -> Watch:
    def stage(text: str) -> None:
        print(f"{text} …", file=sys.stderr, flush=True)

    def epoch(now: Epoch) -> None:
        if now.number % max(now.of // _PLAIN_LINES, 1) == 0 or now.number == 1:
            print(f"  {_epoch_text(now)}", file=sys.stderr, flush=True)

    return Watch(stage=stage, epoch=epoch, notice=_plain_notice)


@contextmanager
def _live(console: Console) -> Iterator[Watch]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, note="")

        def stage(text: str) -> None:
            bar.reset(task, description=escape(text), total=None, note="")

        def epoch(now: Epoch) -> None:
            bar.update(task, total=now.of, completed=now.number, note=_epoch_text(now))

        def step(done: int, of: int, text: str) -> None:
            bar.update(task, total=of, completed=done, note=f"{done}/{of} {escape(text)}")

        def notice(text: str) -> None:
            console.print(f"[bold yellow]NOTICE[/] {escape(text)}", highlight=False)

        yield Watch(stage=stage, epoch=epoch, notice=notice, step=step)


def _epoch_text(now: Epoch) -> str:
    return (
        f"epoch {now.number}/{now.of}  loss {now.loss:.4f}  validation "
        f"{now.validation_loss:.4f}  at most {now.seconds_left:.0f} s left"
    )


def _plain_notice(text: str) -> None:
    print(f"NOTICE: {text}", file=sys.stderr, flush=True)
