"""The batches of one epoch after the other."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd
import pytest

from forecast.features.windows import make_windows
from forecast.networks import batches
from forecast.networks.batches import training_batches


def epochs(scored, *, many=4):
    windows = make_windows(
        np.zeros((410, 2), "float32"),
        np.zeros((410, 1), "float32"),
        pd.bdate_range("2020-01-01", periods=410),
        lookback=10,
        feature_names=["a", "b"],
    )
    rng = np.random.default_rng(1)
    drawn = training_batches(windows, scored=scored, batch=4, balanced=False, rng=rng)
    return windows, list(islice(drawn, many))


def test_an_epoch_of_few_slices_is_all_of_them():
    windows, drawn = epochs(20)
    for epoch in drawn:
        scored = np.unique(np.concatenate(epoch)[:, None] + np.arange(20))
        assert len(scored) > len(windows) - 20 * 4
        assert len(epoch) == 5


@pytest.mark.parametrize(("longest", "parts"), [(5, 1), (4, 2), (2, 3)])
def test_an_epoch_of_many_slices_ends_sooner_and_the_next_goes_on(monkeypatch, longest, parts):
    _, whole = epochs(20, many=2)
    monkeypatch.setattr(batches, "LONGEST_EPOCH", longest)
    _, drawn = epochs(20, many=2 * parts)
    assert max(map(len, drawn)) <= longest
    for number, one in enumerate(whole):
        pieces = [batch for epoch in drawn[number * parts : (number + 1) * parts] for batch in epoch]
        np.testing.assert_array_equal(pieces, one)


def test_an_epoch_of_windows_is_all_of_them_however_many(monkeypatch):
    monkeypatch.setattr(batches, "LONGEST_EPOCH", 2)
    windows, drawn = epochs(None)
    for epoch in drawn:
        assert len(epoch) == len(windows) // 4
        assert len(np.unique(np.concatenate(epoch))) == 4 * len(epoch)
