"""How fast, and how long in vain, a source is asked; shared by all threads of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from forecast.errors import SourceError

Clock = Callable[[], float]


class TokenBucket:
    """Lets `burst` requests through at once and `rate` a second after that."""

    def __init__(self, *, rate: float, burst: int, clock: Clock = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._seen = float(burst), clock()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next token; the seconds [s] to wait before the request that it is for."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
            self._seen = now
            # Below zero the token is one of the future: no thread sleeps while it holds the lock.
            self._tokens -= 1
            return max(0.0, -self._tokens / self._rate)


class Circuit:
    """Stops asking a source that refused `threshold` times in a row.

    Closed: everyone may ask. Open: nobody, for `cooling` seconds, then one caller at a time may
    try. An answer closes it; another refusal keeps it open.
    """

    def __init__(self, *, threshold: int, cooling: float, clock: Clock = time.monotonic) -> None:
        self._threshold, self._cooling, self._clock = threshold, cooling, clock
        self._refusals = 0
        self._reason: SourceError | None = None
        self._until = 0.0
        self._lock = threading.Lock()

    def reason(self) -> SourceError | None:
        """Why nobody may ask now, or None for whoever may."""
        with self._lock:
            if self._reason is None:
                return None
            now = self._clock()
            if now < self._until:
                return self._reason
            self._until = now + self._cooling
            return None

    def refused(self, error: SourceError, *, at_once: bool = False) -> None:
        """One ticker was given up because of `error`; `at_once` when no other can do better."""
        with self._lock:
            self._refusals += 1
            if at_once or self._refusals >= self._threshold:
                self._reason = error
                self._until = self._clock() + self._cooling

    def answered(self) -> None:
        """The source answered, if only to say that it has no such ticker."""
        with self._lock:
            self._refusals, self._reason = 0, None


@dataclass
class Gate:
    """What all threads that ask one source share.

    Attributes:
        bucket: 20 requests a second, 60 at once.
        circuit: Opens for 60 s when 10 tickers in a row were given up.
        reached: Whether a connection was made once.
        lock: Held by the one thread that makes it.
    """

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(rate=20, burst=60))
    circuit: Circuit = field(default_factory=lambda: Circuit(threshold=10, cooling=60))
    reached: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
