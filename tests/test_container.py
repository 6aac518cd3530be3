"""The container's recipe, as far as it can be checked without a container."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
LINES = [line for line in RECIPE.splitlines() if line and not line.startswith("#")]


def lines_of(instruction):
    return [line.split(" ", 1)[1] for line in LINES if line.startswith(f"{instruction} ")]


def test_everything_copied_is_there_and_let_in():
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for line in lines_of("COPY")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_the_python_is_pinned_and_the_user_has_no_rights():
    assert re.fullmatch(r"PYTHON=python:3\.11\.\d+-slim-\w+", lines_of("ARG")[0])
    assert lines_of("USER") == ["forecast"]
    after_user = RECIPE.split("\nUSER ")[1]
    assert "RUN" not in after_user


def test_the_libraries_are_those_of_the_project_and_of_the_scheduler(tmp_path):
    (line,) = (line for line in lines_of("RUN") if "requirements.txt" in line)
    python, _, snippet = shlex.split(line.split(" > ")[0])
    assert python == "python"
    told = subprocess.run(
        [sys.executable, "-c", snippet], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert told == project["dependencies"] + project["optional-dependencies"]["schedule"]


def test_what_it_starts_and_asks_exists():
    assert lines_of("ENTRYPOINT") == ['["tini", "--", "forecast"]']
    assert lines_of("CMD") == ['["schedule", "--foreground"]']
    (health,) = lines_of("HEALTHCHECK")
    (module,) = re.findall(r'"-m", "([\w.]+)"', health)
    assert (ROOT / (module.replace(".", "/") + ".py")).exists()
