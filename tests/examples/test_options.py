from __future__ import annotations

import pytest

from examples import echo
from examples.options import count


def test_counts_are_whole_and_positive(capsys):
    assert count("3") == 3
    for text in ("0", "-2", "1.5", "many"):
        with pytest.raises(SystemExit) as end:
            echo.main(["--epochs", text])
        assert end.value.code == 2
        assert "--epochs" in capsys.readouterr().err
