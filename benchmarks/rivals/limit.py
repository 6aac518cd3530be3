"""What the arithmetic allows: products of float32 matrices on all cores, and how many it takes."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LARGE = (1024, 1024, 1024)
RECURRENT = (64, 64, 256)
"""Rows × inputs × outputs: a batch of 64 through the recurrent weights of an LSTM of 64 units."""


def flops_per_step(n_features: int, units: Sequence[int], *, gates: int = 4) -> int:
    """Floating point operations to train stacked recurrent layers on one row.

    A layer's products take 2 · gates · units · (inputs + units) forward. Backward takes as much
    again for the weights and as much again for what went in, which the first layer's input does
    not need. The elementwise part and the output layer are left out.
    """
    total, inputs = -2 * gates * units[0] * n_features, n_features
    for width in units:
        total += 3 * 2 * gates * width * (inputs + width)
        inputs = width
    return total


def sgemm(shape: tuple[int, int, int], *, seconds: float = 0.25) -> float:
    """Floating point operations a second of NumPy's float32 product: the fastest of many calls."""
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    left = rng.random((rows, inner), dtype="float32")
    right = rng.random((inner, columns), dtype="float32")
    out = np.empty((rows, columns), "float32")
    # Short products are timed many at once: the clock itself takes time.
    repeats = max(1, round(2e8 / (rows * inner * columns)))
    best, stop = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < stop:
        begun = time.perf_counter()
        for _ in range(repeats):
            np.matmul(left, right, out=out)
        best = min(best, (time.perf_counter() - begun) / repeats)
    return 2.0 * rows * inner * columns / best


def limits() -> dict[str, float]:
    """Operations a second of a large product and of the recurrent one, and the cores."""
    return {"large": sgemm(LARGE), "recurrent": sgemm(RECURRENT), "cores": os.cpu_count() or 1}


def processor() -> str:
    """Its name, and whether it has AVX-512: shares of the limit differ with it."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = re.findall(r"^model name\s*: (.+)$", said, re.MULTILINE) or [platform.machine()]
    return f"{names[0].strip()} {'with' if 'avx512f' in said else 'without'} AVX-512"
