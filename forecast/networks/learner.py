"""The network as it is trained: compiled once, its weights reset for each training.

On the CPU with TensorFlow a batch is trained in two halves at once. One core's share of a recurrent
step is too small to be cut in two, so a loop over the steps leaves a second core nearly idle. Here
XLA compiles forward and backward pass of half a batch for one core; the two halves run side by
side and their gradients are averaged, in a fixed order.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from forecast.networks.architectures import NETWORKS, build
from forecast.networks.devices import devices, set_precision, strategy
from forecast.networks.heads import Head, head_of

HALVES = 2

_kept: dict[tuple[Any, ...], Any] = {}
"""The last learner by what it was compiled for: tracing and compiling take seconds."""


def learner_of(
    network: str,
    *,
    head: str | Head,
    scored: int | None,
    centred: bool,
    learning_rate: float,
    precision: str,
    batch: int,
    start: Sequence[Sequence[float]],
    weights: tuple[float, ...] | None = None,
    **shape: Any,
) -> Any:
    """A compiled network with fresh weights, from the seed set before.

    Args:
        network: Key of `NETWORKS`.
        head: Key of `HEADS`, or a head.
        scored: Steps with a loss in each slice, or None for the last of a window.
        centred: The target is centred on zero.
        learning_rate: At the start.
        precision: One of `devices.PRECISIONS`.
        batch: Slices or windows an update: its halves are compiled for one size.
        start: Biases of the untrained head, shape (horizon, outputs).
        weights: Of the classes in the loss, or None.
        shape: What else `architectures.build` takes.

    Returns:
        keras.Model for `train_on_batch` and `test_on_batch`. The next call with the same shape
        gives the same object.
    """
    import keras

    backend = keras.backend.backend()
    on_gpu = any(device.kind == "GPU" for device in devices())
    # The fused kernels of a GPU, half precision and torch have loops of their own; a network
    # without a loop has nothing to gain: XLA's products of its rows take up to 16 times as long.
    compiled = (
        NETWORKS[network].takes("compiled")
        and not on_gpu
        and precision == "float32"
        and backend != "torch"
    )
    set_precision(precision)
    try:
        with strategy():
            fresh = build(
                network,
                head=head,
                scored=scored,
                start=start,
                compiled=compiled,
                **shape,
            )
            key = (network, head, scored, centred, precision, batch, weights, *shape.values())
            if key in _kept:
                learner = _kept[key]
                _reset(learner, fresh)
            else:
                _kept.clear()
                halved = compiled and backend == "tensorflow"
                learner = _kept[key] = in_halves(fresh) if halved else fresh
                optimizer = keras.optimizers.Adam(clipnorm=1.0)
                # Else the training step makes the optimizer's variables and is traced twice.
                optimizer.build(learner.trainable_variables)
                learner.compile(
                    optimizer=optimizer,
                    loss=head_of(head).loss(centred=centred, weights=weights),
                    jit_compile=False if halved else "auto",
                )
    finally:
        set_precision("float32")
    learner.optimizer.learning_rate = learning_rate
    return learner


def _reset(learner: Any, fresh: Any) -> None:
    """Weights and random seeds of a fresh network; an optimizer that has seen nothing."""
    for variable, first in zip(learner.variables, fresh.variables, strict=True):
        variable.assign(first)
    for variable in learner.optimizer.variables:
        variable.assign(variable * 0)


def prepare_tensorflow() -> None:
    """Threads, determinism and the memory of a GPU, before anything runs."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        # One core a half: products this small only lose by being shared out.
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    import tensorflow as tf

    # One process may train many networks; each is a new graph, and no reason for a warning.
    tf.get_logger().setLevel("ERROR")
    try:
        # As many operations at a time as a batch has parts; more is bimodal in speed.
        tf.config.threading.set_inter_op_parallelism_threads(HALVES)
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # Already started, by an earlier run in this process or by the caller: keep its choice.
        pass
    tf.config.experimental.enable_op_determinism()


def give_back_memory() -> None:
    """Hand freed memory back to the system.

    Compiling leaves some 60 MB that nothing uses, preparing many tickers 20.
    """
    if sys.platform == "linux":
        # musl has no such call, and keeps less.
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def in_halves(network: Any) -> Any:
    """The same layers and weights, trained half a batch a core. TensorFlow backend, CPU.

    Args:
        network: keras.Model without state besides weights and random seeds.

    Returns:
        keras.Model. Each of its training batches has an even number of samples, or one.
    """
    import keras
    import tensorflow as tf

    class InHalves(keras.Model):  # type: ignore[misc]
        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            halves = HALVES if x.shape[0] % HALVES == 0 else 1
            weights = [tf.identity(weight.value) for weight in self.trainable_variables]
            results = [
                self._gradients(weights, _streams(self.non_trainable_variables, half), *part)
                for half, part in enumerate(
                    zip(tf.split(x, halves), tf.split(y, halves), strict=True)
                )
            ]
            losses, gradients, states = zip(*results, strict=True)
            self.optimizer.apply(
                [tf.add_n(each) / halves for each in zip(*gradients, strict=True)],
                self.trainable_variables,
            )
            for variable, state in zip(self.non_trainable_variables, states[0], strict=True):
                variable.assign(state)
            for metric in self.metrics:
                metric.update_state(tf.add_n(losses) / halves)
            return self.get_metrics_result()

        @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]
        def _gradients(self, weights: Any, states: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(weights)
                outputs, states, penalties = self.stateless_call(
                    weights, states, x, training=True, return_losses=True
                )
                loss = tf.reduce_mean(self.loss(y, outputs)) + tf.add_n([0.0, *penalties])
            return loss, tape.gradient(loss, weights), states

    return InHalves(network.inputs, network.outputs, name=network.name)


def _streams(variables: list[Any], half: int) -> list[Any]:
    """The states of the seed generators, a stream for each half; fixed weights as they are."""
    return [
        variable.value + (half << 16) if "int" in variable.dtype else variable.value
        for variable in variables
    ]
