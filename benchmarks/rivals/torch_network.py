"""The network and its loss in torch: shared by the two hand-written rivals."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.rivals.contract import Forecaster
from benchmarks.rivals.task import UNITS, Task
from forecast.features.targets import LEVELS


class Network(nn.Module):
    """Two LSTM layers and a linear output, time first."""

    def __init__(self, n_features: int, quantiles: np.ndarray) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, UNITS[0], num_layers=len(UNITS))
        self.head = nn.Linear(UNITS[-1], len(LEVELS))
        with torch.no_grad():
            # Untrained, it gives the training part's quantiles, as this program does.
            self.head.bias.copy_(torch.from_numpy(quantiles))
            self.head.weight.normal_(0.0, 0.01)
            for name, bias in self.lstm.named_parameters():
                if name.startswith("bias_ih"):
                    # Remember at first (Jozefowicz et al. 2015), as Keras does.
                    bias[UNITS[0] : 2 * UNITS[0]] = 1.0

    def forward(self, rows: torch.Tensor, scored: int) -> torch.Tensor:
        """Quantiles at the last `scored` steps: (steps, batch, features) to (scored, batch, 7)."""
        return self.head(self.lstm(rows)[0][-scored:])


def pinball(quantiles: torch.Tensor, outcomes: torch.Tensor) -> torch.Tensor:
    """Mean pinball loss; outcomes have the shape of the quantiles without their last axis."""
    error = outcomes.unsqueeze(-1) - quantiles
    levels = error.new_tensor(LEVELS)
    return torch.maximum(levels * error, (levels - 1.0) * error).mean()


def prepare(seed: int) -> None:
    """Seed, and as many threads as cores."""
    torch.manual_seed(seed)
    torch.set_num_threads(os.cpu_count() or 1)


def forecaster(network: Network, task: Task) -> Forecaster:
    """How a torch user asks for a forecast."""

    def ready(starts: np.ndarray) -> Callable[[], np.ndarray]:
        windows = torch.from_numpy(task.gather(starts)[0])

        def ask() -> np.ndarray:
            with torch.inference_mode():
                return network(windows.transpose(0, 1), 1)[0].numpy()

        return ask

    return Forecaster(lambda starts: ready(starts)(), ready)
