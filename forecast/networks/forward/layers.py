"""Keras's layers and operations in NumPy: those that the networks and their head are made of.

Each entry takes what `config.json` says of a layer (and its weights) and gives a function of
arrays. What it does not know it refuses, so that Keras computes it instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Function = Callable[..., np.ndarray]
Weights = Mapping[str, np.ndarray]
"""Path below the layer in the weights' file → array."""


class UnknownPart(Exception):  # noqa: N818 - no error: Keras knows it
    """A layer, or a way to use it, that is not known here."""


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # Never overflows, unlike 1 / (1 + exp(-x)).
    return 0.5 * np.tanh(0.5 * x) + 0.5


_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
}


def _require(config: Mapping[str, Any], **wanted: Any) -> None:
    """Refuse a layer whose settings are others than these; one that is absent counts as None."""
    for name, value in wanted.items():
        if config.get(name) != value:
            raise UnknownPart(f"{config.get('name')} with {name}={config.get(name)!r}")


def _weight(weights: Weights, name: str, *shape: int | None) -> np.ndarray:
    """The weight, of this shape (None: any length)."""
    found = weights.get(name)
    if found is None or len(found.shape) != len(shape):
        raise UnknownPart(f"a weight {name} of shape {None if found is None else found.shape}")
    if any(want not in (None, got) for want, got in zip(shape, found.shape, strict=True)):
        raise UnknownPart(f"a weight {name} of shape {found.shape}")
    return found


def _activation(config: Mapping[str, Any], name: str) -> Callable[[np.ndarray], np.ndarray]:
    if config[name] not in _ACTIVATIONS:
        raise UnknownPart(f"the activation {config[name]!r}")
    return _ACTIVATIONS[config[name]]


def _float32(config: Mapping[str, Any]) -> None:
    policy = config["dtype"]
    name = policy["config"]["name"] if isinstance(policy, dict) else policy
    if name != "float32":
        raise UnknownPart(f"{config['name']} in {name}")


def _dense(config: Mapping[str, Any], weights: Weights) -> Function:
    _float32(config)
    activation, units = _activation(config, "activation"), config["units"]
    kernel = _weight(weights, "vars/0", None, units)
    bias = _weight(weights, "vars/1", units) if config["use_bias"] else 0.0
    return lambda x: activation(x @ kernel + bias)


def _dropout(config: Mapping[str, Any], weights: Weights) -> Function:
    return lambda x: x


def _reshape(config: Mapping[str, Any], weights: Weights) -> Function:
    shape = tuple(config["target_shape"])
    return lambda x: x.reshape(len(x), *shape)


def _flatten(config: Mapping[str, Any], weights: Weights) -> Function:
    _require(config, data_format="channels_last")
    return lambda x: x.reshape(len(x), -1)


def _repeat(config: Mapping[str, Any], weights: Weights) -> Function:
    return lambda x: np.repeat(x[:, None], config["n"], axis=1)


def _permute(config: Mapping[str, Any], weights: Weights) -> Function:
    order = (0, *config["dims"])
    return lambda x: x.transpose(order)


def _activate(config: Mapping[str, Any], weights: Weights) -> Function:
    return _activation(config, "activation")


def _add(config: Mapping[str, Any], weights: Weights) -> Function:
    return lambda parts: sum(parts[1:], start=parts[0])


def _convolution(config: Mapping[str, Any], weights: Weights) -> Function:
    """Causal: the rows that the kernel reaches lie `dilation` apart, none later than the output."""
    _float32(config)
    _require(config, padding="causal", use_bias=True, groups=1, strides=[1])
    activation = _activation(config, "activation")
    (size,), (dilation,) = config["kernel_size"], config["dilation_rate"]
    kernel = _weight(weights, "vars/0", size, None, config["filters"])
    bias = _weight(weights, "vars/1", config["filters"])

    def run(x: np.ndarray) -> np.ndarray:
        before = (size - 1) * dilation
        padded = np.pad(x, ((0, 0), (before, 0), (0, 0)))
        rows = (padded[:, i * dilation :][:, : x.shape[1]] for i in range(size))
        return activation(sum((row @ part for row, part in zip(rows, kernel, strict=True)), bias))

    return run


