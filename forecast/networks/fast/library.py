"""Where the compiled loop of the LSTM lies, and whether this machine can run it.

Read by `hatch_build.py` too, which compiles it, so it imports nothing of the program.
"""

from __future__ import annotations

import ctypes
import hashlib
import platform
import re
import sys
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("lstm.c")
MARK = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
"""In the name of the library: one compiled from another source is not found."""
PATH = SOURCE.with_name(f"_lstm_{MARK}.so")
FITS = sys.platform == "linux" and platform.machine() == "x86_64"
"""It is written for this system."""
NOT_COMPILED = "there was no C compiler when this program was installed"


@cache
def missing() -> str | None:
    """Why TensorFlow's own operation is used instead, or None if it is not."""
    has = _processor() if FITS else set()
    if "avx512f" in has:
        return "with AVX-512 it is faster than compiled C"
    if not {"avx2", "fma"} <= has:
        return "compiled C is for Linux on x86-64 with AVX2"
    if not PATH.exists():
        return NOT_COMPILED
    try:
        ctypes.CDLL(str(PATH))
    except OSError as error:
        return f"compiled C does not load: {error}"
    return None


def _processor() -> set[str]:
    """What it can do, as Linux names it."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    flags = re.search(r"^flags\s*:(.*)$", said, re.MULTILINE)
    return set(flags[1].split()) if flags else set()
