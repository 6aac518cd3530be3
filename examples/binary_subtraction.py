"""Four-bit subtraction, an output at each step: the network must find out what a borrow is.

The bits come least significant first, one of each number a step; at every step the network says
whether the difference has a 0 or a 1 there. That follows from the two bits and the borrow, which is
nowhere but in the network's state. As in the texts it learns from all 136 valid pairs; with
`--held-out 36` it is asked for pairs that it never saw.

    python -m examples.binary_subtraction [--network lstm] [--seed 7] [--epochs 400] [--held-out N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from examples.options import count, seed
from forecast.networks.architectures import NETWORKS, build
from forecast.networks.heads import classes
from forecast.networks.training import prepare_backend

BITS = 4
HEAD = classes(2)


def bits_of(numbers: np.ndarray) -> np.ndarray:
    """Bits, least significant first: shape (n,) → (n, BITS), float32."""
    return (numbers[:, None] >> np.arange(BITS) & 1).astype("float32")


def number_of(bits: np.ndarray) -> np.ndarray:
    """Numbers from bits, shape (n, BITS) → (n,)."""
    return bits.astype(int) @ (1 << np.arange(BITS))


def valid_pairs() -> tuple[np.ndarray, np.ndarray]:
    """All a and b with a >= b, so that the difference needs no sign; 136 of each."""
    a, b = np.divmod(np.arange(4**BITS), 2**BITS)
    return a[a >= b], b[a >= b]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, then subtract all 136 pairs; 1 unless every pair learnt from comes out right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    causal = [name for name, network in NETWORKS.items() if network.causal]
    parser.add_argument("--network", choices=causal, default="lstm")
    parser.add_argument("--seed", type=seed, default=7)
    parser.add_argument("--epochs", type=count, default=400)
    parser.add_argument("--held-out", type=int, choices=range(101), default=0, metavar="N")
    options = parser.parse_args(arguments)
    prepare_backend(options.seed)
    a, b = valid_pairs()
    x = np.stack([bits_of(a), bits_of(b)], axis=-1)  # (pairs, BITS, 2)
    y = bits_of(a - b)[..., None, None]  # one step ahead, one class number: (pairs, BITS, 1, 1)
    order = np.random.default_rng(options.seed).permutation(len(a))
    held_out, train = order[: options.held_out], order[options.held_out :]
    model = build(
        options.network, head=HEAD, n_features=2, horizon=1, units=(16,), scored=BITS, lookback=BITS
    )
    model.compile("adam", loss=HEAD.loss())
    model.optimizer.learning_rate = 1e-2
    for _ in range(options.epochs):
        loss = model.train_on_batch(x[train], y[train])
    odds = np.asarray(model.predict_on_batch(x), dtype="float64")[:, :, 0]
    told = number_of(HEAD.answer(odds).argmax(axis=-1))
    right = told == a - b
    print(f"{options.network}, {options.epochs} epochs, last loss {float(loss):.4f}")
    print(f"right: {right[train].sum()} of the {len(train)} pairs learnt from")
    if len(held_out):
        print(f"right: {right[held_out].sum()} of the {len(held_out)} pairs never seen")
    for pair in (held_out if len(held_out) else train)[:3]:
        print(f"{a[pair]:2d} - {b[pair]:2d} = {told[pair]:2d}")
    return int(not right[train].all())


if __name__ == "__main__":
    sys.exit(main())
