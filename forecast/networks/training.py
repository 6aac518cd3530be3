"""Training and inference: seeds, batches, when to stop.

Other Keras backends run the same code; what is TensorFlow's own is done only where it is the
backend.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from forecast.errors import ArtifactError, TrainingError
from forecast.features.windows import Windows
from forecast.networks.architectures import NETWORKS, build
from forecast.networks.batches import INFERENCE_WINDOWS
from forecast.networks.embedding import know_strangers
from forecast.networks.epochs import Epoch, train_epochs
from forecast.networks.heads import Head, head_of
from forecast.networks.heads.classes import balanced_weights, shift_of
from forecast.networks.importing import importing_keras
from forecast.networks.inference import predictor
from forecast.networks.learner import give_back_memory, learner_of, load_beside, prepare_tensorflow
from forecast.networks.linear import fit_linear, without
from forecast.networks.products import blas, one_thread

BATCH_SLICES = 64
SCORED_STEPS = 60
BATCH_WINDOWS = 256

_keras = RLock()
"""Seeds, precision and the kept learner are the process's: one thread has them at a time."""


@contextmanager
def _alone() -> Iterator[None]:
    with _keras:
        yield


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        model: keras.Model, (batch, lookback, n_features) → (batch, horizon, outputs).
        loss: training loss of each epoch.
        validation_loss: validation loss of each epoch.
        learning_rate: of each epoch.
        kept_epoch: whose weights were kept (lowest validation loss), from 1.
        targets: `targets_hash` of the training part.
        head: With which it was trained.
    """

    model: Any
    loss: list[float]
    validation_loss: list[float]
    learning_rate: list[float]
    kept_epoch: int
    targets: str
    head: str | Head = "quantiles"


def prepare_backend(seed: int, *, network: str = "lstm") -> None:
    """Seed everything, steady the threads, let a GPU's memory grow.

    On the CPU a run is then the same bit for bit, in one process or another that begins with a
    network of the same kind, compiled or not: the first one decides on the threads.

    Args:
        seed: For Keras.
        network: Key of `NETWORKS`.

    Raises:
        ConfigError: if Keras's backend cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Looked for while TensorFlow's libraries are not there to look through.
    blas()
    with importing_keras():
        import keras

        if keras.backend.backend() == "tensorflow":
            prepare_tensorflow(compiled=NETWORKS[network].compiled)
        keras.utils.set_random_seed(seed)
    load_beside()


