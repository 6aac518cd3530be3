"""Encoder and decoder: the window is read to its end, then the coming sessions are written.

The decoder is given what is known of the coming sessions, their calendar. It never sees an
outcome: neither the true ones while training (there is no teacher forcing, so training and
inference are the same computation) nor its own forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forecast.networks.recurrent import stack_with_states

CONTEXTS = ("every", "initial")
"""How the decoder is told what the encoder has read."""


def seq2seq(
    inputs: Any,
    *,
    cell: str,
    bidirectional: bool = False,
    units: Sequence[int],
    dropout: float,
    l2: float,
    horizon: int,
    ahead: Any | None,
    context: str,
    fast: bool,
) -> Any:
    """A recurrent encoder over the window and a recurrent decoder over the steps ahead.

    With the context at every step (K. Cho et al. 2014, Learning Phrase Representations using RNN
    Encoder-Decoder) the encoder's last output stands beside the known inputs of each step, and the
    decoder starts from zero. With the context as initial state only (I. Sutskever et al. 2014,
    Sequence to Sequence Learning with Neural Networks) each layer of the decoder starts from the
    last state of the encoder's layer.

    Args:
        inputs: Keras tensor, shape (batch, lookback, n_features).
        cell: Keras's layer: `LSTM` or `GRU`.
        bidirectional: The encoder reads both ways; its joined states make the decoder twice as
            wide.
        units: Width of each layer, of the encoder and of the decoder.
        dropout: Share of each layer's outputs dropped while training.
        l2: Weight of the squared input kernels in the loss.
        horizon: Steps ahead.
        ahead: Known inputs of the steps ahead, Keras tensor, shape (batch, horizon, known), or
            None.
        context: One of `CONTEXTS`.
        fast: Use the layers made for training on the CPU.

    Returns:
        Keras tensor, shape (batch, horizon, width).

    Raises:
        ValueError: if the decoder is to read neither the context nor anything known.
    """
    from keras import layers, ops

    if context == "initial" and ahead is None:
        raise ValueError("with the context as initial state only, each step must have inputs.")
    settings: dict[str, Any] = {"cell": cell, "dropout": dropout, "l2": l2, "fast": fast}
    hidden, states = stack_with_states(
        inputs,
        bidirectional=bidirectional,
        units=units,
        every_step=False,
        states=context == "initial",
        name="encoder_",
        **settings,
    )
    steps = [] if ahead is None else [ahead]
    if context == "every":
        steps.append(layers.RepeatVector(horizon, name="context")(hidden))
    return stack_with_states(
        ops.concatenate(steps, axis=-1) if len(steps) > 1 else steps[0],
        units=[width * (1 + bidirectional) for width in units],
        every_step=True,
        start=states or None,
        name="decoder_",
        **settings,
    )[0]
