"""Training and inference: devices, seeds, callbacks, batches. The one module that knows TensorFlow.

Other Keras backends run the same code; what is TensorFlow's own is done only where it is the
backend.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from forecast.errors import ArtifactError, ConfigError, TrainingError
from forecast.features.targets import LEVELS
from forecast.features.windows import Windows
from forecast.networks.batches import gather_slices, gather_windows, slice_starts
from forecast.networks.heads import point_and_quantile_loss
from forecast.networks.interrupt import kept_interrupt
from forecast.networks.linear import fit_linear, without
from forecast.networks.recurrent import NETWORKS, build

BATCH_SLICES = 40
SCORED_STEPS = 60
BATCH_WINDOWS = 256
INFERENCE_WINDOWS = 1024


@dataclass(frozen=True)
class Epoch:
    """Where training stands.

    Attributes:
        number: of the epoch just ended, from 1.
        of: at most so many.
        loss: training loss.
        validation_loss: loss on the validation part.
        seconds_left: if every epoch is used; early stopping mostly ends sooner.
    """

    number: int
    of: int
    loss: float
    validation_loss: float
    seconds_left: float


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        model: keras.Model, (batch, lookback, n_features) → (batch, horizon, 8).
        loss: training loss of each epoch.
        validation_loss: validation loss of each epoch.
        learning_rate: of each epoch.
        kept_epoch: whose weights were kept (lowest validation loss), from 1.
        targets: `targets_hash` of the training part.
    """

    model: Any
    loss: list[float]
    validation_loss: list[float]
    learning_rate: list[float]
    kept_epoch: int
    targets: str


def prepare_backend(seed: int) -> None:
    """Seed everything, steady the threads, let a GPU's memory grow.

    On the CPU a run is then the same bit for bit, in one process or another.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence():
        import keras

        if keras.backend.backend() == "tensorflow":
            _prepare_tensorflow()
    keras.utils.set_random_seed(seed)


def fit(
    train: Windows,
    validation: Windows,
    *,
    network: str,
    units: Sequence[int],
    dropout: float,
    l2: float,
    learning_rate: float,
    epochs: int,
    patience: int,
    seed: int,
    centred: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    logs: Path | None = None,
) -> Fitted:
    """Train a network until the validation loss stops falling, and keep its best weights.

    Causal networks are trained on every step of longer slices, the others on the last step of
    each window; see `networks.batches`.

    Args:
        train: Windows of the training part.
        validation: Windows of the validation part; nothing is fitted on them, they choose when
            to stop.
        network: Key of `NETWORKS`.
        units: Width of each layer.
        dropout: Share dropped between layers.
        l2: Weight of the squared input kernels.
        learning_rate: At the start; halved when the validation loss stays on a plateau.
        epochs: At most so many.
        patience: Epochs without a better validation loss before training stops.
        seed: Of weights, order and dropout.
        centred: The target is centred on zero: point and median are pulled there, and a linear part
            (`networks.linear`) is fitted first. Not so for a price.
        on_epoch: Called after each epoch.
        logs: Folder for TensorBoard, or None.

    Raises:
        TrainingError: if the loss is no longer a finite number.
        KeyboardInterrupt: after the batch in which Ctrl-C was pressed.
        ConfigError: if `logs` are asked for and TensorBoard is not installed.
    """
    prepare_backend(seed)
    import keras

    targets = targets_hash(train)
    keras.backend.clear_session()
    linear = fit_linear(train, validation) if centred else None
    if linear is not None:
        train, validation = without(train, linear), without(validation, linear)
    shape: dict[str, Any] = {
        "n_features": train.features.shape[1],
        "horizon": train.horizon,
        "units": units,
        "dropout": dropout,
        "l2": l2,
    }
    scored = _scored_steps(train, validation) if NETWORKS[network].causal else None
    # Untrained, the network gives what the training part's outcomes give: it learns the rest.
    start = np.quantile(train.y, LEVELS, axis=0).T.tolist()
    learner = build(network, **shape, scored=scored, start=start)
    optimizer = keras.optimizers.Adam(learning_rate, clipnorm=1.0)
    # Otherwise the training step makes the optimizer's variables and is traced a second time.
    optimizer.build(learner.trainable_variables)
    learner.compile(
        optimizer=optimizer,
        loss=point_and_quantile_loss(centred=centred),
    )
    best = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    callbacks: list[Any] = [
        keras.callbacks.TerminateOnNaN(),
        best,
        keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=max(patience // 3, 1)),
        _teller(epochs, on_epoch),
    ]
    if logs is not None:
        if find_spec("tensorboard") is None:
            raise ConfigError(
                "setting 'tensorboard' needs the tensorboard package. It is not installed.",
                hint="pip install 'forecast[tensorboard]'",
            )
        callbacks.append(keras.callbacks.TensorBoard(log_dir=str(logs)))
    with kept_interrupt() as check:
        callbacks.append(
            keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: check())
        )
        history = learner.fit(
            _batches(train, scored=scored, seed=seed),
            validation_data=_batches(validation, scored=scored, seed=None),
            epochs=epochs,
            callbacks=callbacks,
            verbose=0,
        ).history
    _require_finite(history)
    model = build(network, **shape, linear=None if linear is None else linear.tolist())
    for layer in learner.layers:
        model.get_layer(layer.name).set_weights(layer.get_weights())
    return Fitted(
        model=model,
        loss=_floats(history["loss"]),
        validation_loss=_floats(history["val_loss"]),
        learning_rate=_floats(history["learning_rate"]),
        kept_epoch=int(np.argmin(history["val_loss"])) + 1,
        targets=targets,
    )


def targets_hash(windows: Windows) -> str:
    """SHA-256 of the windows' targets: tells later what a network was trained on."""
    return hashlib.sha256(np.ascontiguousarray(windows.y).tobytes()).hexdigest()


