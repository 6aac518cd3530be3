"""What neuralforecast and darts have in common: PyTorch Lightning's trainer."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
import torch._dynamo  # as torch.optim does at first use: part of the start, not of training

from benchmarks.rivals.task import LOOKBACK
from benchmarks.rivals.watch import Predict, Watch

# They speak of ways to set up loaders and devices, at every call.
warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Look(lightning.Callback):
    """Tells the watch after every update; `predict` is made from the module in training."""

    def __init__(self, watch: Watch, predict: Callable[[Any], Predict], batch: int) -> None:
        self._watch, self._predict, self._batch = watch, predict, batch

    def __deepcopy__(self, memo: Any) -> Look:
        # neuralforecast trains a copy of the model that it is given; the watch stays one.
        return self

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        """After every update."""
        with torch.inference_mode():
            module.eval()
            over = self._watch.update(
                self._predict(module), steps=self._batch * LOOKBACK, targets=self._batch
            )
            module.train()
        trainer.should_stop = trainer.should_stop or over


def trainer(look: Look) -> dict[str, Any]:
    """Settings of Lightning's trainer: this machine's cores, and nothing written or drawn."""
    return {
        "accelerator": "cpu",
        "devices": 1,
        "callbacks": [look],
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "gradient_clip_val": 1.0,
    }


def prepare(seed: int) -> None:
    """Seed, and as many threads as cores."""
    lightning.seed_everything(seed, verbose=False)
    torch.set_num_threads(os.cpu_count() or 1)
