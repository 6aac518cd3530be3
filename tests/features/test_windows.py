from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.features.windows import RowTable, concatenate, make_windows, take_of_each


def windows_of(rows, *, lookback, horizon, start=0.0):
    features = (start + np.arange(rows * 2, dtype="float32")).reshape(rows, 2)
    targets = np.full((rows, horizon), np.nan)
    targets[: max(rows - horizon, 0)] = np.arange(max(rows - horizon, 0))[:, None] + start
    sessions = pd.bdate_range("2020-01-01", periods=rows)
    return make_windows(features, targets, sessions, lookback=lookback, feature_names=["a", "b"])


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 10))
def test_count_origins_and_rows(rows, lookback, horizon):
    windows = windows_of(rows, lookback=lookback, horizon=horizon)
    assert len(windows) == max(rows - lookback - horizon + 1, 0)
    if len(windows):
        gathered = windows.gather(slice(None))
        assert gathered.shape == (len(windows), lookback, 2)
        np.testing.assert_array_equal(gathered[:, -1, 0], 2 * windows.y[:, 0])
        assert not np.isnan(windows.y).any()
        assert windows.origin[0] == pd.bdate_range("2020-01-01", periods=rows)[lookback - 1]


@given(st.integers(30, 60), st.integers(30, 60), st.integers(2, 10))
def test_no_window_crosses_from_one_ticker_to_the_next(first, second, lookback):
    parts = [
        windows_of(first, lookback=lookback, horizon=1),
        windows_of(second, lookback=lookback, horizon=1, start=1e6),
    ]
    joined = concatenate(parts)
    assert len(joined) == len(parts[0]) + len(parts[1])
    gathered = joined.gather(slice(None))
    own = gathered < 1e6
    assert (own.all(axis=(1, 2)) | ~own.any(axis=(1, 2))).all()
    np.testing.assert_array_equal(joined.y, np.concatenate([part.y for part in parts]))
    assert joined.runs() == [(0, len(parts[0])), (first, len(parts[1]))]


def test_take_keeps_the_rows_and_drops_windows():
    windows = windows_of(30, lookback=5, horizon=1)
    some = windows.take(range(3, 6))
    assert some.features is windows.features
    assert some.origin.tolist() == windows.origin[3:6].tolist()
    assert some.runs() == [(3, 3)]


def test_windows_of_different_shape_cannot_be_joined():
    with pytest.raises(ValueError, match="different lookback"):
        concatenate([windows_of(30, lookback=5, horizon=1), windows_of(30, lookback=6, horizon=1)])


def test_all_tickers_share_one_table_of_rows():
    parts = [
        windows_of(30, lookback=4, horizon=2),
        windows_of(40, lookback=4, horizon=2, start=1e6),
    ]
    table = RowTable(sum(len(part.features) for part in parts) + 10)
    views = [table.move(part) for part in parts]
    whole = table.whole()
    joined = concatenate(parts)
    for name in ("features", "targets", "starts"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(joined, name))
    assert whole.origin.equals(joined.origin)
    for part, view in zip(parts, views, strict=True):
        assert np.shares_memory(view.features, whole.features)
        assert np.shares_memory(view.targets, whole.targets)
        np.testing.assert_array_equal(view.gather(slice(None)), part.gather(slice(None)))
        np.testing.assert_array_equal(view.y, part.y)
    chosen = [range(3, 9), range(20, 22)]
    taken = take_of_each(whole, [len(part) for part in parts], chosen)
    expected = concatenate([part.take(own) for part, own in zip(parts, chosen, strict=True)])
    assert taken.features is whole.features
    np.testing.assert_array_equal(taken.gather(slice(None)), expected.gather(slice(None)))
    np.testing.assert_array_equal(taken.y, expected.y)
    assert taken.origin.equals(expected.origin)
    assert [count for _, count in taken.runs()] == [6, 2]


def test_one_ticker_is_not_copied():
    part = windows_of(30, lookback=4, horizon=1)
    assert concatenate([part]) is part


def test_a_table_takes_what_fits_and_is_alike():
    table = RowTable(50)
    table.move(windows_of(30, lookback=4, horizon=1))
    with pytest.raises(ValueError, match="different lookback"):
        table.move(windows_of(10, lookback=5, horizon=1))
    with pytest.raises(ValueError, match="broadcast"):
        table.move(windows_of(30, lookback=4, horizon=1))
    assert len(table.whole()) == 26
