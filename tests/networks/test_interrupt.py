from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from forecast.networks.interrupt import kept_interrupt

pytestmark = pytest.mark.usefixtures("default_interrupt")


def test_an_interrupt_waits_for_the_safe_point():
    before = signal.getsignal(signal.SIGINT)
    done = []
    with pytest.raises(KeyboardInterrupt), kept_interrupt() as check:
        check()
        signal.raise_signal(signal.SIGINT)
        done.append("the batch")
        check()
        done.append("the next")
    assert done == ["the batch"]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_after_the_last_safe_point_is_not_lost():
    with pytest.raises(KeyboardInterrupt), kept_interrupt():
        signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_acts_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), kept_interrupt():
        kept = signal.getsignal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        # Python runs a handler when it comes to it, and two signals before that count as one.
        while signal.getsignal(signal.SIGINT) is kept:
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)
        done.append("never")
    assert not done


def test_one_that_was_left_to_another_process_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with kept_interrupt() as check:
        signal.raise_signal(signal.SIGINT)
        check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_nothing_is_changed_in_another_thread():
    def use() -> bool:
        with kept_interrupt() as check:
            check()
        return True

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(use).result()
