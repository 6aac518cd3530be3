from __future__ import annotations

import numpy as np
import pytest

from examples import echo


@pytest.mark.parametrize("delay", [1, 4])
def test_the_answer_is_in_the_window_but_not_in_its_last_row(delay):
    windows = echo.echo_windows(40, delay=delay, rng=np.random.default_rng(0))
    assert len(windows) == 40 - echo.LOOKBACK
    inside = windows.gather(slice(None))[:, -1 - delay, 0]
    np.testing.assert_array_equal(windows.y[:, 0], inside)


def test_a_network_that_has_learnt_nothing_misses_the_goal(capsys):
    assert echo.main(["--epochs", "1", "--seed", "1"]) == 1
    assert "R²" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reaches_its_figure(seed):
    assert echo.main(["--seed", str(seed)]) == 0
