"""Scaling of features: fitted on the training part only, kept as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A standardised feature beyond this says "extreme" and no more: one day without volume must not
# drown the rest of the window.
_CLIP = 6.0


@dataclass(frozen=True)
class Scaler:
    """An affine map a feature: `(x - center) / scale`, cut off at ±`clip` if that is set.

    Attributes:
        center: one number a feature.
        scale: one number a feature, > 0.
        clip: bound of the scaled values, or None.
    """

    center: Sequence[float]
    scale: Sequence[float]
    clip: float | None = None

    def transform(self, features: np.ndarray) -> np.ndarray:
        """Scaled features, float32, same shape (rows, n_features)."""
        scaled = (features - np.array(self.center)) / np.array(self.scale)
        if self.clip is not None:
            scaled = np.clip(scaled, -self.clip, self.clip)
        return scaled.astype("float32")


def fit_standard(features: np.ndarray) -> Scaler:
    """Mean 0 and standard deviation 1 over the rows given; a constant feature becomes 0.

    Args:
        features: Rows of the training part only, shape (rows, n_features), no NaN.
    """
    from sklearn.preprocessing import StandardScaler

    fitted = StandardScaler().fit(features)
    return Scaler(fitted.mean_.tolist(), fitted.scale_.tolist(), _CLIP)


def fit_minmax(features: np.ndarray) -> Scaler:
    """Minimum 0 and maximum 1 over the rows given, as textbooks scale prices.

    Args:
        features: Rows of the training part only, shape (rows, n_features), no NaN.
    """
    from sklearn.preprocessing import MinMaxScaler

    fitted = MinMaxScaler().fit(features)
    return Scaler(fitted.data_min_.tolist(), (1.0 / fitted.scale_).tolist())
