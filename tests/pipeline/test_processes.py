from __future__ import annotations

import os

import pytest

from forecast.errors import ForecastError, NotEnoughBars
from forecast.pipeline.processes import FEWEST, for_each


def square(number):
    if number == 3:
        raise NotEnoughBars("three is too few.", hint="four")
    if number == 5:
        return 1 / 0
    return number**2, os.getpid()


def end_at_three(number):
    if number == 3:
        os._exit(9)
    return number


def test_results_come_in_order_and_an_error_in_place_of_its_item():
    here = list(for_each(square, range(6), named=str, count=6, workers=1))
    there = list(for_each(square, range(6), named=str, count=6, workers=2))
    for results, pid_here in ((here, True), (there, False)):
        error = results.pop(3)
        assert isinstance(error, NotEnoughBars)
        assert (error.message, error.hint) == ("three is too few.", "four")
        unforeseen = results.pop()
        assert isinstance(unforeseen, ForecastError)
        assert "5: its job must end without a fault. ZeroDivisionError at test_p" in str(unforeseen)
        assert unforeseen.hint == "the same command for 5 alone, with --debug"
        assert [value for value, _ in results] == [0, 1, 4, 16]
        assert all((pid == os.getpid()) == pid_here for _, pid in results)


def threads(_):
    import scipy.linalg  # noqa: F401  # loads another BLAS than NumPy's
    import sklearn.cluster  # noqa: F401  # and OpenMP
    from threadpoolctl import threadpool_info

    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_multiplies_has_one_thread(workers):
    for found in for_each(threads, range(2), named=str, count=2, workers=workers):
        assert len(found) >= 3
        assert set(found.values()) == {1}


def test_an_error_among_the_items_is_given_in_its_place():
    error = NotEnoughBars("none came.")
    for workers in (1, 2):
        results = list(for_each(abs, [-1, error, -2], named=str, count=3, workers=workers))
        assert (results[0], str(results[1]), results[2]) == (1, "none came.", 2)


def test_few_items_are_not_worth_a_process():
    results = list(for_each(square, range(FEWEST - 1), named=str, count=FEWEST - 1))
    assert [pid for _, pid in results] == [os.getpid()] * (FEWEST - 1)


def test_a_worker_that_is_ended_is_a_clear_error():
    with pytest.raises(ForecastError, match="One was ended from outside") as error:
        list(for_each(end_at_three, range(8), named=str, count=8, workers=2))
    assert "free memory" in error.value.hint


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for number in range(40):
            taken.append(number)
            yield number

    results = for_each(abs, items(), named=str, count=40, workers=2)
    assert next(results) == 0
    assert len(taken) < 10
    assert list(results) == list(range(1, 40))