def infer(model: Any, windows: Windows) -> np.ndarray:
    """Network outputs of all windows, shape (n, horizon, 8), float64; a batch in memory at a time.

    Raises:
        TrainingError: if an output is not a finite number.
    """
    outputs = np.concatenate(
        [
            np.asarray(model.predict_on_batch(windows.gather(slice(i, i + INFERENCE_WINDOWS))))
            for i in range(0, len(windows), INFERENCE_WINDOWS)
        ]
    ).astype("float64")
    if not np.isfinite(outputs).all():
        raise TrainingError(
            "a forecast must be a finite number. The network gave NaN or infinity.",
            hint="forecast train with another --seed",
        )
    return outputs


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
            hint="forecast train the ticker again",
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keep TensorFlow's start-up lines off stderr, unless starting fails.

    They come from C++ before any log level counts, and say nothing to a user.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _prepare_tensorflow() -> None:
    import tensorflow as tf

    # One process may train many networks; each is a new graph, and no reason for a warning.
    tf.get_logger().setLevel("ERROR")
    try:
        # One graph operation at a time, each over all cores: the other way is bimodal in speed.
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # Already started, by an earlier run in this process or by the caller: keep its choice.
        pass
    tf.config.experimental.enable_op_determinism()


def _scored_steps(*parts: Windows) -> int:
    return min(SCORED_STEPS, *(count for part in parts for _, count in part.runs()))


def _batches(windows: Windows, *, scored: int | None, seed: int | None) -> Any:
    """A Keras dataset of the windows, gathered by batch; shuffled anew each epoch if seeded."""
    import keras

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._rng = None if seed is None else np.random.default_rng(seed)
            self.on_epoch_end()

        def on_epoch_end(self) -> None:
            if scored is not None:
                self._order = slice_starts(windows, scored=scored, rng=self._rng)
            elif self._rng is not None:
                self._order = self._rng.permutation(len(windows))
            else:
                self._order = np.arange(len(windows))

        def __len__(self) -> int:
            # The number of slices varies by one with the random offset; what is left over at the
            # end of a shuffled epoch is left out, so that every batch has one shape.
            size = BATCH_WINDOWS if scored is None else BATCH_SLICES
            return 1 if seed is None else max(len(self._order) // size, 1)

        def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
            chosen = np.array_split(self._order, len(self))[batch]
            if scored is None:
                return gather_windows(windows, chosen)
            return gather_slices(windows, chosen, scored=scored)

    return Batches()


def _teller(epochs: int, on_epoch: Callable[[Epoch], None] | None) -> Any:
    import keras

    begun = time.monotonic()

    def tell(number: int, logs: dict[str, float]) -> None:
        if on_epoch is not None:
            done = number + 1
            left = (time.monotonic() - begun) / done * (epochs - done)
            on_epoch(Epoch(done, epochs, logs["loss"], logs["val_loss"], left))

    return keras.callbacks.LambdaCallback(on_epoch_end=tell)


def _require_finite(history: dict[str, list[float]]) -> None:
    losses = [*history["loss"], *history.get("val_loss", [math.nan])]
    if not all(math.isfinite(loss) for loss in losses):
        raise TrainingError(
            f"the loss must stay a finite number. It became NaN or infinite in epoch "
            f"{len(history['loss'])}.",
            hint="a lower learning_rate, or forecast train with another --seed",
        )


def _floats(values: Sequence[Any]) -> list[float]:
    return [float(value) for value in values]
