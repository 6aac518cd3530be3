"""A home in which the first night has been: two tickers trained, a forecast of each on record."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from homes import FIRST_NIGHT, Home

from forecast.nightly.night import Night


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Night]:
    """The home after its first night, and what that night said; not to be changed.

    The processes of a test run share it: it is the one training of these tests.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home, said = Home(shared / "first_night", {}), shared / "first_night.json"
    with FileLock(shared / "first_night.lock"):
        if not said.exists():
            home.folder.mkdir()
            home.write()
            night = home.night(FIRST_NIGHT, workers=1)
            said.write_text(json.dumps(night.document))
    return home, Night(json.loads(said.read_text()), stopped=False)


@pytest.fixture
def home(first_night: tuple[Home, Night], tmp_path: Path) -> Home:
    """A copy of the home after its first night."""
    folder = tmp_path / "home"
    shutil.copytree(first_night[0].folder, folder)
    return Home(folder, {})
