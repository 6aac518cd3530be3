from __future__ import annotations

import json

import numpy as np
import pytest

from forecast.errors import ArtifactError, ConfigError, NotEnoughBars
from forecast.features.inputs import Inputs, feature_rows, fit_inputs
from forecast.features.scaling import fit_minmax, fit_standard
from forecast.features.sets import DEFAULT_FEATURES
from forecast.features.splits import MIN_ORIGINS, chronological
from forecast.features.targets import (
    TARGETS,
    Prediction,
    fit_target,
    load_target,
    log_returns_ahead,
)


def fitted(bars, *, target="return", horizon=1, lookback=60):
    return fit_inputs(
        bars,
        ticker="T",
        feature_names=DEFAULT_FEATURES[target],
        lookback=lookback,
        horizon=horizon,
        target=target,
    )


@pytest.mark.parametrize("horizon", [1, 5])
def test_parts_are_in_order_and_purged_by_the_horizon(horizon):
    split = chronological(1000, horizon=horizon, sessions=1100, ticker="T")
    assert split.train == range(700 - horizon)
    assert split.validation == range(700, 850 - horizon)
    assert split.test == range(850, 1000)
    # The outcome of the last training origin is known before the first validation origin.
    assert split.train[-1] + horizon < split.validation[0]
    assert split.validation[-1] + horizon < split.test[0]


def test_too_short_a_history_says_how_many_sessions_it_needs():
    with pytest.raises(NotEnoughBars, match=r"at least 320 .*Received 319.*'lookback'"):
        chronological(MIN_ORIGINS - 1, horizon=1, sessions=319, ticker="T")
    chronological(MIN_ORIGINS, horizon=1, sessions=320, ticker="T")
    # What is asked for follows from the horizon: another window would not do.
    with pytest.raises(NotEnoughBars, match=r"or a smaller 'horizon'$"):
        chronological(MIN_ORIGINS, horizon=60, sessions=379, ticker="T")


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_fitted_sees_the_rows_after_the_training_part(target, aapl):
    inputs, split = fitted(aapl, target=target)
    last = inputs.windows(aapl, ticker="T").take(split.train).origin[-1]
    changed = aapl.copy()
    changed.loc[changed.index > last, ["open", "high", "low", "close"]] *= 3.0
    assert fitted(changed, target=target)[0] == inputs


def test_the_scaler_standardises_by_the_training_rows_alone(aapl):
    inputs, split = fitted(aapl)
    rows = feature_rows(aapl, inputs.feature_names, ticker="T").to_numpy()
    training = rows[: split.train.stop - 1 + 60]
    expected = np.clip((rows - training.mean(axis=0)) / training.std(axis=0), -6, 6)
    windows = inputs.windows(aapl, ticker="T")
    np.testing.assert_allclose(windows.features, expected, atol=1e-6)
    assert np.abs(expected).max() == 6


@pytest.mark.parametrize("target", ["return", "price"])
@pytest.mark.parametrize("horizon", [1, 3])
def test_decoding_the_encoded_outcome_gives_the_return(target, horizon, aapl):
    inputs, _ = fitted(aapl, target=target, horizon=horizon)
    windows = inputs.windows(aapl, ticker="T")
    outputs = np.repeat(windows.y.astype("float64")[:, :, None], 8, axis=2)
    prediction = inputs.decode(outputs, aapl, windows.origin)
    rows = aapl.index.get_indexer(windows.origin)
    expected = log_returns_ahead(aapl["close"], horizon=horizon)[rows]
    assert isinstance(prediction, Prediction)
    np.testing.assert_allclose(prediction.point, expected, atol=2e-5)
    np.testing.assert_allclose(prediction.quantiles[..., 3], expected, atol=2e-5)


def test_saved_inputs_prepare_the_same_windows(aapl):
    inputs, _ = fitted(aapl)
    again = Inputs.from_document(json.loads(json.dumps(inputs.as_document())))
    np.testing.assert_array_equal(
        again.windows(aapl, ticker="T").features, inputs.windows(aapl, ticker="T").features
    )


def test_saved_inputs_with_a_feature_of_another_version_are_refused(aapl):
    document = fitted(aapl)[0].as_document() | {"feature_names": ["moon_phase"]}
    with pytest.raises(ConfigError, match="moon_phase"):
        Inputs.from_document(document)


