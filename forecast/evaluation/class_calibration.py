"""Class probabilities that mean what they say: log odds rescaled on the validation part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Prior standard deviations: how far the validation part may take them from 1 and from 0.
_OF_SLOPE, _OF_SHIFT = 0.5, 0.1
_MOST_SLOPE = 3.0
_LEAST = 1e-12


@dataclass(frozen=True)
class ClassCalibration:
    """How the probabilities of each step are rescaled.

    Attributes:
        priors: Log of each class's share of the training part, shape (horizon, classes).
        slopes: On what a forecast says beyond the priors, in [0, 3], shape (horizon,); 1 over the
            temperature.
        shifts: Added to the log probabilities, shape (horizon, classes).
    """

    priors: np.ndarray
    slopes: np.ndarray
    shifts: np.ndarray

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, shape (n, horizon, classes), as those given."""
        return np.asarray(
            np.stack(
                [
                    np.exp(_log_probabilities(own, prior, slope, shift))
                    for own, prior, slope, shift in zip(
                        probabilities.swapaxes(0, 1),
                        self.priors,
                        self.slopes,
                        self.shifts,
                        strict=True,
                    )
                ],
                axis=1,
            )
        )

    def as_document(self) -> dict[str, Any]:
        """As JSON; `class_calibration_from` gives it back bit for bit."""
        return {
            "priors": self.priors.tolist(),
            "slopes": self.slopes.tolist(),
            "shifts": self.shifts.tolist(),
        }


def class_calibration_from(document: dict[str, Any]) -> ClassCalibration:
    """The calibration that `as_document` gave."""
    return ClassCalibration(
        *(np.array(document[name], dtype="float64") for name in ("priors", "slopes", "shifts"))
    )


def pooled_calibration(parts: Sequence[ClassCalibration]) -> ClassCalibration:
    """What stands in for a ticker's own: the median of each number, shares adding up to one."""
    priors, slopes, shifts = (
        np.median([getattr(one, name) for one in parts], axis=0)
        for name in ("priors", "slopes", "shifts")
    )
    priors -= np.log(np.exp(priors).sum(axis=-1, keepdims=True))
    return ClassCalibration(priors, slopes, shifts)


def fit_class_calibration(
    probabilities: np.ndarray, came: np.ndarray, shares: np.ndarray
) -> ClassCalibration:
    """The calibration under which the outcomes of the validation part are likeliest.

    For each step the log probabilities' distance from the log shares is multiplied by a slope (a
    temperature) and a shift is added for each class, by maximum likelihood with a normal prior
    around "as it is": a slope of 1 ± 0.5 and shifts of 0 ± 0.1. A slope of 0 gives the shares of
    the training part: what a network without knowledge should say.

    Source: C. Guo et al. (2017), On calibration of modern neural networks, ICML (temperature and
    vector scaling); J. Platt (1999), Probabilistic outputs for support vector machines (priors).
    Deviation: around the log shares, not around equal odds.

    Args:
        probabilities: Of the validation part, shape (n, horizon, classes).
        came: Class numbers, shape (n, horizon).
        shares: Of the classes in the training part, > 0, shape (horizon, classes).
    """
    priors = np.log(shares)
    fitted = [
        _fit_step(probabilities[:, step], came[:, step].astype(int), priors[step], step + 1)
        for step in range(len(priors))
    ]
    return ClassCalibration(
        priors,
        np.array([slope for slope, _ in fitted]),
        np.stack([shift for _, shift in fitted]),
    )


def _fit_step(
    probabilities: np.ndarray, came: np.ndarray, prior: np.ndarray, step: int
) -> tuple[float, np.ndarray]:
    from scipy.optimize import minimize

    # A shift common to all classes changes nothing: the first one has none.
    def unpacked(values: np.ndarray) -> tuple[float, np.ndarray]:
        return float(values[0]), np.r_[0.0, values[1:]]

    def cost(values: np.ndarray) -> float:
        logs = _log_probabilities(probabilities, prior, *unpacked(values))
        # Outcomes over `step` sessions overlap: only every `step`-th is an independent one.
        loss = -np.take_along_axis(logs, came[:, None], axis=1).sum() / step
        penalty = ((values[0] - 1.0) / _OF_SLOPE) ** 2 + ((values[1:] / _OF_SHIFT) ** 2).sum()
        return float(loss + penalty / 2.0)

    classes = len(prior)
    found = minimize(
        cost,
        np.r_[1.0, np.zeros(classes - 1)],
        method="L-BFGS-B",
        bounds=[(0.0, _MOST_SLOPE), *[(None, None)] * (classes - 1)],
    )
    return unpacked(found.x)


def _log_probabilities(
    probabilities: np.ndarray, prior: np.ndarray, slope: float, shift: np.ndarray
) -> np.ndarray:
    """Calibrated log probabilities of one step, shape (n, classes)."""
    logs = prior + slope * (np.log(np.maximum(probabilities, _LEAST)) - prior) + shift
    largest = logs.max(axis=1, keepdims=True)
    return np.asarray(logs - largest - np.log(np.exp(logs - largest).sum(axis=1, keepdims=True)))
