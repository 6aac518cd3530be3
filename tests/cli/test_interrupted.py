"""Ctrl-C: 130, wherever it came."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import ModuleType

import pytest

from forecast.__main__ import main


def test_an_interrupt_while_the_program_is_imported_ends_it_as_any_other(monkeypatch, capsys):
    class Interrupted(ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "forecast.cli", Interrupted("forecast.cli"))
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def _importing(failure, *, pressed):
    """A module whose import fails, as that of a library's compiled part does after Ctrl-C."""

    class Failing(ModuleType):
        def __getattr__(self, name):
            try:
                if pressed:
                    signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                pass
            raise failure

    return Failing("forecast.cli")


def test_an_interrupt_that_a_library_turned_into_an_import_error(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGINT)
    failing = _importing(ImportError("numpy._core.umath failed to import"), pressed=True)
    monkeypatch.setitem(sys.modules, "forecast.cli", failing)
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_import_error_of_its_own_is_not_taken_for_an_interrupt(monkeypatch):
    failing = _importing(ImportError("no module"), pressed=False)
    monkeypatch.setitem(sys.modules, "forecast.cli", failing)
    with pytest.raises(ImportError, match="no module"):
        main()


def test_an_interrupt_out_of_code_made_from_a_text_is_no_death_by_a_signal(tmp_path):
    (tmp_path / "interrupted.py").write_text(
        "import forecast.cli\n"
        "from forecast.__main__ import main\n"
        "forecast.cli.main = lambda: exec('raise KeyboardInterrupt')\n"
        "main()\n"
    )
    program = [sys.executable, "-m", "interrupted"]
    assert subprocess.run(program, cwd=tmp_path, check=False).returncode == 130


def test_an_interrupt_after_the_work_changes_nothing(tmp_path):
    (tmp_path / "late.py").write_text(
        "import os, signal\n"
        "import forecast.cli\n"
        "from forecast.__main__ import main\n"
        "class Late:\n"
        "    def __del__(self, kill=os.kill, number=signal.SIGINT, own=os.getpid()):\n"
        "        kill(own, number)\n"
        "late = Late()\n"
        "forecast.cli.main = lambda: None\n"
        "main()\n"
    )
    program = [sys.executable, "-m", "late"]
    assert subprocess.run(program, cwd=tmp_path, check=False).returncode == 0
