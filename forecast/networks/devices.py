"""What a network is computed on: the devices, their fused kernels, precision, several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from forecast.networks.architectures import build
from forecast.networks.fast import compiled, library

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
_DRIVER = Path("/dev/nvidiactl")
# Of a window: the layers are the same.
_ANY_LENGTH = 2


@dataclass(frozen=True)
class Device:
    """One device that Keras's backend computes on.

    Attributes:
        kind: `CPU` or `GPU`.
        name: The maker's, such as `NVIDIA H100 80GB HBM3`; for a CPU `CPU`.
        memory_grows: Whether memory is taken as needed rather than all at the start; None where
            the backend has no such setting, or for a CPU.
        capability: Of an NVIDIA card, such as (9, 0); None if not known.
    """

    kind: str
    name: str
    memory_grows: bool | None = None
    capability: tuple[int, int] | None = None


def devices() -> list[Device]:
    """The devices of Keras's backend, the GPUs first; starts the backend, which takes seconds."""
    import keras

    found = _DEVICES[keras.backend.backend()]()
    return found or [Device("CPU", "CPU")]


def driver_present() -> bool:
    """Whether this machine has an NVIDIA driver, whatever the backend sees of it."""
    return _DRIVER.exists()


def fused_kernels(network: str, units: Sequence[int]) -> tuple[bool | None, str]:
    """Whether every recurrent layer of a network runs on cuDNN's fused kernels here, and why not.

    The rules are Keras's own (`cudnn_ok` in its backends, and its layers' `use_cudnn`).

    Args:
        network: Key of `NETWORKS`.
        units: Width of each layer.

    Returns:
        The answer, None for a network without recurrent layers; and the reason in words.
    """
    model = build(network, n_features=1, horizon=1, lookback=_ANY_LENGTH, units=units)
    layers = list(_recurrent_layers(model))
    if not layers:
        return None, "it has no recurrent layers"
    if not any(device.kind == "GPU" for device in devices()):
        return False, "there is no GPU"
    for layer in layers:
        reason = unfused(layer)
        if reason is not None:
            return False, f"layer {layer.name}: {reason}"
    return True, f"all {len(layers)} recurrent layers keep to what cuDNN asks for"


def cpu_loop(network: str, units: Sequence[int]) -> tuple[str | None, bool]:
    """What trains the default LSTM on the CPU, in words, and whether a C compiler would change it.

    Args:
        network: Key of `NETWORKS`.
        units: Width of each layer.

    Returns:
        None for another network, another backend or a GPU.
    """
    import keras

    on_gpu = any(device.kind == "GPU" for device in devices())
    if network != "lstm" or on_gpu or keras.backend.backend() != "tensorflow":
        return None, False
    if compiled.computes(units):
        return "the default lstm is trained by compiled C", False
    reason = library.missing() or f"compiled C is for units in multiples of {compiled.PANEL}"
    told = f"the default lstm is trained by TensorFlow's operation: {reason}"
    return told, reason == library.NOT_COMPILED


def unfused(layer: Any) -> str | None:
    """Why cuDNN has no fused kernel for a recurrent layer of Keras; None if it has one."""
    import keras

    if not isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return "cuDNN has fused kernels for LSTM and GRU only"
    rules = {
        "use_cudnn is off": layer.use_cudnn is False,
        "the activation must be tanh": layer.activation.__name__ != "tanh",
        "the gates' activation must be sigmoid": layer.recurrent_activation.__name__ != "sigmoid",
        "it must have a bias": not layer.use_bias,
        "it must not be unrolled": layer.unroll,
        "it must not drop recurrent inputs": layer.recurrent_dropout > 0,
        "reset_after must be on": not getattr(layer, "reset_after", True),
    }
    return next((reason for reason, broken in rules.items() if broken), None)


def set_precision(name: str) -> None:
    """Compute what is built from now on with this precision; weights stay float32.

    Args:
        name: One of `PRECISIONS`: `mixed_float16` pays on GPUs from capability 7.0 on,
            `mixed_bfloat16` from 8.0.

    Raises:
        ValueError: if there is no such precision.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}. Received {name!r}.")
    import keras

    keras.config.set_dtype_policy(name)


@contextmanager
def strategy(kind: str = "GPU") -> Iterator[int]:
    """Build and compile a network in here to train it on all GPUs at once.

    With several GPUs under TensorFlow each batch is divided among them
    (`tf.distribute.MirroredStrategy`); else nothing changes.

    Args:
        kind: Of the devices to share the batches, as TensorFlow names it.

    Yields:
        How many devices share a batch.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        yield 1
        return
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(names) < 2:
        yield 1
        return
    mirrored = _mirrored(tuple(names))
    with mirrored.scope():
        yield mirrored.num_replicas_in_sync


@cache
def _mirrored(names: tuple[str, ...]) -> Any:
    """One strategy a process: a second one would mix up its exchanges with the first's."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(list(names))


def _tensorflow_devices() -> list[Device]:
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        found.append(
            Device(
                "GPU",
                details.get("device_name", device.name),
                bool(tf.config.experimental.get_memory_growth(device)),
                details.get("compute_capability"),
            )
        )
    return found


def _jax_devices() -> list[Device]:
    import jax

    return [
        Device("GPU", device.device_kind)
        for device in jax.devices()
        if device.platform in ("gpu", "cuda", "rocm")
    ]


def _torch_devices() -> list[Device]:
    import torch

    return [
        Device(
            "GPU",
            torch.cuda.get_device_name(number),
            True,
            torch.cuda.get_device_capability(number),
        )
        for number in range(torch.cuda.device_count())
    ]


_DEVICES = {"tensorflow": _tensorflow_devices, "jax": _jax_devices, "torch": _torch_devices}


def _recurrent_layers(model: Any) -> Iterator[Any]:
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            yield from (layer.forward_layer, layer.backward_layer)
        elif isinstance(layer, keras.layers.RNN):
            yield layer
