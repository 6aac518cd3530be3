"""torch `nn.LSTM` on stride-1 windows, a loss on the last step of each: the usual loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch._dynamo  # as torch.optim does at first use: part of the start, not of training

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.task import LOOKBACK, Task
from benchmarks.rivals.torch_network import Network, forecaster, pinball, prepare
from benchmarks.rivals.watch import Watch


@dataclass(frozen=True)
class Settings:
    """The best found."""

    batch: int = 64
    learning_rate: float = 4e-3
    updates: int = 600


def train(task: Task, watch: Watch, *, settings: Settings, seed: int) -> Forecaster:
    """Adam, the rate falling by a cosine over `updates`."""
    prepare(seed)
    rng = np.random.default_rng(seed)
    features, targets = torch.from_numpy(task.features), torch.from_numpy(task.targets)
    network = Network(features.shape[1], task.quantiles)
    asked = forecaster(network, task)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates)
    steps = torch.arange(LOOKBACK)[:, None]
    done = 0
    while True:
        order = torch.from_numpy(rng.permutation(task.train))
        for starts in order.split(settings.batch)[: len(order) // settings.batch]:
            optimizer.zero_grad()
            quantiles = network(features[starts + steps], 1)
            pinball(quantiles, targets[starts + LOOKBACK - 1].T).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            size = len(starts)
            over = watch.update(asked.predict, steps=size * LOOKBACK, targets=size)
            if over or done == settings.updates:
                return asked
