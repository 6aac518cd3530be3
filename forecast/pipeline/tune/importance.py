"""Which of the searched settings made a difference."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from forecast.pipeline.tune.space import Space, label
from forecast.pipeline.tune.tpe import distributions

_FEWEST = 8
"""Trials from which on an importance is more than chance."""


def importance(space: Space, results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How much of the spread of the losses each setting explains, adding up to 1.

    Empty without Optuna, or with too few trials to tell.
    """
    done = [one for one in results if one["state"] == "done"]
    if find_spec("optuna") is None or len(done) < _FEWEST:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for one in done:
        # The settings as they are may lie outside the space.
        with suppress(ValueError):
            study.add_trial(
                optuna.trial.create_trial(
                    params={name: label(value) for name, value in one["settings"].items()},
                    distributions=distributions(space),
                    value=one["value"],
                )
            )
    if len(study.trials) < _FEWEST:
        return {}
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    except RuntimeError:
        # All losses are the same.
        return {}
    return {name: float(share) for name, share in found.items()}
