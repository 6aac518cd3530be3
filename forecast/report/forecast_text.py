"""The coming sessions as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

from forecast.features.targets import CLASSES
from forecast.report.text import aligned
from forecast.report.wording import narrowest, price

_UNSEEN = "no score vouches for this forecast, and how often its bands hold is not verified."


def forecast_lines(document: dict[str, Any]) -> list[str]:
    """The coming sessions as a table.

    Args:
        document: A forecast as `predict --json` prints it.
    """
    steps = document["steps"]
    close = price(document["last_close"], narrowest(steps))
    lines = [
        f"{document['ticker']}: {document['network']} from {document['origin']}, last close "
        f"{close} ({document['source']}, run {document['run']})",
        "",
        *(_odds if document["target"] in CLASSES else _prices)(steps),
    ]
    if not document["in_training"]:
        lines += ["", f"Run {document['run']} never saw {document['ticker']}: {_UNSEEN}"]
    return [*lines, "", f"Plot: {document['plot']}"] if document["plot"] else [*lines, ""]


def _prices(steps: list[dict[str, Any]]) -> list[str]:
    within = narrowest(steps)

    def band(step: dict[str, Any], low: str, high: str) -> str:
        return f"{price(step[low], within)} – {price(step[high], within)}"

    return aligned(
        [["session", "forecast", "80 % band", "90 % band", "up"]]
        + [
            [
                step["session"],
                price(step["predicted"], within),
                band(step, "p10", "p90"),
                band(step, "p05", "p95"),
                f"{step['probability_up']:.0%}",
            ]
            for step in steps
        ]
    )


def _odds(steps: list[dict[str, Any]]) -> list[str]:
    """The probability of each class beside its usual share."""
    classes = list(steps[0]["usual"])
    head = "".join(f"{name:>10}{'usually':>10}" for name in classes)
    return [
        f"{'session':<12}{head}",
        *(
            f"{step['session']:<12}"
            + "".join(
                f"{step[f'probability_{name}']:>10.1%}{step['usual'][name]:>10.1%}"
                for name in classes
            )
            for step in steps
        ),
    ]
