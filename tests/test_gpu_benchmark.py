"""The script for GPUs runs to its end where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_a_tiny_run_writes_its_tables(tmp_path):
    command = [sys.executable, SCRIPT, "--smoke", f"--out={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True)
    (document,) = (json.loads(file.read_text()) for file in tmp_path.glob("*.json"))
    assert document["steps"]
    assert all(row["steps_per_s"] > 0 for row in document["steps"])
    assert document["many"]["fit_s"] > 0
    (page,) = tmp_path.glob("*.md")
    assert "share of the limit" in page.read_text()
