"""Token bucket and circuit, by a clock that only the test moves."""

from forecast.errors import RateLimited, SourceUnavailable
from forecast.market.sources.throttle import Circuit, TokenBucket


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_goes_through_and_then_the_rate_holds() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=4, burst=3, clock=clock)
    assert [bucket.reserve() for _ in range(6)] == [0.0, 0.0, 0.0, 0.25, 0.5, 0.75]
    clock.now += 0.75  # the debt is paid
    assert [bucket.reserve() for _ in range(2)] == [0.25, 0.5]
    clock.now += 1000
    assert [bucket.reserve() for _ in range(4)] == [0.0, 0.0, 0.0, 0.25]


def test_the_circuit_opens_after_refusals_in_a_row() -> None:
    circuit = Circuit(threshold=3, cooling=60, clock=Clock())
    for _ in range(2):
        circuit.refused(RateLimited("no"))
    circuit.answered()
    for number in range(3):
        assert circuit.reason() is None
        circuit.refused(RateLimited(f"no {number}"))
    assert str(circuit.reason()) == "no 2"


def test_after_cooling_one_may_try() -> None:
    clock = Clock()
    circuit = Circuit(threshold=1, cooling=60, clock=clock)
    circuit.refused(RateLimited("no"))
    clock.now += 59.9
    assert circuit.reason() is not None
    clock.now += 0.1
    assert circuit.reason() is None
    assert circuit.reason() is not None  # the next one waits for the first one's answer
    circuit.answered()
    assert circuit.reason() is None


def test_what_nobody_can_help_opens_it_at_once() -> None:
    circuit = Circuit(threshold=100, cooling=60, clock=Clock())
    circuit.refused(SourceUnavailable("no network"), at_once=True)
    assert str(circuit.reason()) == "no network"
