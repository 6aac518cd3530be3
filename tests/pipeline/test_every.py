"""Several tickers: what goes wrong with one is told, and the others are done."""

from __future__ import annotations

import pytest

from forecast.errors import ForecastError, NotEnoughBars
from forecast.pipeline.every import FailedRun, every
from forecast.pipeline.watch import Watch

FAULTS = [
    (NotEnoughBars("BAD: too short."), "too short"),
    (
        PermissionError(13, "Permission denied", "models/x"),
        "BAD: the system refused a file: Permission denied (models/x)",
    ),
    (ZeroDivisionError("division by zero"), "BAD: its job must end without a fault. ZeroDivision"),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS)
def test_a_fault_of_any_kind_is_one_ticker_s_alone(fault, told):
    def do(ticker):
        if ticker == "BAD":
            raise fault
        return ticker.lower()

    notices: list[str] = []
    first, bad, last = every(["AAA", "BAD", "CCC"], do, watch=Watch(notice=notices.append))
    assert (first, last) == ("aaa", "ccc")
    assert isinstance(bad, FailedRun)
    assert bad.ticker == "BAD"
    assert isinstance(bad.error, ForecastError)
    assert told in str(bad.error)
    assert len(notices) == 1
    assert notices[0].startswith("BAD failed: ")


def test_an_unforeseen_fault_names_its_place_and_a_next_step():
    def do(ticker):
        raise KeyError("volume") if ticker == "BAD" else NotEnoughBars("too short.")

    bad, _ = every(["BAD", "AAA"], do, watch=Watch())
    assert "KeyError at test_every.py:" in bad.error.message
    assert bad.error.hint == "the same command for BAD alone, with --debug"


@pytest.mark.parametrize("fault", [fault for fault, _ in FAULTS])
def test_a_single_ticker_s_fault_is_raised_as_it_is(fault):
    def do(ticker):
        raise fault

    with pytest.raises(type(fault)) as told:
        every(["BAD"], do, watch=Watch())
    assert told.value is fault


def test_ctrl_c_ends_all():
    def do(ticker):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        every(["AAA", "BBB"], do, watch=Watch())
