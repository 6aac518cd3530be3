"""A network's answers, on the CPU by the layers made for it and with both cores."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from forecast.networks.devices import devices
from forecast.networks.fast import as_fast
from forecast.networks.halves import answers_in_halves

_made: WeakKeyDictionary[Any, Callable[[np.ndarray], Any]] = WeakKeyDictionary()
"""By network, since tracing takes a while."""


def predictor(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """From a batch of windows to the network's outputs.

    Args:
        model: keras.Model of Keras's own layers, or another with `predict_on_batch`.
    """
    # Not there yet, or being imported by another thread: then this is no model of Keras's.
    keras: Any = sys.modules.get("keras")
    kinds: Any = getattr(keras, "Model", ())
    if not isinstance(model, kinds) or not _on_cpu():
        return lambda windows: np.asarray(model.predict_on_batch(windows))
    if model not in _made:
        # A copy of a compiled model would be compiled too, with a loss that may have no name.
        bare = keras.Model(model.inputs, model.outputs)
        fast = keras.models.clone_model(bare, clone_function=as_fast)
        _made[model] = answers_in_halves(fast)
    answers = _made[model]
    return lambda windows: answers(windows).numpy()


def _on_cpu() -> bool:
    import keras

    return keras.backend.backend() == "tensorflow" and devices()[0].kind == "CPU"
