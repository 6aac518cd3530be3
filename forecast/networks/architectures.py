"""Every network by its name, and the one way to build it with a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

from forecast.networks.dlinear import dlinear
from forecast.networks.embedding import embedded
from forecast.networks.fast import last_rows
from forecast.networks.heads import Head, answers, head_of
from forecast.networks.recurrent import stack
from forecast.networks.seq2seq import seq2seq
from forecast.networks.tcn import tcn
from forecast.networks.transformer import transformer


@dataclass(frozen=True)
class Network:
    """One way to read a window.

    Attributes:
        build: (inputs, units, dropout, l2) → hidden tensor; it is also given what it has a
            parameter for of `every_step`, `lookback`, `horizon`, `ahead`, `context` and
            `fast`.
        causal: Step *t* of the output depends on rows up to *t* alone, so that the network may be
            trained on every step.
        learning_rate: With which training begins, unless another is asked for.
        decodes: The hidden tensor has a row a step ahead, shape (batch, horizon, width), made with
            the known inputs of the sessions ahead.
    """

    build: Callable[..., Any]
    causal: bool
    learning_rate: float = 3e-3
    decodes: bool = False

    @property
    def compiled(self) -> bool:
        """Whether XLA has something to gain on the CPU: a loop that is no operation by itself."""
        return getattr(self.build, "keywords", {}).get("cell") in ("SimpleRNN", "GRU")

    def takes(self, parameter: str) -> bool:
        """Whether `build` has this parameter."""
        return parameter in signature(self.build).parameters


NETWORKS: dict[str, Network] = {
    "simple_rnn": Network(partial(stack, cell="SimpleRNN"), causal=True),
    "lstm": Network(partial(stack, cell="LSTM"), causal=True, learning_rate=8e-3),
    "gru": Network(partial(stack, cell="GRU"), causal=True, learning_rate=8e-3),
    "bilstm": Network(partial(stack, cell="LSTM", bidirectional=True), causal=False),
    "bigru": Network(partial(stack, cell="GRU", bidirectional=True), causal=False),
    "seq2seq_lstm": Network(partial(seq2seq, cell="LSTM"), causal=False, decodes=True),
    "seq2seq_gru": Network(partial(seq2seq, cell="GRU"), causal=False, decodes=True),
    "seq2seq_bilstm": Network(
        partial(seq2seq, cell="LSTM", bidirectional=True), causal=False, decodes=True
    ),
    "seq2seq_bigru": Network(
        partial(seq2seq, cell="GRU", bidirectional=True), causal=False, decodes=True
    ),
    "tcn": Network(tcn, causal=True),
    "transformer": Network(transformer, causal=False),
    "dlinear": Network(dlinear, causal=False),
}


OUTPUT_STEPS = ("last", "every")
"""What a network is trained on: the output at the last step of each window, or at every step."""


def build(
    network: str,
    *,
    n_features: int,
    horizon: int,
    lookback: int | None = None,
    known: int = 0,
    context: str = "every",
    head: str | Head = "quantiles",
    units: Sequence[int] = (64, 64),
    dropout: float = 0.0,
    l2: float = 0.0,
    scored: int | None = None,
    start: Sequence[Sequence[float]] | None = None,
    linear: Sequence[Sequence[float]] | None = None,
    embedding: tuple[int, int] | None = None,
    fast: bool = False,
) -> Any:
    """A network with a head.

    Args:
        network: Key of `NETWORKS`.
        n_features: Columns of a window.
        horizon: Steps ahead.
        lookback: Rows a window; None will do for a network that reads windows of any length.
        known: Inputs of each session ahead, in the last `horizon * known` of a row's columns; a
            network that decodes reads those of a window's last row.
        context: One of `seq2seq.CONTEXTS`.
        head: Key of `HEADS`, or a head.
        units: Width of each layer.
        dropout: In [0, 1).
        l2: >= 0.
        scored: None for the forecast at the last row; a number to train a causal network on that
            many last steps at once.
        start: Biases of the untrained head, as its `start` gives them, shape (horizon, outputs);
            None for its `untrained`.
        linear: Slopes of the forecast's location on the last row, which training leaves as they
            are, shape (n_features, horizon); None for no such part.
        embedding: How many tickers have a number, and the width of what is learnt of each, see
            `networks.embedding`; None where the first column is a feature as any other.
        fast: Use the layers made for training on the CPU.

    Returns:
        keras.Model, (batch, lookback, n_features) → (batch, horizon, outputs), or with `scored`
        (batch, steps, n_features) → (batch, scored, horizon, outputs). The weights are the same in
        number and order either way.

    Raises:
        ValueError: if `scored` is asked of a network that is not causal, or `lookback` is missing.
    """
    import keras

    kind, ending = NETWORKS[network], head_of(head)
    if scored and not kind.causal:
        raise ValueError(f"{network} sees later rows: it cannot be trained on every step.")
    if lookback is None and kind.takes("lookback"):
        raise ValueError(f"{network} is made for windows of one length: it needs a lookback.")
    fixed = kind.takes("lookback") and not kind.causal
    inputs = keras.Input((lookback if fixed else None, n_features), name="window")
    rows, ahead = inputs, None
    if known:
        ahead = keras.layers.Reshape((horizon, known), name="ahead")(
            inputs[:, -1, -horizon * known :]
        )
        rows = inputs[..., : -horizon * known]
    if embedding is not None:
        tickers, width = embedding
        rows = embedded(rows, tickers=tickers, width=width)
    offered: dict[str, Any] = {
        "every_step": bool(scored),
        "lookback": lookback,
        "horizon": horizon,
        "ahead": ahead,
        "context": context,
        "fast": fast,
    }
    hidden = kind.build(
        rows,
        units=units,
        dropout=dropout,
        l2=l2,
        **{name: value for name, value in offered.items() if kind.takes(name)},
    )
    if scored:
        hidden = last_rows(hidden, scored) if fast else hidden[:, -scored:]
    location = None
    if linear is not None:
        last = inputs[:, -scored:] if scored else inputs[:, -1]
        kernel = keras.initializers.Constant([list(slopes) for slopes in linear])
        location = keras.layers.Dense(
            horizon, use_bias=False, kernel_initializer=kernel, trainable=False, name="linear"
        )(last)
        shape = (-1, horizon, 1) if scored else (horizon, 1)
        location = keras.layers.Reshape(shape, dtype="float32", name="location")(location)
    raw = answers(
        hidden,
        horizon=horizon,
        outputs=ending.outputs,
        every_step=bool(scored),
        decoded=kind.decodes,
        biases=start if start is not None else [ending.untrained] * horizon,
    )
    return keras.Model(inputs, ending.finish(raw, location), name=network)
