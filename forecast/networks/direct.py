"""Training a stack of LSTMs on the CPU with TensorFlow, its gradient written out.

Nothing is traced and no layer is built, so that the first update is done at once
(docs/decisions/0270, 0281). As in `networks.halves` each half of a batch has a core of its own; the
update is NumPy's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from forecast.networks.adam import Adam, Vector
from forecast.networks.fast.chain import Chain, Pass
from forecast.networks.halves import HALVES, stream
from forecast.networks.heads.head import Loss, Widening
from forecast.networks.spread import spread_step

_T = TypeVar("_T")
_DRAWN = np.array([0, 1])
"""What Keras adds to the state of a seed generator for each draw."""


class Direct:
    """A learner as `halves.in_halves` gives it, but for `loss_on_batch` in place of predictions.

    Args:
        chain: LSTMs on top of each other, dropout behind each, and a head.
        loss: Of what the head's last layer gives.
        widening: Of the same.
        weights: To begin with, in Keras's order.
        seeds: Of the dropout behind each LSTM, as Keras's seed generators hold them; none without.
        learning_rate: At the start.

    Attributes:
        optimizer: Its settings may be changed between updates.
        towards_spread: With each update goes a `networks.spread.spread_step`.
        stop_training: For the callbacks of Keras.
    """

    averages_itself = True
    takes_any_batch = True

    def __init__(
        self,
        chain: Chain,
        loss: Loss,
        widening: Widening,
        *,
        weights: Sequence[np.ndarray],
        seeds: Sequence[np.ndarray],
        learning_rate: float,
    ) -> None:
        self.optimizer = Adam(learning_rate)
        self.stop_training = self.towards_spread = False
        self._chain, self._loss, self._widening = chain, loss, widening
        self._vector, self._seeds = Vector(chain.vector(weights)), list(seeds)
        self._beside = ThreadPoolExecutor(HALVES - 1)

    @property
    def trainable_variables(self) -> list[np.ndarray]:
        """The averaged weights, in Keras's order: copies."""
        return self._chain.own(self._vector.average)

    def get_weights(self) -> list[np.ndarray]:
        """As Keras's models have it."""
        return self.trainable_variables

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """In place of the averaged ones."""
        self._vector.average = self._chain.vector(weights)

    # A training that diverges ends with an error of its own.
    @np.errstate(over="ignore", invalid="ignore")
    def train_on_batch(self, x: np.ndarray, y: np.ndarray) -> float:
        """One update; gives the batch's loss before it."""
        chain = self._chain
        weights = chain.weights(self._vector.trained)
        halves = _halves(x)
        # Drawn here: two threads would hand Python's lock to and fro. So they would from the dense
        # layer to its gradient, which are many small calls.
        masks = [
            chain.masks(half.shape[1], self._drawn_from(number))
            for number, half in enumerate(halves)
        ]
        self._seeds = [each + _DRAWN for each in self._seeds]
        passes = self._both(lambda x, masks: chain.forward(x, weights, masks), halves, masks)
        rows, raw, mean, towards = self._loss_of(passes, weights, y)
        last, back = chain.dense_gradient(rows, weights, towards.reshape(len(rows), -1))
        backs = np.split(back, np.cumsum([len(each.rows) for each in passes])[:-1])
        first = sum(self._both(chain.gradient, passes, backs))
        if self.towards_spread:
            sessions = len(rows), -1, raw.shape[1]
            widening = self._widening(raw.reshape(sessions).mean(axis=0))
            kernel, bias = spread_step(rows, towards.reshape(sessions), widening)
            weights[-2] += kernel
            weights[-1] += bias
        self._vector.update(np.concatenate([first, last]), self.optimizer)
        return mean

    def loss_on_batch(self, x: np.ndarray, y: np.ndarray) -> float:
        """The loss of the averaged weights, without dropout."""
        weights = self._chain.weights(self._vector.average)
        passes = self._both(lambda x: self._chain.forward(x, weights, keep=False), _halves(x))
        return self._loss_of(passes, weights, y)[2]

    def _both(self, work: Callable[..., _T], *halves: Sequence[Any]) -> list[_T]:
        """What comes of the halves, each on a core of its own."""
        mine, *others = zip(*halves, strict=True)
        begun = [self._beside.submit(work, *each) for each in others]
        return [work(*mine), *(each.result() for each in begun)]

    def _loss_of(
        self, passes: Sequence[Pass], weights: Sequence[Any], y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """All rows, what is made of each for each session, the mean loss, its gradient in that."""
        rows = np.concatenate([each.rows for each in passes])
        outcomes = np.concatenate([np.ravel(half) for half in _halves(y)])
        raw = self._chain.dense(rows, weights).reshape(len(outcomes), -1)
        return rows, raw, *self._loss(raw, outcomes)

    def _drawn_from(self, number: int) -> list[np.ndarray]:
        """What Keras would draw from for a half's dropout."""
        streams = (stream(each, number) % (np.iinfo("int32").max - 1) for each in self._seeds)
        return [each.astype("int32") for each in streams]


def drawn(
    n_features: int, units: Sequence[int], *, dropout: float, biases: Sequence[float]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and seeds that Keras would draw for the network of `architectures.build`.

    Args:
        n_features: Columns of a row.
        units: Width of each LSTM.
        dropout: Share of the outputs of each LSTM.
        biases: Of the head.

    Returns:
        The weights in Keras's order, float32, and the states of the seed generators of dropout.
    """
    from keras import initializers

    weights, seeds = [], []
    for inputs, width in pairwise([n_features, *units]):
        kernel, recurrent = initializers.GlorotUniform(), initializers.Orthogonal()
        _seed()  # of dropout within the layer, which there is none of
        if dropout:
            seeds.append(np.array([_seed(), 0], "uint32"))
        bias = np.zeros((4, width), "float32")
        bias[1] = 1.0
        weights += [kernel((inputs, 4 * width)), recurrent((width, 4 * width)), bias.ravel()]
    kernel = initializers.RandomNormal(stddev=0.01)
    weights += [kernel((units[-1], len(biases))), np.array(biases, "float32")]
    return [np.asarray(each) for each in weights], seeds


def _seed() -> int:
    """Drawn as Keras draws where none is given."""
    return random.randint(1, int(1e9))


def _halves(array: np.ndarray) -> list[np.ndarray]:
    """(batch, steps, …) → (steps, half a batch, …), twice, or once for a batch of one: views."""
    parts = np.array_split(array, min(HALVES, len(array)))
    return [part.swapaxes(0, 1) for part in parts]
