"""Run by test_fetching: children fetch one ticker and are killed at random moments, or crowd.

Prints how many rounds there were and how many distinct snapshots were served. A fresh interpreter
forks the children, so that each is at work within milliseconds.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pandas as pd
from loopback import made_up
from vendor import Vendor

from forecast.market.fetching import fetch_one
from forecast.market.findings import Thresholds
from forecast.market.snapshots import decode
from forecast.market.store import Store
from forecast.market.updating import Rules, readable, update

ROWS = range(60, 100)
QUOTES = made_up(100)
HOME = Path(sys.argv[2])
DATA = HOME / "data"


def write_files() -> None:
    for rows in ROWS:
        (HOME / str(rows)).mkdir()
        QUOTES.iloc[:rows].to_csv(HOME / str(rows) / "ACME.csv", index_label="Date")


def fetch_files() -> None:
    while True:
        fetch_one("ACME", data=DATA, source=f"csv:{HOME}/{random.choice(ROWS)}")
        time.sleep(random.uniform(0, 0.02))


def update_on() -> None:
    vendor = Vendor(ticker="ACME")
    vendor.splits = dict.fromkeys(range(310, 900, 10), 2.0)
    stored, _ = readable(Store.open(DATA), "ACME", "yahoo")
    vendor.known = max(300, stored.manifest.rows if stored else 0)
    while True:
        vendor.known += 3
        rules = Rules(vendor.now, None, Thresholds())
        update(Store.open(DATA), "ACME", vendor.bring, source="yahoo", rules=rules)
        time.sleep(random.uniform(0, 0.02))


POINTED: set[str] = set()
"""Sources with a pointer."""


def check(served: set[str]) -> None:
    store = Store.open(DATA)
    for source in ("csv", "yahoo"):
        newest = store.newest("ACME", source)
        if newest is None:
            continue
        # Before a first pointer the newest manifest serves; after it no kill makes that necessary.
        if newest.marks is not None:
            POINTED.add(source)
        assert newest.marks is not None or source not in POINTED
        quotes = decode(store.payload(newest.manifest))
        assert len(quotes) == newest.manifest.rows
        served.add(newest.manifest.snapshot)
        if source == "csv":
            pd.testing.assert_frame_equal(quotes, QUOTES.iloc[: len(quotes)], check_freq=False)


def spawn(work) -> int:
    child = os.fork()
    if child == 0:
        try:
            random.seed(os.getpid())
            work()
        finally:
            os._exit(1)
    return child


def kill() -> None:
    served: set[str] = set()
    chance = random.Random(5)
    rounds = 0
    # On a busy machine many die before they have stored anything: go on, and kill later, until
    # enough have.
    while rounds < 60 or (len(served) < 12 and rounds < 600):
        rounds += 1
        child = spawn(update_on if rounds % 2 else fetch_files)
        time.sleep(chance.uniform(0.0, 0.15) * max(1.0, rounds / 60))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        check(served)
    print(rounds, len(served))


def crowd() -> None:
    served: set[str] = set()
    children = [spawn(work) for work in (fetch_files, fetch_files, update_on, update_on)]
    rounds = 0
    while rounds < 60 or (len(served) < 12 and rounds < 6000):
        rounds += 1
        time.sleep(0.05)
        check(served)
    for child in children:
        ended, _ = os.waitpid(child, os.WNOHANG)
        assert ended == 0, "a child came to an error"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    check(served)
    print(rounds, len(served))


write_files()
# The calendar once, so that the children don't build it each.
fetch_one("ACME", data=HOME / "warm", source=f"csv:{HOME}/60")
{"kill": kill, "crowd": crowd}[sys.argv[1]]()
