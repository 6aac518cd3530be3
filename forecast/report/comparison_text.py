"""A comparison as plain lines, for a terminal."""

from __future__ import annotations

from typing import Any

from forecast.report.run_text import asked, score_table
from forecast.report.text import aligned, error_text, shown
from forecast.report.wording import around, count, wrapped


def comparison_lines(document: dict[str, Any]) -> list[str]:
    """Heading, networks and baselines from the best spread to the worst, and the answer.

    Args:
        document: A comparison as `compare --json` prints it.
    """
    test, seeds = document["split"]["test"], document["seeds"]
    again = " (compared before: nothing was done again)" if document["status"] == "current" else ""
    networks, loss = document["networks"], document["losses"][0]
    order = [row["model"] for row in document["scores"] if row["step"] == document["horizon"]]
    return [
        f"{document['ticker']}: {asked(document)}, {count(test['origins'], 'forecast')} made from "
        f"{test['first']} to {test['last']}, whose outcomes no model saw ({document['source']})"
        f"{again}",
        "",
        *score_table(document),
        "",
        *aligned(
            [["network", "weights", "training a seed", "start-up", "skill of single seeds"]]
            + [_took(name, networks[name], loss) for name in order if name in networks]
        ),
        f"Scores above are of the mean of {len(seeds)} seeds' forecasts." if len(seeds) > 1 else "",
        *(
            f"! {name} failed: {error_text(one['error'])}"
            for name, one in networks.items()
            if one["error"]
        ),
        "",
        *wrapped(document["answer"]),
        "",
        f"Report: {document['report']}",
    ]


def _took(name: str, one: dict[str, Any], loss: str) -> list[str]:
    """What a network took, and its seeds' skill with their spread."""
    return [
        name,
        f"{one['parameters']:,}",
        f"{one['seconds']:.1f} s",
        shown(one["startup"], "{:.1f} s"),
        f"{around(one['mean'][f'skill_{loss}'], one['spread'][f'skill_{loss}'])} %",
    ]
