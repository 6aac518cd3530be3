"""Which of several models? A plain answer that says when the differences may be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from forecast.evaluation.scores import losses_by_origin
from forecast.evaluation.significance import diebold_mariano, model_confidence_set, skill
from forecast.evaluation.verdict import SIGNIFICANT

PLAUSIBLE = 0.1
"""Models whose confidence-set p-value is at least this cannot be told from the best."""


@dataclass(frozen=True)
class Answer:
    """Which network, and whether it matters.

    Attributes:
        best: The network with the lowest pinball loss.
        plausible: Networks that cannot be told from it, the best first; `best` among them.
        finding: In a line, for a title.
        text: In plain words, with the numbers.
    """

    best: str
    plausible: list[str]
    finding: str
    text: str


def which_network(
    frame: pd.DataFrame, table: pd.DataFrame, *, networks: Sequence[str], step: int
) -> Answer:
    """Networks ranked by the pinball loss of their quantiles, against each other and the baselines.

    The networks' differences are judged by their own 90 % model confidence set; the best network
    and the best baseline by a Diebold-Mariano test; the price by each network's test against last
    close, with p multiplied by the number of networks (Bonferroni), as the best of several is
    looked for.

    Args:
        frame: Forecast frame of all models.
        table: As from `score_table`.
        networks: Which of the models are networks; at least one, and at least one baseline beside.
        step: Which step.
    """
    losses = losses_by_origin(frame, step=step, loss="pinball")
    ranked = losses.mean().sort_values(kind="stable").index
    ours = [name for name in ranked if name in networks]
    rival = next(str(name) for name in ranked if name not in networks)
    best = ours[0]
    plausible = ours
    if len(ours) > 1:
        inside = model_confidence_set(losses[ours], step=step)
        plausible = [name for name in ours if name == best or not inside[name] < PLAUSIBLE]
    finding, text = _among(best, ours, plausible, losses)
    own, other = losses[best].to_numpy(), losses[rival].to_numpy()
    gain, p = skill(own, other), diebold_mariano(own, other, step=step)
    better = float(own.mean()) < float(other.mean())
    size = "" if math.isnan(gain) else f"{100 * abs(gain):.2f} % "
    words = f"{size}{'below' if better else 'above'} that of {rival}"
    if p < SIGNIFICANT:
        ending = "a clear gain" if better else f"{rival} needs no network and is better"
    else:
        ending = "no clear difference"
    text += f" Against the best baseline: {best}'s loss is {words} ({_p(p)}): {ending}."
    return Answer(best, plausible, finding, f"{text} {_price(table, ours, step)}")


def _among(
    best: str, ours: list[str], plausible: list[str], losses: pd.DataFrame
) -> tuple[str, str]:
    """The networks among themselves: a line and a sentence or two."""
    count = len(losses)
    if len(ours) == 1:
        return f"{best} beside the baselines", f"Only {best} was compared with the baselines."
    if len(plausible) == 1:
        return (
            f"{best} has the best spread of {len(ours)} networks",
            f"Take {best}: its quantiles have the lowest pinball loss of the {len(ours)} networks, "
            f"more than chance would give on {count:,} forecasts (90 % model confidence set).",
        )
    last = 100 * (losses[plausible[-1]].mean() / losses[best].mean() - 1)
    others = plausible[1:]
    every = len(plausible) == len(ours)
    finding = (
        f"{best} has the lowest loss, but no network differs by more than chance"
        if every
        else f"{best} has the lowest loss; {len(others)} more cannot be told from it"
    )
    text = (
        f"The differences {'between the networks' if every else 'at the top'} are not "
        f"significant: {best} has the lowest pinball loss on {count:,} forecasts, but "
        f"{_listed(others)} cannot be told from it (90 % model confidence set; at most "
        f"{last:.2f} % apart)."
    )
    if not every:
        worse = [name for name in ours if name not in plausible]
        text += f" {_listed(worse)} {'is' if len(worse) == 1 else 'are'} worse."
    return finding, text


def _price(table: pd.DataFrame, ours: list[str], step: int) -> str:
    rows = table[(table["step"] == step) & table["model"].isin(ours)]
    better = rows[(rows["dm_p_mse"] * len(ours) < SIGNIFICANT) & (rows["skill_mse"] > 0)]
    if better.empty:
        return "No network forecasts the price itself better than last close."
    names = list(better.sort_values("skill_mse", ascending=False)["model"])
    return f"The price itself is forecast better than last close by {_listed(names)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _p(p: float) -> str:
    return "no test" if math.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