Cell = Callable[[np.ndarray, tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]
"""(projected row, states) → states, the output first; each of shape (batch, units)."""


def _simple_rnn(config: Mapping[str, Any], weights: Weights) -> Function:
    units, tanh = config["units"], _activation(config, "activation")
    recurrent = _weight(weights, "cell/vars/1", units, units)
    bias = _weight(weights, "cell/vars/2", units)

    def cell(row: np.ndarray, states: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return (tanh(row + states[0] @ recurrent),)

    return _over_rows(config, weights, cell, bias, states=1)


def _lstm(config: Mapping[str, Any], weights: Weights) -> Function:
    units, tanh = config["units"], _activation(config, "activation")
    sigmoid = _activation(config, "recurrent_activation")
    recurrent = _weight(weights, "cell/vars/1", units, 4 * units)
    bias = _weight(weights, "cell/vars/2", 4 * units)

    def cell(row: np.ndarray, states: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        hidden, carry = states
        gates = row + hidden @ recurrent
        enter, forget, new, leave = (gates[:, i : i + units] for i in range(0, 4 * units, units))
        carry = sigmoid(forget) * carry + sigmoid(enter) * tanh(new)
        return sigmoid(leave) * tanh(carry), carry

    return _over_rows(config, weights, cell, bias, states=2)


def _gru(config: Mapping[str, Any], weights: Weights) -> Function:
    _require(config, reset_after=True)
    units, tanh = config["units"], _activation(config, "activation")
    sigmoid = _activation(config, "recurrent_activation")
    recurrent = _weight(weights, "cell/vars/1", units, 3 * units)
    bias, bias_after = _weight(weights, "cell/vars/2", 2, 3 * units)

    def cell(row: np.ndarray, states: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        (hidden,) = states
        after = hidden @ recurrent + bias_after
        keep = sigmoid(row[:, :units] + after[:, :units])
        reset = sigmoid(row[:, units : 2 * units] + after[:, units : 2 * units])
        new = tanh(row[:, 2 * units :] + reset * after[:, 2 * units :])
        return (keep * hidden + (1.0 - keep) * new,)

    return _over_rows(config, weights, cell, bias, states=1)


def _over_rows(
    config: Mapping[str, Any], weights: Weights, cell: Cell, bias: np.ndarray, *, states: int
) -> Function:
    """A recurrent layer from its cell: one product of all rows with the kernel, then the loop."""
    _float32(config)
    _require(config, use_bias=True, return_state=False, stateful=False)
    kernel = _weight(weights, "cell/vars/0", None, len(bias))
    units, every_row, backwards = (
        config[name] for name in ("units", "return_sequences", "go_backwards")
    )

    def run(x: np.ndarray) -> np.ndarray:
        # Rows before windows, so that each step reads one stretch of memory.
        rows = np.ascontiguousarray(x.swapaxes(0, 1)[:: -1 if backwards else 1])
        now = (np.zeros((len(x), units)),) * states
        outputs = []
        for row in rows @ kernel + bias:
            now = cell(row, now)
            outputs.append(now[0])
        return np.stack(outputs, axis=1) if every_row else now[0]

    return run


def _bidirectional(config: Mapping[str, Any], weights: Weights) -> Function:
    _require(config, merge_mode="concat")
    forwards, backwards = (
        LAYERS[part["class_name"]](
            part["config"],
            {
                path.removeprefix(f"{name}/"): array
                for path, array in weights.items()
                if path.startswith(f"{name}/")
            },
        )
        for name, part in (
            ("forward_layer", config["layer"]),
            ("backward_layer", config["backward_layer"]),
        )
    )
    every_row = config["layer"]["config"]["return_sequences"]

    def run(x: np.ndarray) -> np.ndarray:
        other = backwards(x)
        return np.concatenate([forwards(x), other[:, ::-1] if every_row else other], axis=-1)

    return run


def _one_hot(config: Mapping[str, Any]) -> Function:
    _require(config, axis=-1, dtype="float32", sparse=False)
    table = np.eye(config["num_classes"])
    return lambda x: table[x]


LAYERS: dict[str, Callable[[Mapping[str, Any], Weights], Function]] = {
    "Activation": _activate,
    "Add": _add,
    "Bidirectional": _bidirectional,
    "Conv1D": _convolution,
    "Dense": _dense,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "GRU": _gru,
    "LSTM": _lstm,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "Reshape": _reshape,
    "SimpleRNN": _simple_rnn,
}

OPERATIONS: dict[str, Callable[[Mapping[str, Any]], Function]] = {
    "Add": lambda config: np.add,
    "Cast": lambda config: lambda x: x.astype(config["dtype"]),
    "Concatenate": lambda config: lambda parts: np.concatenate(parts, axis=config["axis"]),
    "Cumsum": lambda config: lambda x: np.cumsum(x, axis=config["axis"]),
    "Flip": lambda config: lambda x: np.flip(x, axis=config["axis"]),
    "GetItem": lambda config: lambda x, key: x[key],
    "OneHot": _one_hot,
    "Softplus": lambda config: lambda x: np.logaddexp(x, 0.0),
    "Subtract": lambda config: np.subtract,
}
