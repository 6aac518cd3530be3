"""How training and fetching go, on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from forecast.pipeline.watch import Watch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from forecast.networks.epochs import Epoch
    from forecast.pipeline.watch import Standing

_PLAIN_LINES = 10
_TOP = 5
_MINUTES = 120


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
    searching = False

    def stage(text: str) -> None:
        print(f"{text} …", file=sys.stderr, flush=True)

    def search(now: Standing) -> None:
        nonlocal searching
        searching = True
        if now.now is not None:
            print(f"{_search_text(now)}: {now.settings}", file=sys.stderr, flush=True)

    def epoch(now: Epoch) -> None:
        if searching:
            return
        if now.number % max(now.of // _PLAIN_LINES, 1) == 0 or now.number == 1:
            print(f"  {_epoch_text(now)}", file=sys.stderr, flush=True)

    return Watch(stage=stage, epoch=epoch, search=search, notice=_plain_notice)


@contextmanager
def _live(console: Console) -> Iterator[Watch]:
    from rich.console import Group
    from rich.live import Live
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
    )
    tables: list[Any] = []
    live = Live(
        get_renderable=lambda: Group(*tables, bar.get_renderable()),
        console=console,
        transient=True,
    )
    with live:
        task = bar.add_task("", total=None, note="")

        def stage(text: str) -> None:
            bar.reset(task, description=escape(text), total=None, note="")

        def epoch(now: Epoch) -> None:
            bar.update(task, total=now.of, completed=now.number, note=_epoch_text(now))

        def step(done: int, of: int, text: str) -> None:
            bar.update(task, total=of, completed=done, note=f"{done}/{of} {escape(text)}")

        def search(now: Standing) -> None:
            tables[:] = [f"[bold]{escape(_search_text(now))}[/]", _search_table(now)]
            doing = "" if now.now is None else f"trial {now.now}"
            bar.reset(task, description=doing, total=None, note="")

        def notice(text: str) -> None:
            # Not broken into lines: a command in it must be good to copy.
            console.print(f"[bold yellow]NOTICE[/] {escape(text)}", highlight=False, soft_wrap=True)

        yield Watch(stage=stage, epoch=epoch, notice=notice, step=step, search=search)


def _epoch_text(now: Epoch) -> str:
    return (
        f"epoch {now.number}/{now.of}  loss {now.loss:.4f}  validation "
        f"{now.validation_loss:.4f}  at most {now.seconds_left:.0f} s left"
    )


def _search_text(now: Standing) -> str:
    """`trial 7, 6 of 20 finished, best loss 0.005210 (trial 3), about 4 min left`."""
    done = [one for one in now.finished if one["state"] == "done"]
    parts = [] if now.now is None else [f"trial {now.now}"]
    parts.append(f"{len(now.finished)} of {now.of} finished")
    if failed := sum(one["state"] == "failed" for one in now.finished):
        parts.append(f"{failed} failed")
    if done:
        best = min(done, key=lambda one: one["value"])
        parts.append(f"best loss {best['value']:.6f} (trial {best['trial']})")
    if now.seconds_left:
        in_minutes = now.seconds_left >= _MINUTES
        left = f"{now.seconds_left / 60:.0f} min" if in_minutes else f"{now.seconds_left:.0f} s"
        parts.append(f"about {left} left")
    return ", ".join(parts)


def _search_table(now: Standing) -> Table:
    """The best trials so far, and the one that is being made."""
    from rich.markup import escape
    from rich.table import Table

    from forecast.report.tuning_text import settings_text

    table = Table(box=None, pad_edge=False, header_style="dim")
    done = sorted(
        (one for one in now.finished if one["state"] == "done"), key=lambda one: one["value"]
    )
    for heading in ("trial", "loss", "s"):
        table.add_column(heading, justify="right")
    table.add_column("settings")
    for place, one in enumerate(done[:_TOP]):
        table.add_row(
            f"{one['trial']}",
            f"{one['value']:.6f}",
            f"{one['seconds']:.0f}",
            escape(settings_text(one["settings"])),
            style="bold" if place == 0 else None,
        )
    if now.now is not None:
        table.add_row(f"{now.now}", "…", "", escape(now.settings), style="dim")
    return table


def _plain_notice(text: str) -> None:
    print(f"NOTICE: {text}", file=sys.stderr, flush=True)
