"""Training on the CPU with TensorFlow: a batch in two halves at once.

One core's share of a recurrent step is too small to be cut in two, so a loop over the steps leaves
a second core nearly idle. Here each half of a batch runs on a core of its own, and their gradients
are averaged, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from threading import Thread
from typing import Any

import numpy as np

from forecast.networks.averaging import share_of

HALVES = 2


def in_halves(network: Any, *, compiled: bool) -> Any:
    """The same layers and weights, trained half a batch a core. TensorFlow backend, CPU.

    Args:
        network: keras.Model without state besides weights and random seeds.
        compiled: Let XLA compile the forward and backward pass of a half.

    Returns:
        keras.Model for `train_on_batch`, which gives the batch's loss, and `predict_on_batch`. Its
        training batches all have one shape. Its weights are always those averaged over the updates
        (`networks.averaging`); `restart` begins anew from those it has.
    """
    import keras
    import tensorflow as tf

    class InHalves(keras.Model):  # type: ignore[misc]
        averages_itself = True

        def compile(self, **settings: Any) -> None:
            super().compile(**settings)
            self._vectors = _Vectors(self.trainable_variables)
            # Else the training step makes the optimizer's variables and is traced twice.
            self.optimizer.build([self._vectors.trained])
            self._update = tf.function(self._updated, autograph=False)
            self._gradient = tf.function(self._half, autograph=False, jit_compile=compiled)
            self._infer = answers_in_halves(self)
            self._begun = False

        def restart(self) -> None:
            self._vectors.take(self.trainable_variables)

        def train_on_batch(self, x: np.ndarray, y: np.ndarray) -> float:
            given = tf.constant(x), tf.constant(y)
            if not self._begun:
                self._begun = True
                self._update.get_concrete_function(*given)
                # What validates is traced while TensorFlow prepares the first update, which takes
                # as long and leaves Python free. No daemon: one inside TensorFlow at Python's end
                # would crash it.
                Thread(target=self._infer, args=(x[:HALVES],)).start()
            return float(self._update(*given))

        def predict_on_batch(self, x: np.ndarray) -> Any:
            return self._infer(x)

        def _updated(self, x: Any, y: Any) -> Any:
            halves = HALVES if x.shape[0] % HALVES == 0 else 1
            vectors, optimizer = self._vectors, self.optimizer
            before = tf.identity(vectors.trained.value)
            results = [
                self._gradient(before, _streams(self.non_trainable_variables, half), *part)
                for half, part in enumerate(
                    zip(tf.split(x, halves), tf.split(y, halves), strict=True)
                )
            ]
            losses, gradients, states = zip(*results, strict=True)
            gradient = tf.clip_by_norm(tf.add_n(gradients) / halves, optimizer.global_clipnorm)
            # Not `optimizer.apply`: it prepares for several devices, which takes long to trace.
            optimizer.update_step(gradient, vectors.trained, optimizer.learning_rate)
            done = tf.cast(optimizer.iterations.assign_add(1), "float32")
            averaged = vectors.average_in(share_of(done))
            for variable, part in zip(self.trainable_variables, averaged, strict=True):
                variable.assign(part)
            for variable, state in zip(self.non_trainable_variables, states[0], strict=True):
                variable.assign(state)
            return tf.add_n(losses) / halves

        def _half(self, vector: Any, states: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(vector)
                outputs, states, penalties = self.stateless_call(
                    self._vectors.parts(vector), states, x, training=True, return_losses=True
                )
                loss = tf.reduce_mean(self.loss(y, outputs)) + tf.add_n([0.0, *penalties])
            return loss, tape.gradient(loss, vector), states

    return InHalves(network.inputs, network.outputs, name=network.name)


class _Vectors:
    """All trained weights as one vector: an update is a few operations, not as many a weight.

    Attributes:
        trained: keras.Variable, shape (weights,).
        average: Same, over the updates.
    """

    def __init__(self, variables: Sequence[Any]) -> None:
        import keras

        self._shapes = [tuple(variable.shape) for variable in variables]
        flat = _flat(variables)
        self.trained, self.average = keras.Variable(flat), keras.Variable(flat)

    def take(self, variables: Sequence[Any]) -> None:
        """Begin from these."""
        flat = _flat(variables)
        self.trained.assign(flat)
        self.average.assign(flat)

    def average_in(self, share: Any) -> list[Any]:
        """Move the average towards the trained weights by a share of the way; its parts."""
        towards = self.trained.value - self.average.value
        return self.parts(self.average.value.assign_add(share * towards))

    def parts(self, vector: Any) -> list[Any]:
        """A vector of all weights cut into weights."""
        import tensorflow as tf

        pieces = tf.split(vector, [prod(shape) for shape in self._shapes])
        return [tf.reshape(piece, shape) for piece, shape in zip(pieces, self._shapes, strict=True)]


def _flat(variables: Sequence[Any]) -> Any:
    import tensorflow as tf

    return tf.concat([tf.reshape(variable.value, [-1]) for variable in variables], axis=0)


def answers_in_halves(model: Any) -> Callable[[np.ndarray], Any]:
    """From a batch of samples to the model's outputs, by TensorFlow on the CPU."""
    import tensorflow as tf

    # Of any size, so that the last batch is not traced anew.
    samples = [tf.TensorSpec(model.inputs[0].shape, "float32")]

    @tf.function(autograph=False, input_signature=samples)  # type: ignore[untyped-decorator]
    def answer(x: Any) -> Any:
        return model(x, training=False)

    @tf.function(autograph=False, input_signature=samples)  # type: ignore[untyped-decorator]
    def answers(x: Any) -> Any:
        middle = tf.shape(x)[0] // HALVES
        return tf.concat([answer(x[:middle]), answer(x[middle:])], axis=0)

    return lambda x: (answers if len(x) >= HALVES else answer)(tf.constant(x))


def _streams(variables: list[Any], half: int) -> list[Any]:
    """The states of the seed generators, a stream for each half; fixed weights as they are."""
    return [
        stream(variable.value, half) if "int" in variable.dtype else variable.value
        for variable in variables
    ]


def stream(seed: Any, half: int) -> Any:
    """From the state of a seed generator to another for each half of a batch."""
    return seed + (half << 16)
