"""The network as it is trained: traced once, its weights reset for each training."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from threading import Thread
from typing import Any

import numpy as np

from forecast.networks.architectures import NETWORKS, build
from forecast.networks.devices import devices, set_precision, strategy
from forecast.networks.direct import Direct, drawn
from forecast.networks.fast.chain import Chain
from forecast.networks.halves import HALVES, in_halves
from forecast.networks.heads import Head, head_of

_kept: dict[tuple[Any, ...], tuple[Any, list[np.ndarray]]] = {}
"""The last learner and its optimizer's first values, by what it was compiled for: tracing and
compiling take seconds."""


def learner_of(
    network: str,
    *,
    head: str | Head,
    scored: int | None,
    centred: bool,
    learning_rate: float,
    precision: str,
    batch: int,
    start: Sequence[Sequence[float]] | None,
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
        start: Biases of the untrained head, shape (horizon, outputs), or None.
        weights: Of the classes in the loss, or None.
        shape: What else `architectures.build` takes.

    Returns:
        `Direct`, or keras.Model: for `train_on_batch` and `epochs.loss_of`. The next call with the
        same shape gives the same model.
    """
    import keras

    backend = keras.backend.backend()
    on_gpu = any(device.kind == "GPU" for device in devices())
    # The fused kernels of a GPU, half precision and torch have loops of their own.
    fast = not on_gpu and precision == "float32" and backend != "torch"
    halved = fast and backend == "tensorflow"
    ending = head_of(head)
    key = (network, head, scored, centred, precision, batch, weights, *shape.values())
    if halved:
        written = _written_out(
            network,
            ending,
            scored=scored,
            centred=centred,
            learning_rate=learning_rate,
            start=start,
            **shape,
        )
        if written is not None:
            return written
    set_precision(precision)
    try:
        with strategy():
            fresh = build(
                network,
                head=head,
                scored=scored,
                start=start,
                fast=fast,
                **shape,
            )
            if key in _kept:
                learner, first = _kept[key]
                _reset(learner, fresh, first)
            else:
                _kept.clear()
                learner = fresh
                if halved:
                    learner = in_halves(fresh, compiled=NETWORKS[network].compiled)
                learner.compile(
                    optimizer=keras.optimizers.Adam(global_clipnorm=1.0),
                    loss=ending.loss(centred=centred, weights=weights),
                    jit_compile=False if halved else "auto",
                )
                if not halved:
                    # Else the training step makes the optimizer's variables and is traced twice.
                    learner.optimizer.build(learner.trainable_variables)
                _kept[key] = learner, _values(learner.optimizer.variables)
    finally:
        set_precision("float32")
    learner.optimizer.learning_rate = learning_rate
    return learner


def _written_out(
    network: str,
    head: Head,
    *,
    scored: int | None,
    centred: bool,
    learning_rate: float,
    start: Sequence[Sequence[float]] | None,
    **shape: Any,
) -> Direct | None:
    """The network without Keras's layers, where its gradient is written out."""
    from tensorflow import distribute

    if network != "lstm" or scored is None or head.gradient is None or head.widening is None:
        return None
    if shape["l2"] or shape.get("known") or shape.get("embedding") or distribute.has_strategy():
        return None
    horizon, dropout = shape["horizon"], shape["dropout"]
    widths = shape["n_features"], shape["units"]
    biases = np.ravel(start if start is not None else [head.untrained] * horizon).tolist()
    weights, seeds = drawn(*widths, dropout=dropout, biases=biases)
    return Direct(
        Chain(*widths, len(biases), scored=scored, dropout=dropout),
        head.gradient(centred),
        head.widening,
        weights=weights,
        seeds=seeds,
        learning_rate=learning_rate,
    )


def _reset(learner: Any, fresh: Any, first: Sequence[np.ndarray]) -> None:
    """Weights and random seeds of a fresh network; an optimizer that has seen nothing."""
    for variable, value in zip(learner.variables, fresh.variables, strict=True):
        variable.assign(value)
    # Not all begin with zero: half precision scales its loss.
    for variable, value in zip(learner.optimizer.variables, first, strict=True):
        variable.assign(value)
    if getattr(learner, "averages_itself", False):
        learner.restart()


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    from keras import ops

    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def prepare_tensorflow(*, compiled: bool) -> None:
    """Threads, determinism and the memory of a GPU, before anything runs.

    Args:
        compiled: XLA is going to compile: it takes its threads from those within an operation.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        # One core a half: products this small only lose by being shared out.
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    import tensorflow as tf

    # One process may train many networks; each is a new graph, and no reason for a warning.
    tf.get_logger().setLevel("ERROR")
    gpus = tf.config.list_physical_devices("GPU")
    try:
        # As many operations at a time as a batch has parts; more is bimodal in speed.
        if "TF_NUM_INTEROP_THREADS" not in os.environ:
            tf.config.threading.set_inter_op_parallelism_threads(HALVES)
        if "TF_NUM_INTRAOP_THREADS" not in os.environ and not gpus:
            tf.config.threading.set_intra_op_parallelism_threads(HALVES if compiled else 1)
        if not gpus:
            # A rewritten graph adds up in an order that follows from the names in it: training the
            # same network again in one process would round differently.
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        for device in gpus:
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # Already started, by an earlier run in this process or by the caller: keep its choice.
        pass
    tf.config.experimental.enable_op_determinism()
    if not gpus:
        _run_operations_as_they_are()


def _run_operations_as_they_are() -> None:
    """Let TensorFlow run an operation without making a function of it, and optimizing that, first.

    That takes 1 to 20 ms for the first of each kind (docs/decisions/0290). The switch is not part
    of its public interface: where it is missing, all is as slow as it was.
    """
    with suppress(ImportError, AttributeError):
        from tensorflow.python import pywrap_tfe
        from tensorflow.python.eager import context

        now = context.context()
        now.ensure_initialized()
        pywrap_tfe.TFE_ContextSetRunEagerOpAsFunction(now._handle, False)


@cache
def load_beside() -> None:
    """Let TensorFlow load, once, what it multiplies with while Python prepares what is trained on.

    That takes as long as three updates; all its other operations together take half a one.
    """
    import keras

    on_gpu = any(device.kind == "GPU" for device in devices())
    if keras.backend.backend() == "tensorflow" and not on_gpu:
        # No daemon: one inside TensorFlow at Python's end would crash it.
        Thread(target=_multiply).start()


def _multiply() -> None:
    from tensorflow import raw_ops as ops

    matrix = np.zeros((4, 4), "float32")
    ops.MatMul(a=matrix, b=matrix)


def give_back_memory() -> None:
    """Hand freed memory back to the system.

    Compiling leaves some 60 MB that nothing uses, preparing many tickers 20.
    """
    if sys.platform == "linux":
        # musl has no such call, and keeps less.
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
