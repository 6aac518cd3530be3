"""Bars of made-up prices whose true distribution is known.

Each session is a gap over night and an intraday path of 26 quarter hours, so that open, high, low
and close belong together and the range tells of the volatility, as in a real market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from forecast.features.targets import LEVELS, Prediction

_OVERNIGHT, _QUARTERS = 0.2, 26
"""Share of a session's variance that comes over night; steps of the rest."""


def random_walk(sessions: int, *, seed: int, volatility: float = 0.015) -> pd.DataFrame:
    """Bars of a price of which only the last close says anything: independent normal returns."""
    rng = np.random.default_rng(seed)
    return _bars(_shocks(np.full(sessions, volatility), rng), np.zeros(sessions), rng)


def autoregression(
    sessions: int, *, phi: float, seed: int, volatility: float = 0.015
) -> pd.DataFrame:
    """Bars of a price whose log return is `phi` times the one before, and a normal shock."""
    rng = np.random.default_rng(seed)
    shocks = _shocks(np.full(sessions, volatility), rng)
    expected = np.zeros(sessions)
    for row in range(1, sessions):
        expected[row] = phi * (expected[row - 1] + shocks[row - 1].sum())
    return _bars(shocks, expected, rng)


@dataclass(frozen=True)
class Regimes:
    """A price that rises for weeks and falls for weeks: bars, and what is known at each session.

    Attributes:
        bars: The price.
        rising: Probability that the coming session belongs to a rise, from all that happened up to
            and with each session (the filter of J. Hamilton 1989), shape (n,): nobody can know
            more. What is expected comes over night, so only the gaps tell of it.
        drift: Expected log return of a session of a rise; of a fall the negative of it.
        volatility: Of each session's shock.
    """

    bars: pd.DataFrame
    rising: np.ndarray
    drift: float
    volatility: float

    def moves(self, origins: pd.DatetimeIndex, edges: np.ndarray) -> np.ndarray:
        """True probabilities of down, flat and up of the coming session.

        Args:
            origins: Shape (n,).
            edges: Log returns that part the classes, shape (n, 2).

        Returns:
            Shape (n, 3).
        """
        rise = self.rising[self.bars.index.get_indexer(origins)][:, None]
        below = rise * ndtr((edges - self.drift) / self.volatility) + (1 - rise) * ndtr(
            (edges + self.drift) / self.volatility
        )
        return np.diff(below, axis=1, prepend=0.0, append=1.0)


def regimes(
    sessions: int, *, seed: int, size: float = 0.8, stay: float = 0.98, volatility: float = 0.015
) -> Regimes:
    """Bars whose expected return is `size` volatilities up or down, and turns now and then.

    Args:
        sessions: How many.
        seed: Of everything.
        size: Of the expected return [volatility].
        stay: Probability that a regime goes on for another session.
        volatility: Of each session's shock.
    """
    rng = np.random.default_rng(seed)
    turned = rng.uniform(size=sessions) > stay
    sign = np.where(np.cumsum(turned) % 2 == 0, 1.0, -1.0)
    drift = size * volatility
    shocks = _shocks(np.full(sessions, volatility), rng)
    gaps, spread = shocks[:, 0] + drift * sign, np.sqrt(_OVERNIGHT) * volatility
    rising, now = np.empty(sessions), 0.5
    for row, gap in enumerate(gaps):
        up, down = (np.exp(-0.5 * ((gap - one) / spread) ** 2) for one in (drift, -drift))
        known = now * up / (now * up + (1 - now) * down)
        rising[row] = now = stay * known + (1 - stay) * (1 - known)
    return Regimes(_bars(shocks, drift * sign, rng), rising, drift, volatility)


@dataclass(frozen=True)
class Garch:
    """A GARCH(1,1) with Student t shocks: bars, and what is known of the next session.

    Attributes:
        bars: The price.
        volatility: Of the coming session as known at each one, shape (n,).
        freedom: Degrees of freedom of the t.
    """

    bars: pd.DataFrame
    volatility: np.ndarray
    freedom: float

    def truth(self, origins: pd.DatetimeIndex) -> Prediction:
        """The true quantiles of the next session's log return."""
        unit = stdtrit(self.freedom, np.array(LEVELS)) * np.sqrt(1 - 2 / self.freedom)
        at = self.volatility[self.bars.index.get_indexer(origins)]
        return Prediction(np.zeros((len(at), 1)), (at[:, None] * unit)[:, None, :])


def garch(
    sessions: int,
    *,
    seed: int,
    shock: float = 0.09,
    persistence: float = 0.89,
    volatility: float = 0.015,
    freedom: float = 6.0,
) -> Garch:
    """Bars whose return has the variance `constant + shock * return² + persistence * variance`."""
    rng = np.random.default_rng(seed)
    variance = np.empty(sessions + 1)
    variance[0] = volatility**2
    constant = (1 - shock - persistence) * volatility**2
    # A t shock is a normal one whose volatility is drawn anew each session: so is its path.
    mixing = np.sqrt((freedom - 2) / rng.chisquare(freedom, sessions))
    shocks = _shocks(mixing, rng)
    for row in range(sessions):
        shocks[row] *= np.sqrt(variance[row])
        variance[row + 1] = constant + shock * shocks[row].sum() ** 2 + persistence * variance[row]
    return Garch(_bars(shocks, np.zeros(sessions), rng), np.sqrt(variance[1:]), freedom)


def _shocks(volatility: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log returns over night and of each quarter hour, shape (sessions, 1 + 26)."""
    shares = np.r_[_OVERNIGHT, np.full(_QUARTERS, (1 - _OVERNIGHT) / _QUARTERS)]
    return rng.normal(size=(len(volatility), len(shares))) * np.sqrt(shares) * volatility[:, None]


def _bars(shocks: np.ndarray, expected: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Bars from shocks; what is expected of a session comes over night."""
    moves = shocks.copy()
    moves[:, 0] += expected
    path = moves.cumsum(axis=1)
    before = np.r_[0.0, path[:, -1].cumsum()[:-1]]
    prices = 100.0 * np.exp(before[:, None] + path)
    ranges = np.log(prices.max(axis=1) / prices.min(axis=1))
    return pd.DataFrame(
        {
            "open": prices[:, 0],
            "high": prices.max(axis=1),
            "low": prices.min(axis=1),
            "close": prices[:, -1],
            "volume": np.round(1e8 * ranges * np.exp(rng.normal(0.0, 0.3, len(prices)))),
        },
        index=pd.bdate_range("2000-01-03", periods=len(prices), name="session"),
    )
