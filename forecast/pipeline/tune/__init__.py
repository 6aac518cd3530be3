"""`tune`: search the network's settings by walk-forward validation before the test part."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from forecast.config import Settings, load_settings
from forecast.files import inside, write_atomically
from forecast.market.bars import check_ticker
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.finished import finish
from forecast.pipeline.kept import deciding, key_of
from forecast.pipeline.provenance import command, versions
from forecast.pipeline.readers import VERBS
from forecast.pipeline.tune import space as spaces
from forecast.pipeline.tune.importance import importance
from forecast.pipeline.tune.part import Part, before_test
from forecast.pipeline.tune.result import summary
from forecast.pipeline.tune.searches import check_search, search_of
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.tune.study import Study
from forecast.pipeline.tune.trials import Folds, loss_of
from forecast.pipeline.tuned import Tuned, path_of, write_tuned
from forecast.pipeline.watch import Watch
from forecast.report.tuning_text import tuning_lines

_RESULT, _ROWS = "study.json", "rows.csv"


@dataclass(frozen=True)
class Tuning:
    """What came of a search.

    Attributes:
        document: As `tune --json` prints it.
        report: The page.
    """

    document: dict[str, Any]
    report: Path

    def __str__(self) -> str:
        return "\n".join(tuning_lines(self.document))


def tune(
    ticker: str,
    *,
    home: Path,
    settings: Settings,
    search: str = "random",
    trials: int | None = None,
    as_of: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> Tuning:
    """Search settings of the network, and write the best ones where `train` uses them.

    Every finished trial is kept under `reports/<ticker>/tune/<key>/`: an interrupted search goes
    on where it was, several processes share one, and a finished one trains nothing.

    Args:
        ticker: Such as `AAPL`.
        home: Where `data/`, `models/` and `reports/` are.
        settings: The settings as they are: what is searched is `settings.tune.space`.
        search: `grid`, `random` or `tpe`.
        trials: How many, the first one with the settings as they are; None for
            `settings.tune.trials`, or for all of a grid.
        as_of: Ticker → snapshot to search on, instead of asking the source.
        watch: Told how it goes.

    Raises:
        ForecastError: whatever went wrong, before any work where that can be known.
        KeyboardInterrupt: finished trials are kept.
    """
    watch, ticker = watch or Watch(), check_ticker(ticker)
    space = spaces.space_of(settings, grid=search == "grid")
    check_search(search, space)
    if search != "grid":
        trials = trials or settings.tune.trials
    watch.stage(f"fetching {ticker}")
    fetched = fetch_for(ticker, home=home, settings=settings, as_of=as_of)
    if fetched.notice:
        watch.notice(fetched.notice)
    for name in sorted(set(space) & load_settings(home).model_fields_set):
        watch.notice(
            f"{name} is searched, but set in forecast.toml or a variable: train uses that."
        )
    least, most = spaces.reach(space, settings)
    part = before_test(fetched, least=least, horizon=settings.horizon)
    folds = Folds.of(part.fetched, most=most, settings=settings)
    key = _key(part, space, search, settings)
    folder = inside(home / "reports", ticker, "tune", key)
    slots = Slots(folder)
    made = search_of(
        search,
        space,
        spaces.own_values(space, settings),
        trials=trials,
        seed=settings.seed,
        slots=slots,
    )
    again = command(
        "tune",
        [ticker],
        settings,
        f"--as-of={ticker}={fetched.snapshot}",
        f"--search={search}",
        f"--trials={made.trials}",
        f"--folds={len(folds)}",
        *spaces.as_flags(space),
    )
    begun = time.perf_counter()
    try:
        results = Study(slots, made, folds, settings).work(watch)
    except KeyboardInterrupt:
        watch.notice(f"finished trials are kept. To go on: {again}")
        raise
    document = {
        "ticker": ticker,
        "study": key,
        "search": search,
        "target": settings.target,
        "horizon": settings.horizon,
        "loss": loss_of(settings),
        "space": spaces.as_document(space),
        **summary(results),
        "trials": results,
        "importance": importance(space, results),
        "folds": [
            {
                "fold": number + 1,
                **_span(part, split.test, most),
                "origins": len(split.test),
            }
            for number, split in enumerate(folds.splits)
        ],
        "rows": part.as_document(),
        "source": fetched.source,
        "snapshot": fetched.snapshot,
        "settings": deciding(settings, VERBS["tune"]),
        "tuned": path_of(home, ticker).relative_to(home).as_posix(),
        "report": (folder / "index.html").relative_to(home).as_posix(),
        "plots": [],
        "command": again,
        "versions": versions(),
        "seconds": {},
    }
    watch.stage("drawing the page")
    with slots.alone():
        _write(folder, document, part, begun=begun, home=home)
        _write_best(home, document, settings)
    return Tuning(document, home / document["report"])


def _key(part: Part, space: spaces.Space, search: str, settings: Settings) -> str:
    """Names all that the trials depend on but how many there are; the test part is not in it."""
    wanted = {
        "settings": deciding(settings, VERBS["tune"]),
        "space": spaces.as_document(space),
        "search": search,
        "folds": settings.tune.folds,
    }
    return key_of(part.bars, wanted)


def _span(part: Part, origins: range, most: int) -> dict[str, str]:
    """First and last session of a range of origins."""
    index = part.bars.index
    first, last = (index[most - 1 + position] for position in (origins[0], origins[-1]))
    return {"first": f"{first:%Y-%m-%d}", "last": f"{last:%Y-%m-%d}"}


def _write(folder: Path, document: dict[str, Any], part: Part, *, begun: float, home: Path) -> None:
    """Everything into the folder; `study.json` comes last."""
    from forecast.report.tuning_page import write_tuning

    write_atomically(folder / _ROWS, part.table())
    spent = [one["seconds"] for one in document["trials"]]
    document["seconds"] = {"trial": sum(spent) / len(spent), "trials": sum(spent)}
    draw = partial(write_tuning, folder, document=document)
    finish(folder / _RESULT, document, draw, begun=begun, home=home)


def _write_best(home: Path, document: Mapping[str, Any], settings: Settings) -> None:
    best, default = document["best"], document["default"]
    values = spaces.with_values(settings, best["settings"])
    chosen = {
        name: list(value) if isinstance(value := getattr(values, name), tuple) else value
        for name in best["settings"]
    }
    beside = f", {default['value']:.6g} with the settings as they were" if default else ""
    comment = (
        f"Written by forecast tune: trial {best['trial']} of {len(document['trials'])}, "
        f"{date.today():%Y-%m-%d}.\n"
        f"Held-out loss {best['value']:.6g}{beside}. Read by forecast train "
        f"{document['ticker']}; not with --untuned.\n"
        f"{document['command']}"
    )
    tuned = Tuned(
        study=Path(document["report"]).parent.as_posix(),
        target=settings.target,
        horizon=settings.horizon,
        last=date.fromisoformat(document["rows"]["read"]["last"]),
        settings=chosen,
    )
    write_tuned(home, document["ticker"], tuned, comment=comment)
