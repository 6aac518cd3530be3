"""Scores of class forecasts, each as in its textbook; `docs/metrics.md` explains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# A probability of 0 that came true would have an infinite loss.
_LEAST = 1e-12


@dataclass(frozen=True)
class ClassOutcomes:
    """Class forecasts and what came, n origins.

    Attributes:
        probabilities: Shape (n, classes), each row adds up to 1.
        called: The class named, shape (n,), int.
        came: The class that came, shape (n,), int.
    """

    probabilities: np.ndarray
    called: np.ndarray
    came: np.ndarray

    @property
    def scored(self) -> list[int]:
        """Classes whose precision, recall and F1 are averaged: of two the second alone."""
        count = self.probabilities.shape[1]
        return [1] if count == 2 else list(range(count))


def log_losses(probabilities: np.ndarray, came: np.ndarray) -> np.ndarray:
    """Minus the natural logarithm of the probability of what came, shape (n,)."""
    own = np.take_along_axis(probabilities, came[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(own, _LEAST))


def brier_losses(probabilities: np.ndarray, came: np.ndarray) -> np.ndarray:
    """Squared errors of the probabilities: of two classes that of the second, else their sum.

    Source: G. Brier (1950), Verification of forecasts expressed in terms of probability, Monthly
    Weather Review 78.
    """
    indicator = came[:, None] == np.arange(probabilities.shape[1])
    squared = (probabilities - indicator) ** 2
    return squared[:, 1] if squared.shape[1] == 2 else squared.sum(axis=1)


def confusion_matrix(one: ClassOutcomes) -> np.ndarray:
    """How often each class that came (rows) was named as each class (columns)."""
    from sklearn.metrics import confusion_matrix as matrix

    return np.asarray(matrix(one.came, one.called, labels=np.arange(one.probabilities.shape[1])))


def _accuracy(one: ClassOutcomes) -> float:
    return float((one.called == one.came).mean())


def _balanced_accuracy(one: ClassOutcomes) -> float:
    """Mean recall over the classes that came."""
    from sklearn.metrics import recall_score

    labels = np.unique(one.came)
    return float(recall_score(one.came, one.called, labels=labels, average="macro"))


def _precision(one: ClassOutcomes) -> float:
    from sklearn.metrics import precision_score

    return float(
        precision_score(
            one.came, one.called, labels=one.scored, average="macro", zero_division=np.nan
        )
    )


def _recall(one: ClassOutcomes) -> float:
    from sklearn.metrics import recall_score

    return float(
        recall_score(one.came, one.called, labels=one.scored, average="macro", zero_division=np.nan)
    )


def _f1(one: ClassOutcomes) -> float:
    from sklearn.metrics import f1_score

    return float(
        f1_score(one.came, one.called, labels=one.scored, average="macro", zero_division=np.nan)
    )


def _roc_auc(one: ClassOutcomes) -> float:
    """Mean over the classes of one against the rest; NaN where a class never came."""
    from sklearn.metrics import roc_auc_score

    indicator = one.came[:, None] == np.arange(one.probabilities.shape[1])
    if not indicator.any(axis=0).all():
        return float("nan")
    return float(
        np.mean([roc_auc_score(indicator[:, k], one.probabilities[:, k]) for k in one.scored])
    )


CLASS_METRICS: dict[str, Callable[[ClassOutcomes], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "roc_auc": _roc_auc,
    "log_loss": lambda one: float(log_losses(one.probabilities, one.came).mean()),
    "brier": lambda one: float(brier_losses(one.probabilities, one.came).mean()),
}
