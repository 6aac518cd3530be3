"""What came of a study: the best settings, and how they stand beside the settings as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forecast.errors import TrainingError

_NAMED = ("trial", "value", "folds", "settings")


def best_of(trials: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The trial with the lowest loss; the earlier one where two are equal.

    Raises:
        TrainingError: if none was finished, naming the first failure.
    """
    done = [one for one in trials if one["state"] == "done"]
    if not done:
        first = next(one for one in trials if one["error"])
        raise TrainingError(
            f"at least one of {len(trials)} trials must come to an end. All failed, the first "
            f"with {first['error']['type']}: {first['error']['message']}",
            hint=first["error"]["hint"] or "another --space",
        )
    return min(done, key=lambda one: (one["value"], one["trial"]))


def summary(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`best`, `default`, `counts` and `text` of a study's document.

    Raises:
        TrainingError: if no trial was finished.
    """
    best, default = best_of(trials), trials[0]
    states = [one["state"] for one in trials]
    return {
        "best": {name: best[name] for name in _NAMED},
        "default": {name: default[name] for name in _NAMED} if default["state"] == "done" else None,
        "counts": {state: states.count(state) for state in ("done", "pruned", "failed")},
        "text": _text(best, default, states),
    }


def _text(best: Mapping[str, Any], default: Mapping[str, Any], states: Sequence[str]) -> str:
    failed = states.count("failed")
    end = f" {failed} of {len(states)} trials failed." if failed else ""
    if default["state"] != "done":
        return f"The settings as they are failed: {default['error']['message']}{end}"
    if best["trial"] == default["trial"]:
        return f"Nothing beat the settings as they are in {len(states)} trials.{end}"
    saved = 1 - best["value"] / default["value"]
    folds = list(zip(best["folds"], default["folds"], strict=True))
    won = sum(mine < theirs for mine, theirs in folds)
    where = "in every fold" if won == len(folds) else f"in {won} of {len(folds)} folds"
    return (
        f"Trial {best['trial']} has a held-out loss {100 * saved:.2f} % below that of the settings "
        f"as they are, and a lower one {where}. The best of {len(states)} trials looks better "
        f"than it is: what it is worth, train says on the test part, which no trial has read.{end}"
    )
