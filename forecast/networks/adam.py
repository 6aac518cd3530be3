"""Adam over all weights as one vector, in NumPy, and their average over the updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.networks.averaging import share_of


@dataclass
class Adam:
    """Its settings, by Keras's names and with Keras's defaults, but for the clipping."""

    learning_rate: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    global_clipnorm: float = 1.0


class Vector:
    """All weights as one vector, trained by Adam, and their average over the updates.

    Source: D. Kingma, J. Ba (2015), Adam: A Method for Stochastic Optimization; as in Keras.

    Attributes:
        trained: Shape (weights,), float32.
        average: Same.
    """

    def __init__(self, start: np.ndarray) -> None:
        self.trained, self.average = start, start.copy()
        self._mean, self._square = np.zeros_like(start), np.zeros_like(start)
        self._done, self._kept = 0, 1.0

    def update(self, gradient: np.ndarray, optimizer: Adam) -> None:
        """One step against the gradient."""
        self._done += 1
        # NumPy's norm is BLAS's, whose threads then wait for more at the cost of a core.
        length = np.sqrt(np.square(gradient).sum())
        most = optimizer.global_clipnorm
        gradient = gradient * np.float32(most / max(length, most))
        self._mean += (gradient - self._mean) * np.float32(1.0 - optimizer.beta_1)
        self._square += (gradient**2 - self._square) * np.float32(1.0 - optimizer.beta_2)
        # Not a power: the momentum of the first epoch may be another's (`networks.first_epoch`).
        self._kept *= optimizer.beta_1
        mean_share = 1.0 - self._kept
        square_share = 1.0 - optimizer.beta_2**self._done
        rate = np.float32(optimizer.learning_rate * square_share**0.5 / mean_share)
        step = self._mean / (np.sqrt(self._square) + np.float32(optimizer.epsilon))
        self.trained -= rate * step
        self.average += np.float32(share_of(self._done)) * (self.trained - self.average)
