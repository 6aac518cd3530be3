"""The linear part of the forecast mean: what a cautious regression finds, before any training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from forecast.features.windows import Windows

# Ridge penalty of a prior that all features together explain 1 % of the variance of a daily
# return: (number of features) / PRIOR_R2, for features and targets of unit variance.
_PRIOR_R2 = 0.01
# One crash must not set the slopes.
_CLIP = 5.0
_ROWS = 1 << 12
# Nor one ticker, which began to move after its unit was fitted, the training of all
# (docs/decisions/0230).
_LARGEST = 15.0


# Of the forecast that is given. Saying less loses some of the gain, and more of its noise: a
# planted AR(1) is then found significant far more often (docs/decisions/0052).
_SHARE = 1.0 / 3.0


def fit_linear(train: Windows, validation: Windows, *, first: int = 0) -> np.ndarray:
    """Slopes of the targets on the last row of a window, shrunk three times.

    By the ridge penalty; by the slope of the validation outcomes on the forecast, cut off to
    [0, 1], which is near zero where the training part's slopes were noise; and to a third.

    Source: A. Hoerl, R. Kennard (1970), Ridge regression, Technometrics 12.

    Args:
        train: Windows of the training part; targets centred on zero.
        validation: Windows of the validation part.
        first: Column of the first feature that may have a slope.

    Returns:
        Shape (n_features, horizon); 0 for what is known of the sessions ahead.
    """
    n_features = train.features.shape[1]
    products = _centred_products(train)
    slopes = np.zeros((n_features, train.horizon))
    own = n_features - train.horizon * train.known
    used = slice(first, own)
    prior = np.eye(own - first) * (own / _PRIOR_R2)
    slopes[used] = np.linalg.solve(products[used, used] + prior, products[used, n_features:])
    size, agreement = np.zeros(train.horizon), np.zeros(train.horizon)
    mean = np.clip(validation.y.astype("float64"), -_CLIP, _CLIP).mean(axis=0)
    for rows, outcomes in _last_rows(validation):
        forecast = rows @ slopes
        size += (forecast**2).sum(axis=0)
        agreement += (forecast * (outcomes - mean)).sum(axis=0)
    return slopes * np.clip(agreement / np.maximum(size, 1e-12), 0.0, 1.0) * _SHARE


def without(parts: Sequence[Windows], slopes: np.ndarray) -> list[Windows]:
    """The same windows with targets less the linear part: what is left for a network to learn.

    A target beyond ±15 counts as that, in units of the volatility; NaN stays NaN. For training and
    validation only: scored are the outcomes as they are.

    Args:
        parts: Of the same rows, as training and validation part mostly are, or not.
        slopes: As `fit_linear` gives them.
    """
    left: dict[tuple[int, int], np.ndarray] = {}
    for part in parts:
        rows = id(part.features), id(part.targets)
        if rows not in left:
            left[rows] = _left(part, slopes)
    return [replace(part, targets=left[id(part.features), id(part.targets)]) for part in parts]


def _left(windows: Windows, slopes: np.ndarray) -> np.ndarray:
    left = np.empty_like(windows.targets, dtype="float32")
    for first in range(0, len(left), _ROWS):
        some = slice(first, first + _ROWS)
        linear = windows.features[some].astype("float64") @ slopes
        left[some] = np.clip(windows.targets[some] - linear, -_LARGEST, _LARGEST)
    return left


def _centred_products(windows: Windows) -> np.ndarray:
    """Sums of products of features and outcomes about their means, some rows in memory at a time.

    Shape (n_features + horizon, n_features + horizon).
    """
    size = windows.features.shape[1] + windows.horizon
    total, products = np.zeros(size), np.zeros((size, size))
    for rows, outcomes in _last_rows(windows):
        both = np.hstack([rows, outcomes])
        total += both.sum(axis=0)
        products += both.T @ both
    return products - np.outer(total, total) / len(windows)


def _last_rows(windows: Windows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Last row and outcome of each window, as many at a time as `_ROWS`."""
    for first in range(0, len(windows), _ROWS):
        last = windows.starts[first : first + _ROWS] + windows.lookback - 1
        outcomes = np.clip(windows.targets[last].astype("float64"), -_CLIP, _CLIP)
        yield windows.features[last].astype("float64"), outcomes
