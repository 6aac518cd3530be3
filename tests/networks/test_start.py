"""What loading Keras leaves out, and that it can be had afterwards."""

from __future__ import annotations

import subprocess
import sys

START = """
import sys
from forecast.networks.training import prepare_backend
prepare_backend(1)
assert "tensorflow" in sys.modules
assert not {"sklearn", "matplotlib"} & set(sys.modules), "loaded for nothing"
import matplotlib, sklearn
prepare_backend(1)
assert sys.modules["sklearn"] is sklearn
"""


def test_keras_starts_without_what_it_needs_for_nothing():
    result = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
