"""Threads that an interrupt does not have to wait for."""

import os
import signal
import subprocess
import sys
import time
from threading import Event

import pytest
from loopback import Tunnel, Yahoo, faults, made_up

from forecast.files import locked
from forecast.market.workers import each


def test_all_are_done_in_the_order_in_which_they_end():
    second = Event()

    def work(ticker):
        if ticker == "A":
            assert second.wait(30)
        else:
            second.set()
        return ticker.lower()

    assert list(each(["A", "B"], work, stop=Event())) == ["b", "a"]
    assert list(each([], work, stop=Event())) == []
    assert sorted(each([str(n) for n in range(99)], str, stop=Event())) == sorted(
        str(number) for number in range(99)
    )


def test_what_a_thread_raises_is_raised_and_no_ticker_is_begun_after_it():
    stop, begun = Event(), []

    def work(ticker):
        begun.append(ticker)
        if ticker == "2":
            raise ZeroDivisionError
        assert stop.wait(30)

    with pytest.raises(ZeroDivisionError):
        list(each([str(number) for number in range(99)], work, stop=stop))
    assert stop.is_set() and len(begun) < 20


def test_who_does_not_heed_it_is_left_behind():
    stop, never = Event(), Event()
    results = each(["A", "B"], lambda ticker: ticker == "A" or never.wait(30), stop=stop)
    next(results)
    begun = time.monotonic()
    results.close()
    never.set()
    assert stop.is_set() and time.monotonic() - begun < 10


@pytest.mark.parametrize("where", ["lock", "yahoo"])
def test_an_interrupt_is_heeded_at_once(tmp_path, where, default_interrupt):
    with (
        Yahoo() as yahoo,
        Tunnel(yahoo) as tunnel,
        locked(tmp_path / "data" / "cache" / "locks" / "AAPL.lock", wait=0),
    ):
        yahoo.add("MSFT", made_up(300))
        yahoo.inject("MSFT", faults.silent)
        command = [sys.executable, "-m", "forecast", "fetch", "--home", str(tmp_path)]
        asked = ["AAPL", "--source", "sample"] if where == "lock" else ["MSFT"]
        with subprocess.Popen(
            [*command, *asked],
            env=os.environ | tunnel.environment(tmp_path),
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert "fetching" in process.stderr.readline()
            time.sleep(1.0)
            while where == "yahoo" and not yahoo.charts("MSFT"):
                time.sleep(0.05)
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()
            assert process.wait(60) == 130
            # A lock is waited for five minutes, an answer eight seconds, and four times.
            assert time.monotonic() - begun < 7
    assert "Interrupted" in told and "Traceback" not in told