def test_the_newest_window_ends_with_the_last_bar(aapl):
    inputs, _ = fitted(aapl)
    newest = inputs.newest(aapl, ticker="T")
    assert newest.origin.tolist() == [aapl.index[-1]]
    # The same window, found in a history that goes on, is bit-identical.
    earlier = inputs.newest(aapl.iloc[:2000], ticker="T").gather(slice(None))[0]
    windows = inputs.windows(aapl, ticker="T")
    at = windows.origin.get_loc(aapl.index[1999])
    np.testing.assert_array_equal(windows.gather(np.array([at]))[0], earlier)


def test_the_newest_windows_go_back_from_the_last_bar(aapl):
    inputs, _ = fitted(aapl)
    many = inputs.newest(aapl, ticker="T", count=5)
    assert many.origin.tolist() == aapl.index[-5:].tolist()
    whole = inputs.windows(aapl, ticker="T")
    np.testing.assert_array_equal(many.gather(slice(0, 4)), whole.gather(slice(-4, None)))
    assert len(inputs.newest(aapl.iloc[:140], ticker="T", count=99)) == 140 - 66 - 60 + 2


def test_the_newest_window_of_a_short_history_says_what_it_needs(aapl):
    inputs, _ = fitted(aapl)
    with pytest.raises(NotEnoughBars, match="Received 100"):
        inputs.newest(aapl.iloc[:100], ticker="T")


def test_minmax_and_standard_scale_by_hand():
    rows = np.array([[1.0, 7.0], [3.0, 7.0]])
    assert fit_minmax(rows).transform(np.array([[2.0, 7.0]])).tolist() == [[0.5, 0.0]]
    assert fit_standard(rows).transform(np.array([[3.0, 7.0]])).tolist() == [[1.0, 0.0]]
    assert fit_standard(rows).transform(np.array([[1e9, 7.0]])).tolist() == [[6.0, 0.0]]


def test_targets_by_hand():
    known = {"returns": np.full((2, 1), np.nan), "unit": np.ones(2)}
    price = fit_target("price", np.array([10.0, 30.0]), **known)
    encoded = price.encode(np.log([[2.0]]), unit=np.array([0.1]), close=np.array([10.0]))
    np.testing.assert_allclose(encoded, 0.5)
    assert load_target(price.as_document()) == price
    returns = fit_target("return", np.array([10.0, 30.0]), **known)
    # Two sessions ahead the unit grows by the root of two.
    np.testing.assert_allclose(
        returns.encode(np.array([[0.1, 0.1]]), unit=np.array([0.1]), close=np.array([1.0])),
        [[1.0, 1 / np.sqrt(2)]],
    )
    with pytest.raises(ValueError, match="target must be one of"):
        fit_target("mood", np.array([1.0]), **known)


@pytest.mark.parametrize(
    "asked",
    [
        {"feature_names": ("close",), "target": "price"},
        {"feature_names": ("close", "return_1", "true_range_5"), "target": "return"},
    ],
)
def test_a_split_since_training_changes_no_forecast(aapl, asked):
    inputs, split = fit_inputs(aapl, ticker="T", lookback=20, horizon=1, **asked)
    halved = aapl.copy()
    halved[["open", "high", "low", "close"]] /= 4
    outputs = np.random.default_rng(1).normal(0.5, 0.1, (len(split.test), 1, 8))
    told = []
    for bars in (aapl, halved):
        windows = inputs.windows(bars, ticker="T")
        test = windows.take(split.test)
        newest = inputs.newest(bars, ticker="T")
        point = inputs.decode(outputs, bars, test.origin).point
        told.append((windows.features, windows.y, newest.features, point))
    for before, after in zip(*told, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-9)


def test_prices_that_begin_later_than_those_of_the_training_are_refused(aapl):
    inputs, _ = fitted(aapl, target="price")
    with pytest.raises(ArtifactError, match=f"bars from {aapl.index[0]:%Y-%m-%d} on"):
        inputs.newest(aapl.iloc[1:], ticker="T")
    # Returns and ratios are the same in any money.
    fitted(aapl)[0].newest(aapl.iloc[1:], ticker="T")
