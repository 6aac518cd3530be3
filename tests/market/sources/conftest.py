"""A Yahoo on loopback and a `fetch` that asks it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import PATIENT, LoopbackSession, Yahoo

from forecast.market.bars import History
from forecast.market.sources.throttle import Gate
from forecast.market.sources.yahoo import fetch

Ask = Callable[..., History | None]


@pytest.fixture
def yahoo() -> Iterator[Yahoo]:
    with Yahoo() as server:
        yield server


@pytest.fixture
def ask(yahoo: Yahoo, tmp_path: Path) -> Iterator[Ask]:
    """`fetch` with a session, cache and gate of the test's own, as in a process of its own."""
    gate = Gate()
    with LoopbackSession(yahoo.address) as session:

        def fetch_here(ticker: str, *range_: object, **options: object) -> History | None:
            known = {"cache": tmp_path / "cache", "session": session, "gate": gate}
            return fetch(ticker, *range_, **{"patience": PATIENT, **known, **options})

        yield fetch_here
