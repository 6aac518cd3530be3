"""Scaling of features: fitted on the training part only, kept as plain numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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

    center: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float | None = None

    def transform(self, features: np.ndarray) -> np.ndarray:
        """Scaled features, float32, same shape (rows, n_features)."""
        scaled = (features - np.array(self.center)) / np.array(self.scale)
        if self.clip is not None:
            scaled = np.clip(scaled, -self.clip, self.clip)
        return scaled.astype("float32")

    def as_document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Scaler:
        """From what `as_document` gave."""
        return cls(tuple(document["center"]), tuple(document["scale"]), document["clip"])


def fit_standard(features: np.ndarray) -> Scaler:
    """Mean 0 and standard deviation 1 over the rows given; a constant feature becomes 0.

    Args:
        features: Rows of the training part only, shape (rows, n_features), no NaN.
    """
    from sklearn.preprocessing import StandardScaler

    fitted = StandardScaler().fit(features)
    return Scaler(tuple(fitted.mean_.tolist()), tuple(fitted.scale_.tolist()), _CLIP)


def fit_minmax(features: np.ndarray) -> Scaler:
    """Minimum 0 and maximum 1 over the rows given, as textbooks scale prices.

    Args:
        features: Rows of the training part only, shape (rows, n_features), no NaN.
    """
    from sklearn.preprocessing import MinMaxScaler

    fitted = MinMaxScaler().fit(features)
    return Scaler(tuple(fitted.data_min_.tolist()), tuple((1.0 / fitted.scale_).tolist()))
