"""What every rival is: a module with `Settings` and `train`, and its entry in `RIVALS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from benchmarks.rivals.task import Task
from benchmarks.rivals.watch import Predict, Watch


@dataclass(frozen=True)
class Forecaster:
    """A trained network, asked in two ways.

    Attributes:
        predict: Forecasts of windows, with the weights that were kept.
        ready: Given first rows of windows, a function without arguments that forecasts them the
            way the library's user would, with everything that can be prepared done before.
    """

    predict: Predict
    ready: Callable[[np.ndarray], Callable[[], np.ndarray]]


class Module(Protocol):
    """A rival's module; its imports are part of its start."""

    Settings: Callable[..., Any]
    """Frozen dataclass; the defaults are the best that were found."""

    def train(self, task: Task, watch: Watch, *, settings: Any, seed: int) -> Forecaster:
        """Train until `watch.update` says stop, or to the end of the settings' schedule."""


@dataclass(frozen=True)
class Rival:
    """An entry of the table.

    Attributes:
        label: In tables and pictures.
        module: In this package.
        settings: Other than the module's defaults.
        environment: Variables that must be set before the process starts.
        gates: Of the recurrent cell: 4 in an LSTM, 3 in a GRU.
    """

    label: str
    module: str
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    gates: int = 4

    def load(self) -> Module:
        """Import the module and with it the framework."""
        return import_module(f"benchmarks.rivals.{self.module}")  # type: ignore[return-value]


ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "2000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000"}
"""glibc then keeps freed memory, and the next update does not have to fault it in again."""

RIVALS = {
    "program": Rival("this program", "this_program"),
    "torch_every_step_allocator": Rival(
        "torch, every step, malloc tuned", "torch_every_step", environment=ALLOCATOR
    ),
    "torch_every_step": Rival("torch, every step", "torch_every_step"),
    "torch_windows": Rival("torch, windows", "torch_windows"),
    "darts_lstm": Rival("darts BlockRNN (LSTM)", "darts_windows"),
    "neuralforecast_lstm": Rival("neuralforecast LSTM", "neuralforecast_windows"),
    "neuralforecast_gru": Rival(
        "neuralforecast GRU", "neuralforecast_windows", settings={"cell": "GRU"}, gates=3
    ),
    "keras_windows": Rival("Keras fit, windows", "keras_windows"),
}
