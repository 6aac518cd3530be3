"""A saved network's forecasts without Keras: what `predict` starts in a tenth of the time.

A `.keras` file is a zip of the graph (`config.json`) and the weights (HDF5). Where every layer in
it is known here the outputs are computed in NumPy; else Keras loads it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from forecast.networks.forward.layers import LAYERS, OPERATIONS, Function, UnknownPart, Weights
from forecast.networks.products import one_thread


class Network(Protocol):
    """What gives outputs for windows: a `Forward`, or a keras.Model."""

    def predict_on_batch(self, windows: np.ndarray) -> Any:
        """Outputs, shape (n, horizon, outputs), of windows, shape (n, lookback, n_features)."""


@dataclass(frozen=True)
class _Reference:
    """The output of another node, as an argument."""

    node: str


@dataclass(frozen=True)
class _Node:
    """One layer or operation of the graph: its function and what it is called with."""

    name: str
    function: Function
    arguments: list[Any]


@dataclass(frozen=True)
class Forward:
    """A network in NumPy, float64.

    In double precision neither the number of windows in a batch nor the order of a sum reaches
    the digits of a price; Keras's float32 outputs differ by what they round.

    Attributes:
        window: Name of the input.
        nodes: In the order in which they can be computed; the last is the output.
    """

    window: str
    nodes: tuple[_Node, ...]

    def predict_on_batch(self, windows: np.ndarray) -> np.ndarray:
        """Outputs, shape (n, horizon, outputs), of windows, shape (n, lookback, n_features)."""
        values = {self.window: np.asarray(windows, dtype="float64")}
        with one_thread():
            for node in self.nodes:
                values[node.name] = node.function(*_filled(node.arguments, values))
        return values[self.nodes[-1].name]


def load_network(path: Path) -> Network:
    """The network in a `.keras` file: in NumPy where all of it is known here, else in Keras.

    The caller has verified the checksum. No code from the file is run.
    """
    try:
        return read_forward(path)
    except UnknownPart:
        from forecast.networks.training import load_model

        model: Network = load_model(path)
        return model


def read_forward(path: Path) -> Forward:
    """The network in a `.keras` file, in NumPy.

    Raises:
        UnknownPart: if a layer, operation or way to use one is not known here.
    """
    with zipfile.ZipFile(path) as file:
        document = json.loads(file.read("config.json"))
        content = file.read("model.weights.h5")
    if document.get("class_name") != "Functional":
        raise UnknownPart(f"a model of class {document.get('class_name')!r}")
    graph = document["config"]
    inputs, outputs = _names(graph["input_layers"]), _names(graph["output_layers"])
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnknownPart(f"{len(inputs)} inputs and {len(outputs)} outputs")
    nodes = tuple(_nodes(graph["layers"], _read_weights(content)))
    known = inputs.copy()
    for node in nodes:
        for argument in node.arguments:
            _require_known(argument, known)
        known.append(node.name)
    if known[-1] != outputs[0]:
        raise UnknownPart(f"an output {outputs[0]!r} that is not computed last")
    return Forward(inputs[0], nodes)


def _nodes(layers: list[dict[str, Any]], weights: Mapping[str, np.ndarray]) -> Iterator[_Node]:
    counts: dict[str, int] = {}
    for layer in layers:
        kind, config = layer["class_name"], layer["config"]
        if layer["module"].startswith("keras.src.ops."):
            if kind not in OPERATIONS:
                raise UnknownPart(f"the operation {kind}")
            function = OPERATIONS[kind](config)
        else:
            # Keras files a layer's weights under its class and a number, not its name.
            stem = _snake(kind)
            number = counts[stem] = counts.get(stem, -1) + 1
            if kind == "InputLayer":
                continue
            if layer["module"] != "keras.layers" or kind not in LAYERS:
                raise UnknownPart(f"the layer {layer['module']}.{kind}")
            folder = f"layers/{stem}_{number}/" if number else f"layers/{stem}/"
            function = LAYERS[kind](config, _below(weights, folder))
        yield _Node(layer["name"], function, _arguments(layer))


def _arguments(layer: dict[str, Any]) -> list[Any]:
    if len(layer["inbound_nodes"]) != 1:
        raise UnknownPart(f"{layer['name']}, used {len(layer['inbound_nodes'])} times")
    (call,) = layer["inbound_nodes"]
    odd = {name: value for name, value in call["kwargs"].items() if value not in (None, False)}
    if odd:
        raise UnknownPart(f"{layer['name']}, called with {', '.join(odd)}")
    return [_argument(value) for value in call["args"]]


def _argument(value: Any) -> Any:
    """An argument as `config.json` writes it: tensors, slices and lists of them."""
    if isinstance(value, list):
        return tuple(_argument(one) for one in value)
    if not isinstance(value, dict):
        return value
    kind, config = value["class_name"], value["config"]
    if kind == "__keras_tensor__":
        name, call, output = config["keras_history"]
        if (call, output) != (0, 0):
            raise UnknownPart(f"{name} with several calls or outputs")
        return _Reference(name)
    if kind == "__slice__":
        return slice(config["start"], config["stop"], config["step"])
    if kind == "__ellipsis__":
        return Ellipsis
    raise UnknownPart(f"an argument of class {kind}")


def _filled(argument: Any, values: Mapping[str, np.ndarray]) -> Any:
    if isinstance(argument, _Reference):
        return values[argument.node]
    if isinstance(argument, list | tuple):
        return tuple(_filled(one, values) for one in argument)
    return argument


def _require_known(argument: Any, known: list[str]) -> None:
    if isinstance(argument, tuple):
        for one in argument:
            _require_known(one, known)
    elif isinstance(argument, _Reference) and argument.node not in known:
        raise UnknownPart(f"{argument.node!r}, used before it is computed")


def _names(references: list[Any]) -> list[str]:
    """Names of the inputs or outputs; of a single one Keras writes no list of lists."""
    if references and isinstance(references[0], str):
        references = [references]
    return [name for name, _, _ in references]


def _read_weights(content: bytes) -> dict[str, np.ndarray]:
    """Path in the file → array, float64."""
    import h5py

    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()], dtype="float64")

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(keep)
    return found


def _below(weights: Mapping[str, np.ndarray], folder: str) -> Weights:
    return {
        name.removeprefix(folder): array
        for name, array in weights.items()
        if name.startswith(folder)
    }


def _snake(kind: str) -> str:
    """Keras's snake case: `InputLayer` → `input_layer`, `SimpleRNN` → `simple_rnn`."""
    import re

    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