@_alone()
def fit(
    train: Windows,
    validation: Windows,
    *,
    network: str,
    units: Sequence[int],
    dropout: float,
    l2: float,
    learning_rate: float | None,
    epochs: int,
    patience: int,
    seed: int,
    batch: int | None = None,
    head: str | Head = "quantiles",
    context: str = "every",
    outputs: str | None = None,
    class_weight: str = "none",
    embedding: int = 0,
    balanced: bool = False,
    centred: bool = True,
    precision: str = "float32",
    on_epoch: Callable[[Epoch], None] | None = None,
    logs: Path | None = None,
) -> Fitted:
    """Train a network until the validation loss stops falling, and keep its best weights.

    On every step of slices, which takes a causal network, or on the last step of each
    window; see `networks.batches`. Threads train one after the other.

    Args:
        train: Windows of the training part.
        validation: Windows of the validation part; nothing is fitted on them, they choose when
            to stop.
        network: Key of `NETWORKS`.
        units: Width of each layer.
        dropout: Share dropped between layers.
        l2: Weight of the squared input kernels.
        learning_rate: At the start, but for a `first_epoch` that is hastened; halved when the
            validation loss stays on a plateau. None for the network's own.
        epochs: At most so many, see `batches.training_batches`.
        patience: Epochs without a better validation loss before training stops.
        seed: Of weights, order and dropout.
        batch: Slices or windows an update; None for `default_batch`.
        head: Key of `HEADS`, or a head.
        context: One of `seq2seq.CONTEXTS`.
        outputs: One of `OUTPUT_STEPS`: train on `every` step or on the `last` one; None for every
            step where the network is causal.
        class_weight: One of `CLASS_WEIGHTS`: `balanced` makes each class count the same in all
            while training. The probabilities of the network given are those without weights.
        embedding: Width of what the network learns of each ticker, whose number is then the first
            feature (`Inputs.numbered`); 0 for none.
        balanced: Each ticker's rows count the same in training, however many they are.
        centred: The target is centred on zero: point and median are pulled there, and a linear part
            (`networks.linear`) is fitted first. Not so for a price.
        precision: What training computes in, one of `devices.PRECISIONS`; weights and the saved
            network stay float32.
        on_epoch: Called after each epoch.
        logs: Folder for TensorBoard, or None.

    Raises:
        ValueError: if the network is to be trained on every step and cannot.
        TrainingError: if the loss is no longer a finite number.
        KeyboardInterrupt: after the batch in which Ctrl-C was pressed.
        ConfigError: if `logs` are asked for and TensorBoard is not installed.
    """
    give_back_memory()
    prepare_backend(seed, network=network)
    targets = targets_hash(train)
    linear = None
    if centred:
        with one_thread():
            linear = fit_linear(train, validation, first=int(embedding > 0))
            train, validation = without([train, validation], linear)
    shape: dict[str, Any] = {
        "n_features": train.features.shape[1],
        "horizon": train.horizon,
        "lookback": train.lookback,
        "known": train.known,
        "context": context,
        "units": tuple(units),
        "dropout": dropout,
        "l2": l2,
        "embedding": (1 + int(train.features[:, 0].max()), embedding) if embedding else None,
    }
    scored = _scored_steps(train, validation) if _every_step(network, outputs) else None
    # Untrained, the network gives what the training part's outcomes give: it learns the rest.
    ending = head_of(head)
    start = ending.start(train.y)
    weights = shift = None
    if class_weight == "balanced" and ending.classes:
        weights = balanced_weights(train.y, ending.classes)
        shift = shift_of(weights, ending)
        start = start + shift
    size = batch or default_batch(network, outputs)
    learner = learner_of(
        network,
        head=head,
        scored=scored,
        centred=centred,
        learning_rate=learning_rate or NETWORKS[network].learning_rate,
        precision=precision,
        batch=size if scored is not None else min(size, len(train)),
        start=start.tolist(),
        weights=None if weights is None else tuple(weights.tolist()),
        **shape,
    )
    history = train_epochs(
        learner,
        train,
        validation,
        scored=scored,
        balanced=balanced,
        epochs=epochs,
        patience=patience,
        # Of prices, whose loss may be a hundredth of that of returns, any fall counts.
        least_gain=1e-4 if centred else 0.0,
        seed=seed,
        batch=size,
        on_epoch=on_epoch,
        logs=logs,
    )
    give_back_memory()
    model = build(network, head=head, **shape, linear=None if linear is None else linear.tolist())
    # What is not trained is the same in both, or is the model's alone.
    for own, trained in zip(model.trainable_variables, learner.trainable_variables, strict=True):
        own.assign(trained)
    if shift is not None:
        bias = model.get_layer("head").bias
        bias.assign_sub(np.tile(shift, bias.shape[0] // len(shift)))
    if embedding:
        know_strangers(model)
    return Fitted(
        model=model,
        loss=history["loss"],
        validation_loss=history["val_loss"],
        learning_rate=history["learning_rate"],
        kept_epoch=int(np.argmin(history["val_loss"])) + 1,
        targets=targets,
        head=head,
    )


def default_batch(network: str, outputs: str | None = None) -> int:
    """Slices an update for a network trained on every step, windows for one on the last."""
    return BATCH_SLICES if _every_step(network, outputs) else BATCH_WINDOWS


def default_outputs(network: str) -> str:
    """A loss on `every` step where the network is causal, else on the `last`."""
    return "every" if NETWORKS[network].causal else "last"


def _every_step(network: str, outputs: str | None) -> bool:
    return (outputs or default_outputs(network)) == "every"


def targets_hash(windows: Windows) -> str:
    """SHA-256 of the windows' targets: tells later what a network was trained on."""
    return hashlib.sha256(np.ascontiguousarray(windows.y).tobytes()).hexdigest()


def infer(model: Any, windows: Windows, *, head: str | Head = "quantiles") -> np.ndarray:
    """What the head answers to all windows, float64; a batch in memory at a time.

    Args:
        model: Trained with the head.
        windows: n windows.
        head: Key of `HEADS`, or a head.

    Returns:
        As `Head.answer` gives it: point and quantiles, shape (n, horizon, 8), or the probability of
        each class, shape (n, horizon, classes).

    Raises:
        TrainingError: if an output is not a finite number.
    """
    with _alone():
        # Its layers draw seeds, which are another thread's if it is training.
        predict = predictor(model)
    outputs = np.concatenate(
        [
            predict(windows.gather(slice(first, first + INFERENCE_WINDOWS)))
            for first in range(0, len(windows), INFERENCE_WINDOWS)
        ]
    ).astype("float64")
    if not np.isfinite(outputs).all():
        raise TrainingError(
            "a forecast must be a finite number. The network gave NaN or infinity.",
            hint="forecast train with another --seed",
        )
    return head_of(head).answer(outputs)


@_alone()
def load_model(path: Path) -> Any:
    """The network in a `.keras` file, without running any code from it.

    The caller has verified the checksum.

    Raises:
        ArtifactError: if this version of Keras cannot read it.
    """
    prepare_backend(0)
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever an archive of another version makes Keras raise
        raise ArtifactError(
            f"{path} must be a network that Keras {keras.__version__} can read. Loading it "
            f"failed: {str(error).strip().splitlines()[0] if str(error) else type(error).__name__}",
            hint="forecast train TICKER",
        ) from error


def _scored_steps(*parts: Windows) -> int:
    return min(SCORED_STEPS, *(count for part in parts for _, count in part.runs()))
