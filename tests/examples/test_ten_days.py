from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples import ten_days


def test_changes_since_the_session_before():
    bars = pd.DataFrame(
        {"open": [10.0, 22.0], "close": [20.0, 10.0], "volume": [0.0, np.e - 1.0]},
        index=pd.bdate_range("2020-01-01", periods=2),
    )
    np.testing.assert_allclose(
        ten_days.changes(bars), [[np.log(22.0 / 20.0), np.log(10.0 / 20.0), 1.0]]
    )


def test_windows_scales_and_targets_know_the_training_part_alone(aapl):
    windows, split, unit = ten_days.ten_day_windows(aapl, ticker="T")
    other = aapl.copy()
    other.iloc[-400:] *= 7.0
    same, _, same_unit = ten_days.ten_day_windows(other, ticker="T")
    assert unit == same_unit
    train = windows.take(split.train)
    np.testing.assert_array_equal(
        train.gather(slice(None)), same.take(split.train).gather(slice(None))
    )
    at = aapl.index.get_loc(train.origin[5])
    came = np.log(aapl["close"].iloc[at + 1] / aapl["close"].iloc[at])
    assert train.y[5, 0] * unit == pytest.approx(came, rel=1e-5)


def test_says_how_it_stands_beside_last_close(capsys):
    assert ten_days.main(["--epochs", "1", "--network", "simple_rnn"]) == 0
    said = capsys.readouterr().out
    assert "last close" in said
    assert "Diebold-Mariano" in said


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_is_no_worse_than_last_close(seed):
    assert ten_days.main(["--seed", str(seed)]) == 0
