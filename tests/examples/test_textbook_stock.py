from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples import textbook_stock as textbook
from examples.textbook_picture import draw


@pytest.fixture
def told(aapl):
    """Forecasts as they would be: the textbook's a session late, without its leak too low."""
    close = aapl["close"].iloc[-201:]
    actual, last = close.to_numpy()[1:], close.to_numpy()[:-1]
    rng = np.random.default_rng(0)
    columns = {
        textbook.LEAKY: last * np.exp(rng.normal(0, 1e-4, 200)),
        textbook.HONEST: 0.8 * last,
        textbook.RIGHT: last,
        textbook.LAST: last,
        "actual": actual,
    }
    return pd.DataFrame(columns, index=close.index[1:])


def test_a_line_a_session_late_is_called_that(told):
    assert textbook.shifted(told, ticker="T").persistence
    told[textbook.LEAKY] = told["actual"] * 1.001
    assert not textbook.shifted(told, ticker="T").persistence


def test_the_picture_shows_every_line_and_error(told):
    picture = draw(told, ticker="T")
    whole, near, bars = picture.figure.axes
    assert (len(whole.lines), len(bars.patches)) == (3 + 3, 4)  # three leaders to labels
    assert len(near.lines) == 2
    assert picture.png().startswith(b"\x89PNG")


def test_scaled_windows_end_where_their_outcome_begins():
    prices = np.arange(1.0, 15.0)[:, None]
    windows = textbook.windows_of(
        prices, textbook.fit_minmax(prices), pd.bdate_range("2020-01-01", periods=14)
    )
    assert len(windows) == 4
    np.testing.assert_allclose(windows.gather(slice(None))[:, -1, 0], np.arange(9, 13) / 13)
    np.testing.assert_allclose(windows.y[:, 0], np.arange(10, 14) / 13)


def test_after_one_epoch_nothing_is_as_is_known(capsys):
    assert textbook.main(["--epochs", "1", "--ticker", "IBM"]) == 1
    said = capsys.readouterr().out
    assert [line.split("  ")[0] for line in said.splitlines()[2:6]] == [
        *textbook.WAYS,
        textbook.LAST,
    ]
    assert said.rstrip().endswith("NO")


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.trial) for seed in (2, 3))]
)
def test_comes_out_as_is_known(seed, tmp_path, capsys):
    file = tmp_path / "textbook.png"
    assert textbook.main(["--seed", str(seed), "--plot", str(file)]) == 0
    assert "This is persistence" in capsys.readouterr().out
    assert file.stat().st_size > 10_000
