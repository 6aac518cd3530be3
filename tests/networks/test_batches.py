"""The batches of one epoch after the other."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pandas as pd
import pytest

from forecast.features.windows import make_windows
from forecast.networks import epochs as module
from forecast.networks.batches import training_batches, validation_batches
from forecast.networks.training import fit


def epochs(scored, *, longest, many):
    windows = make_windows(
        np.zeros((410, 2), "float32"),
        np.zeros((410, 1), "float32"),
        pd.bdate_range("2020-01-01", periods=410),
        lookback=10,
        feature_names=["a", "b"],
    )
    drawn = training_batches(
        windows,
        scored=scored,
        batch=4,
        balanced=False,
        longest=longest,
        rng=np.random.default_rng(1),
    )
    return windows, list(islice(drawn, many))


def test_an_epoch_of_few_is_all_of_them():
    windows, drawn = epochs(20, longest=6, many=3)
    for epoch in drawn:
        scored = np.unique(np.concatenate(epoch)[:, None] + np.arange(20))
        assert len(scored) > len(windows) - 20 * 4
        assert len(epoch) == 5
    windows, drawn = epochs(None, longest=100, many=3)
    for epoch in drawn:
        assert len(np.unique(np.concatenate(epoch))) == len(windows)


@pytest.mark.parametrize(
    ("scored", "longest", "parts"), [(20, 5, 1), (20, 4, 2), (20, 2, 3), (None, 40, 3)]
)
def test_an_epoch_of_many_ends_sooner_and_the_next_goes_on(scored, longest, parts):
    _, whole = epochs(scored, longest=1000, many=2)
    _, drawn = epochs(scored, longest=longest, many=2 * parts)
    assert max(map(len, drawn)) <= longest
    for number, one in enumerate(whole):
        pieces = [
            batch for epoch in drawn[number * parts : (number + 1) * parts] for batch in epoch
        ]
        np.testing.assert_array_equal(pieces, one)


@pytest.mark.parametrize(("scored", "size"), [(20, 128), (None, 256)])
def test_validation_sees_every_window_once_in_order(scored, size):
    windows, _ = epochs(scored, longest=1, many=0)
    chosen = validation_batches(windows, scored=scored)
    assert max(map(len, chosen)) <= size
    seen = np.concatenate(chosen)
    if scored:
        seen = np.unique(seen[:, None] + np.arange(scored))
    np.testing.assert_array_equal(seen, np.arange(len(windows)))


@pytest.mark.parametrize(("least", "longest"), [(3, 3), (1, 2)])
def test_a_large_group_is_validated_before_all_of_it_was_trained_on(monkeypatch, least, longest):
    """Its 400 windows are validated in two batches: no fewer are trained on in between."""
    windows, _ = epochs(None, longest=1, many=0)
    asked = []

    def drawn(*given, longest, **settings):
        asked.append(longest)
        return training_batches(*given, longest=longest, **settings)

    assert len(windows) == 400
    monkeypatch.setattr(module, "LONGEST_EPOCH", least)
    monkeypatch.setattr(module, "training_batches", drawn)
    form = {"network": "dlinear", "units": (2,), "dropout": 0.0, "l2": 0.0, "learning_rate": None}
    fit(windows, windows, **form, epochs=1, patience=1, seed=1)
    assert asked == [longest]
