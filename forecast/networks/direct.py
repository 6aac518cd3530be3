"""Training a stack of LSTMs on the CPU with TensorFlow, its gradient written out.

Nothing is traced, so that the first update is done at once (docs/decisions/0270). As in
`networks.halves` each half of a batch has a core of its own; the update is NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from forecast.networks.adam import Vector
from forecast.networks.fast.chain import Chain, Pass
from forecast.networks.halves import HALVES, stream
from forecast.networks.heads.head import Loss

_DRAWN = np.array([0, 1])
"""What Keras adds to the state of a seed generator for each draw."""


def direct(network: Any, chain: Chain, loss: Loss) -> Any:
    """The same layers and weights, trained half a batch a core.

    Args:
        network: keras.Model: LSTMs on top of each other, dropout behind each, and a head.
        chain: The same.
        loss: Of what the head's last layer gives.

    Returns:
        As `halves.in_halves` does, but for `loss_on_batch` instead of `predict_on_batch`.
    """
    import keras
    from tensorflow import raw_ops

    class Direct(keras.Model):  # type: ignore[misc]
        averages_itself = True

        def compile(self, **settings: Any) -> None:
            super().compile(**settings)
            self._beside = ThreadPoolExecutor(HALVES - 1)
            self.restart()

        def restart(self) -> None:
            weights = [np.asarray(each.value) for each in self.trainable_variables]
            self._vector = Vector(chain.vector(weights))
            drops = [each for each in self.layers if isinstance(each, keras.layers.Dropout)]
            self._seeds = [np.asarray(each.seed_generator.state.value) for each in drops]

        def train_on_batch(self, x: np.ndarray, y: np.ndarray) -> float:
            weights = chain.weights(self._vector.trained)

            def gradient(x: np.ndarray, y: np.ndarray, masks: list[Any]) -> list[Any]:
                passed = chain.forward(_by_step(x), weights, masks)
                mean, raw = _loss(passed, y)
                found = chain.gradient(passed, weights, raw)
                return [mean, np.concatenate([np.ravel(each) for each in found])]

            halves = [
                # Drawn here: two threads would hand Python's lock to and fro.
                (*half, chain.masks(len(half[0]), self._drawn_from(number)))
                for number, half in enumerate(_halves(x, y))
            ]
            self._seeds = [each + _DRAWN for each in self._seeds]
            mean, found = self._mean(gradient, halves)
            self._vector.update(found, self.optimizer)
            averaged = chain.own(self._vector.average)
            for variable, value in zip(self.trainable_variables, averaged, strict=True):
                # `assign` itself takes four times as long, as much as the update of the weights.
                raw_ops.AssignVariableOp(resource=variable.value.handle, value=value)
            return float(mean)

        def loss_on_batch(self, x: np.ndarray, y: np.ndarray) -> float:
            weights = chain.weights(self._vector.average)

            def mean(x: np.ndarray, y: np.ndarray) -> list[Any]:
                return [_loss(chain.forward(_by_step(x), weights), y)[0]]

            return float(self._mean(mean, _halves(x, y))[0])

        def _mean(
            self, work: Callable[..., list[Any]], halves: Sequence[tuple[Any, ...]]
        ) -> list[Any]:
            """What comes of the halves, each on a core of its own, weighted by their sizes."""
            begun = [self._beside.submit(work, *each) for each in halves[1:]]
            results = [work(*halves[0]), *(each.result() for each in begun)]
            sizes = [len(each[0]) for each in halves]
            shares = [np.float32(each / sum(sizes)) for each in sizes]
            return [
                sum(share * each for share, each in zip(shares, part, strict=True))
                for part in zip(*results, strict=True)
            ]

        def _drawn_from(self, number: int) -> list[np.ndarray]:
            """What Keras would draw from for a half's dropout."""
            streams = (stream(each, number) % (np.iinfo("int32").max - 1) for each in self._seeds)
            return [each.astype("int32") for each in streams]

    def _loss(passed: Pass, y: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean over steps, samples and sessions ahead, and its gradient in `passed.raw`."""
        outcomes, raw = _by_step(y).ravel(), np.asarray(passed.raw)
        mean, gradient = loss(raw.reshape(len(outcomes), -1), outcomes)
        return mean, gradient.reshape(raw.shape)

    return Direct(network.inputs, network.outputs, name=network.name)


def _halves(*arrays: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    count = min(HALVES, len(arrays[0]))
    return list(zip(*(np.array_split(each, count) for each in arrays), strict=True))


def _by_step(array: np.ndarray) -> np.ndarray:
    """(batch, steps, …) → (steps, batch, …)."""
    return np.ascontiguousarray(array.swapaxes(0, 1))
