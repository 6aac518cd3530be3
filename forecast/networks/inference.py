"""A network's answers, on the CPU by the layers made for it and with both cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from forecast.networks.devices import devices
from forecast.networks.fast import as_fast
from forecast.networks.halves import answers_in_halves

_made: WeakKeyDictionary[Any, tuple[Any, Callable[..., Any]]] = WeakKeyDictionary()
"""By network: the same with fast layers, and the function that runs it; tracing takes a while."""


def predictor(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """From a batch of windows to the network's outputs, with the weights that it has now.

    Args:
        model: keras.Model of Keras's own layers.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or devices()[0].kind == "GPU":
        return lambda windows: np.asarray(model.predict_on_batch(windows))
    if model not in _made:
        fast = keras.models.clone_model(model, clone_function=as_fast)
        _made[model] = fast, answers_in_halves(fast)
    fast, answers = _made[model]
    fast.set_weights(model.get_weights())
    return lambda windows: answers(windows).numpy()
