"""The linear part of the forecast mean: what a cautious regression finds, before any training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.features.windows import Windows

# Ridge penalty of a prior that all features together explain 1 % of the variance of a daily
# return: (number of features) / PRIOR_R2, for features and targets of unit variance.
_PRIOR_R2 = 0.01
# One crash must not set the slopes.
_CLIP = 5.0


# Of the forecast that is given. Saying less loses some of the gain, and more of its noise: a
# planted AR(1) is then found significant far more often (docs/decisions/0052).
_SHARE = 1.0 / 3.0


def fit_linear(train: Windows, validation: Windows) -> np.ndarray:
    """Slopes of the targets on the last row of a window, shrunk three times.

    By the ridge penalty; by the slope of the validation outcomes on the forecast, cut off to
    [0, 1], which is near zero where the training part's slopes were noise; and to a third.

    Source: A. Hoerl, R. Kennard (1970), Ridge regression, Technometrics 12.

    Args:
        train: Windows of the training part; targets centred on zero.
        validation: Windows of the validation part.

    Returns:
        Shape (n_features, horizon).
    """
    from sklearn.linear_model import Ridge

    rows, outcomes = _last_rows(train)
    slopes = Ridge(alpha=rows.shape[1] / _PRIOR_R2).fit(rows, outcomes).coef_
    slopes = slopes.reshape(train.horizon, -1).T
    rows, outcomes = _last_rows(validation)
    forecast = rows @ slopes
    size = (forecast**2).sum(axis=0)
    away = outcomes - outcomes.mean(axis=0)
    agreement = (forecast * away).sum(axis=0) / np.maximum(size, 1e-12)
    return slopes * np.clip(agreement, 0.0, 1.0) * _SHARE


def without(windows: Windows, slopes: np.ndarray) -> Windows:
    """The same windows with targets less the linear part: what is left for a network to learn."""
    left = windows.targets - windows.features.astype("float64") @ slopes
    return replace(windows, targets=left.astype("float32"))


def _last_rows(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    rows = windows.features[windows.starts + windows.lookback - 1].astype("float64")
    return rows, np.clip(windows.y.astype("float64"), -_CLIP, _CLIP)
