"""The loop over epochs: updates, the validation loss, when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from forecast.errors import ConfigError, TrainingError
from forecast.features.windows import Windows
from forecast.networks.averaging import Average
from forecast.networks.batches import (
    LONGEST_EPOCH,
    gather_slices,
    gather_windows,
    training_batches,
    training_context,
    validation_batches,
)
from forecast.networks.first_epoch import hastened
from forecast.networks.interrupt import kept_interrupt
from forecast.networks.learner import give_back_memory


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


def train_epochs(
    learner: Any,
    train: Windows,
    validation: Windows,
    *,
    scored: int | None,
    balanced: bool,
    epochs: int,
    patience: int,
    least_gain: float,
    seed: int,
    batch: int,
    on_epoch: Callable[[Epoch], None] | None,
    logs: Path | None,
) -> dict[str, list[float]]:
    """Train until the validation loss stops falling; the learner is left with its best weights.

    Validated and kept are weights averaged over the updates (`networks.averaging`).

    A loop of our own around Keras's batches: its `fit` costs more than the arithmetic of a small
    update.

    Args:
        learner: As `learner_of` gives it.
        train: Windows of the training part.
        validation: Windows of the validation part.
        scored: Steps with a loss in each slice, or None to train on the last step of windows.
        balanced: As `batches.training_batches`.
        epochs: At most so many, see `batches.training_batches`.
        patience: Epochs without a better validation loss before training stops.
        least_gain: A fall of the validation loss by no more is a plateau to the learning rate.
        seed: Of offsets and order.
        batch: Slices or windows an update.
        on_epoch: Called after each epoch.
        logs: Folder for TensorBoard, or None.

    Returns:
        `loss`, `val_loss` and `learning_rate` of each epoch.

    Raises:
        TrainingError: if the loss is no longer a finite number.
        KeyboardInterrupt: after the batch in which Ctrl-C was pressed.
        ConfigError: if `logs` are asked for and TensorBoard is not installed.
    """
    import keras

    rng = np.random.default_rng(seed)
    history: dict[str, list[float]] = {"loss": [], "val_loss": [], "learning_rate": []}
    callbacks = keras.callbacks.CallbackList(
        [
            keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(
                factor=0.5, patience=max(patience // 3, 1), min_delta=least_gain
            ),
            *_tensorboard(logs),
        ],
        model=learner,
    )
    average = None if getattr(learner, "averages_itself", False) else Average(learner)
    checked = validation_batches(validation, scored=scored)
    drawn = training_batches(
        train,
        scored=scored,
        batch=batch,
        balanced=balanced,
        # Nor should validating take most of the time.
        longest=max(LONGEST_EPOCH, len(checked)),
        rng=rng,
    )
    begun = time.monotonic()
    learner.stop_training = False
    callbacks.on_train_begin()
    with kept_interrupt() as check:
        for number in range(1, epochs + 1):
            callbacks.on_epoch_begin(number - 1)
            batches = next(drawn)
            with (
                hastened(learner, batches) if number == 1 else nullcontext(batches) as chosen,
                average.training() if average else nullcontext(),
            ):
                rate = float(keras.ops.convert_to_numpy(learner.optimizer.learning_rate))
                loss = _one_epoch(
                    learner,
                    train,
                    chosen,
                    scored=scored,
                    updated=average.updated if average else _nothing,
                    check=check,
                )
            if number == 1:
                give_back_memory()
            told = {
                "loss": loss,
                "val_loss": validate(learner, validation, checked, scored=scored, check=check),
                "learning_rate": rate,
            }
            for name, value in told.items():
                history[name].append(value)
            _require_finite(history)
            if on_epoch is not None:
                left = (time.monotonic() - begun) / number * (epochs - number)
                on_epoch(Epoch(number, epochs, told["loss"], told["val_loss"], left))
            callbacks.on_epoch_end(number - 1, told)
            if learner.stop_training:
                break
    callbacks.on_train_end()
    return history


def _one_epoch(
    learner: Any,
    windows: Windows,
    chosen: list[np.ndarray],
    *,
    scored: int | None,
    updated: Callable[[], None],
    check: Callable[[], None],
) -> float:
    """The weights updated by each batch, gathered when it is needed; gives the mean loss."""
    if scored is None:
        batches = (gather_windows(windows, positions) for positions in chosen)
    else:
        context = training_context(windows.lookback, scored)
        batches = (
            gather_slices(windows, starts, scored=scored, context=context) for starts in chosen
        )
    strategy = getattr(learner, "distribute_strategy", None)
    if getattr(strategy, "num_replicas_in_sync", 1) > 1:
        # Only Keras's `fit` shares a batch among devices.
        import keras

        each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs=None: updated())
        history = learner.fit(
            batches, steps_per_epoch=len(chosen), verbose=0, callbacks=[each]
        ).history
        return float(history["loss"][-1])
    losses = []
    for x, y in batches:
        losses.append(float(learner.train_on_batch(x, y)))
        updated()
        check()
    return float(np.mean(losses))


def _nothing() -> None:
    """After an update of a learner that averages its weights itself."""


def validate(
    learner: Any,
    windows: Windows,
    chosen: list[np.ndarray],
    *,
    scored: int | None,
    check: Callable[[], None],
) -> float:
    """The mean loss over all batches; Keras's own gives the last one's alone, and adds `l2`."""
    loss, losses, sizes = loss_of(learner), [], []
    for each in chosen:
        if scored is None:
            x, y = gather_windows(windows, each)
        else:
            x, y = gather_slices(windows, each, scored=scored)
        losses.append(loss(x, y))
        sizes.append(len(x))
        check()
    return float(np.average(losses, weights=sizes))


def loss_of(learner: Any) -> Callable[[np.ndarray, np.ndarray], float]:
    """From a batch of samples and their encoded outcomes to the mean loss, without dropout."""
    from keras import ops

    def loss(x: np.ndarray, y: np.ndarray) -> float:
        # Several devices answer the whole batch each.
        outputs = ops.convert_to_tensor(learner.predict_on_batch(x)[: len(x)])
        return float(ops.mean(learner.loss(ops.convert_to_tensor(y), outputs)))

    return getattr(learner, "loss_on_batch", loss)


def _tensorboard(logs: Path | None) -> list[Any]:
    if logs is None:
        return []
    if find_spec("tensorboard") is None:
        raise ConfigError(
            "setting 'tensorboard' needs the tensorboard package. It is not installed.",
            hint="pip install -e '.[tensorboard]'",
        )
    import keras

    return [keras.callbacks.TensorBoard(log_dir=str(logs), write_graph=False)]


def _require_finite(history: dict[str, list[float]]) -> None:
    if not (math.isfinite(history["loss"][-1]) and math.isfinite(history["val_loss"][-1])):
        raise TrainingError(
            f"the loss must stay a finite number. It became NaN or infinite in epoch "
            f"{len(history['loss'])}.",
            hint="a lower learning_rate, or forecast train with another --seed",
        )
