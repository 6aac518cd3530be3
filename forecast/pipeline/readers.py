"""What reads each setting: the one table that keys, hashes and the "Reproduce" commands follow.

A result is made again where a setting changed that its verb reads, and where no other did.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any


class Reader(Enum):
    """What reads a setting."""

    SOURCE = "where bars come from and are kept: what came is told by the bars' own hash"
    BARS = "which sessions of a history count, and what is odd in them"
    NETWORK = "which network is trained"
    TRAINING = "how a network is trained, on one ticker or several"
    TOGETHER = "what else counts where one network is trained on several tickers"
    SEEDS = "how often a network is trained"
    FOLDS = "where the folds of a walk-forward evaluation begin and end"
    TRADES = "the backtest, after all forecasts are made"
    DISK = "what is left on the disk; no number depends on it"
    SEARCH = "how a search goes; its own verb reads it part by part"
    NIGHT = "the unattended retrain; it may hold a secret address"


READERS: dict[str, Reader] = {
    "source": Reader.SOURCE,
    "store": Reader.SOURCE,
    "exchange": Reader.BARS,
    "start": Reader.BARS,
    "keep_snapshots": Reader.DISK,
    "quality": Reader.BARS,
    "network": Reader.NETWORK,
    "outputs": Reader.TRAINING,
    "context": Reader.TRAINING,
    "units": Reader.TRAINING,
    "lookback": Reader.TRAINING,
    "horizon": Reader.TRAINING,
    "target": Reader.TRAINING,
    "head": Reader.TRAINING,
    "class_weight": Reader.TRAINING,
    "features": Reader.TRAINING,
    "dropout": Reader.TRAINING,
    "l2": Reader.TRAINING,
    "learning_rate": Reader.TRAINING,
    "batch": Reader.TRAINING,
    "epochs": Reader.TRAINING,
    "patience": Reader.TRAINING,
    "seed": Reader.TRAINING,
    "precision": Reader.TRAINING,
    "embedding": Reader.TOGETHER,
    "balanced": Reader.TOGETHER,
    "tensorboard": Reader.DISK,
    "folds": Reader.FOLDS,
    "seeds": Reader.SEEDS,
    "scheme": Reader.FOLDS,
    "trade": Reader.TRADES,
    "cost": Reader.TRADES,
    "nightly": Reader.NIGHT,
    "tune": Reader.SEARCH,
}
"""Every setting, in the order of `config.Settings`."""

VERBS: dict[str, frozenset[Reader]] = {
    "train": frozenset({Reader.NETWORK, Reader.TRAINING}),
    "evaluate": frozenset(
        {Reader.NETWORK, Reader.TRAINING, Reader.SEEDS, Reader.FOLDS, Reader.TRADES}
    ),
    # Its networks are named on its command line.
    "compare": frozenset({Reader.TRAINING, Reader.SEEDS}),
    "tune": frozenset({Reader.NETWORK, Reader.TRAINING}),
}
"""What a verb does with the bars of one ticker that it is given."""


def read_by(readers: AbstractSet[Reader], document: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the document that these read.

    Args:
        readers: Which.
        document: Settings by name; each must be in `READERS`.
    """
    return {name: value for name, value in document.items() if READERS[name] in readers}
