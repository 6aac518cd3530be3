from __future__ import annotations

import pytest

from examples import echo
from examples.options import count, seed


def test_counts_are_whole_and_positive(capsys):
    assert count("3") == 3
    for text in ("0", "-2", "1.5", "many"):
        with pytest.raises(SystemExit) as end:
            echo.main(["--epochs", text])
        assert end.value.code == 2
        assert "--epochs" in capsys.readouterr().err


def test_a_seed_is_one_that_numpy_takes(capsys):
    assert seed(str(2**32 - 1)) == 2**32 - 1
    for text in ("-1", str(2**32), "1.5"):
        with pytest.raises(SystemExit) as end:
            echo.main([f"--seed={text}"])
        assert end.value.code == 2
        assert "--seed" in capsys.readouterr().err
