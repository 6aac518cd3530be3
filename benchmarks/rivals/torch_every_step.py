"""A hand-written torch loop that trains on every step: the rival that is hardest to pass.

Slices of `context + scored` rows with a loss on the last `scored` steps, tiled over each ticker's
training part from a random offset each epoch. Time first, so that no product needs a
transposed copy; batches gathered from the flat rows; all weights in one vector; the rate rises and
falls; a moving average of the weights gives the forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.task import LOOKBACK, Task
from benchmarks.rivals.torch_network import Network, forecaster, pinball, prepare
from benchmarks.rivals.watch import Watch


@dataclass(frozen=True)
class Settings:
    """The best found.

    Attributes:
        batch: Slices an update.
        scored: Steps with a loss in each.
        context: Rows before those.
        learning_rate: At its highest.
        momentum: Adam's.
        warm_up: Share of the updates over which it rises.
        updates: Over which it rises and falls again.
        average: Decay of the moving average of the weights.
    """

    batch: int = 32
    scored: int = 60
    context: int = LOOKBACK // 4
    learning_rate: float = 1.2e-2
    momentum: float = 0.8
    warm_up: float = 0.03
    updates: int = 100
    average: float = 0.8


def train(task: Task, watch: Watch, *, settings: Settings, seed: int) -> Forecaster:
    """Train for the settings' updates."""
    prepare(seed)
    rng = np.random.default_rng(seed)
    features, targets = torch.from_numpy(task.features), torch.from_numpy(task.targets[:, 0])
    network, kept = (Network(features.shape[1], task.quantiles) for _ in range(2))
    weights, average = (Flat(each, settings.momentum) for each in (network, kept))
    asked = forecaster(kept, task)
    rows = settings.context + settings.scored
    steps = LOOKBACK - 1 - settings.context + torch.arange(rows)[:, None]
    batches = slices(task, settings, rng)
    for done in range(1, settings.updates + 1):
        at = steps + next(batches)
        quantiles = network(features[at], settings.scored)
        pinball(quantiles, targets[at[-settings.scored :]]).backward()
        weights.update(rate(settings, done))
        # As the mean of all so far at first, so that the start is soon forgotten.
        average.values.lerp_(weights.values, max(1.0 - settings.average, 1.0 / done))
        over = watch.update(
            asked.predict,
            steps=settings.batch * rows,
            targets=settings.batch * settings.scored,
        )
        if over:
            break
    return asked


def rate(settings: Settings, done: int) -> float:
    """Learning rate of an update: up in a line, down by a cosine."""
    rising = settings.warm_up * settings.updates
    if done < rising:
        return settings.learning_rate * done / rising
    left = (done - rising) / (settings.updates - rising)
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * left))


class Flat:
    """All weights of a network as one vector, with clipping and Adam in a few calls.

    The optimizers of torch import its compiler at first use, which takes longer than half of
    this training.
    """

    def __init__(self, network: torch.nn.Module, momentum: float) -> None:
        parameters = list(network.parameters())
        self.values = torch.cat([parameter.detach().ravel() for parameter in parameters])
        self._gradient = torch.zeros_like(self.values)
        self._mean, self._square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self._momentum, self._updates = momentum, 0
        first = 0
        for parameter in parameters:
            here = slice(first, first + parameter.numel())
            parameter.data = self.values[here].view_as(parameter)
            parameter.grad = self._gradient[here].view_as(parameter)
            first = here.stop

    def update(self, rate: float) -> None:
        """One step of Adam (Kingma, Ba 2015) against the gradients, clipped to a norm of 1."""
        self._updates += 1
        gradient = self._gradient
        gradient.mul_((1.0 / (gradient.norm() + 1e-6)).clamp(max=1.0))
        self._mean.lerp_(gradient, 1.0 - self._momentum)
        self._square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        root = (self._square / (1.0 - 0.999**self._updates)).sqrt_().add_(1e-8)
        self.values.addcdiv_(self._mean, root, value=-rate / (1.0 - self._momentum**self._updates))
        gradient.zero_()


def slices(task: Task, settings: Settings, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """First rows of slices, `batch` at a time, for ever."""
    left = np.empty(0, dtype=int)
    while True:
        tiles = []
        for first, count in task.runs("train"):
            offset = rng.integers(settings.scored)
            tile = np.arange(-offset, count, settings.scored)
            tiles.append(first + np.clip(tile, 0, count - settings.scored))
        left = np.r_[left, rng.permutation(np.concatenate(tiles))]
        while len(left) >= settings.batch:
            yield torch.from_numpy(left[: settings.batch])
            left = left[settings.batch :]
