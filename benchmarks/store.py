"""How fast the store is: 500 tickers of 5,000 sessions each, in processes of their own.

    python benchmarks/store.py [--tickers 500] [--sessions 5000]

Prints one JSON document: seconds to store all, for a second fetch with nothing new (the whole
process, imports included), and to read all back as checked Bars.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.market.bars import QUOTE_COLUMNS, History
from forecast.market.findings import Thresholds
from forecast.market.sessions import expected_sessions, last_completed
from forecast.market.store import Store
from forecast.market.updating import Rules, update

FETCH = """
import sys
from forecast.market.fetching import fetch_many
results = fetch_many(sys.argv[2].split(","), data=sys.argv[1])
assert all(one.status == "current" for one in results), results[0]
print(sum(one.sessions for one in results))
"""
READ = FETCH + "print(sum(len(one.bars) for one in results))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=5000)
    wanted = parser.parse_args()
    tickers = [f"T{number}" for number in range(wanted.tickers)]
    with tempfile.TemporaryDirectory() as data:
        seconds = {
            "store": timed(lambda: fill(data, tickers, wanted.sessions)),
            "second_fetch": timed(lambda: run(FETCH, data, tickers)),
            "read_as_bars": timed(lambda: run(READ, data, tickers)),
        }
        size = sum(path.stat().st_size for path in Path(data).rglob("*") if path.is_file())
    print(json.dumps({**vars(wanted), "seconds": seconds, "megabytes": round(size / 1e6, 1)}))


def fill(data: str, tickers: list[str], rows: int) -> None:
    now = pd.Timestamp.now("UTC")
    newest = last_completed("XNYS", now)
    sessions = expected_sessions("XNYS", newest - pd.Timedelta(days=2 * rows), newest)[-rows:]
    rules = Rules(now, None, Thresholds())
    for number, ticker in enumerate(tickers):
        history = History(ticker, walk(sessions, number), "yahoo", "NMS", "USD")
        update(
            Store.open(data),
            ticker,
            lambda _, history=history: history,
            source="yahoo",
            rules=rules,
        )


def walk(sessions: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * chance.standard_normal(len(sessions))))
    open_ = close * np.exp(0.005 * chance.standard_normal(len(sessions)))
    columns = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.003,
        "low": np.minimum(open_, close) * 0.997,
        "close": close,
        "adj_close": close * 0.9,
        "volume": chance.integers(1_000_000, 9_000_000, len(sessions)).astype("float64"),
        "dividends": 0.0,
        "splits": 0.0,
    }
    return pd.DataFrame(columns, index=sessions)[QUOTE_COLUMNS]


def run(program: str, data: str, tickers: list[str]) -> None:
    subprocess.run(
        [sys.executable, "-c", program, data, ",".join(tickers)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return round(time.perf_counter() - begun, 2)


if __name__ == "__main__":
    main()
