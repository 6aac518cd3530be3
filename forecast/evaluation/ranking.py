"""Which of several models? A plain answer that says when the differences may be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from forecast.evaluation.scores import PRICE_REFERENCE, losses_by_origin
from forecast.evaluation.significance import (
    diebold_mariano,
    model_confidence_set,
    skill,
    superior,
)
from forecast.evaluation.verdict import SIGNIFICANT, p_text

PLAUSIBLE = 0.1
"""Models whose confidence-set p-value is at least this cannot be told from the best."""


@dataclass(frozen=True)
class Gain:
    """Does any network beat a baseline, counting how many were tried?

    Attributes:
        than: The baseline.
        p: That none does, as from `significance.superior`; NaN = no test.
        networks: Those that do.
    """

    than: str
    p: float
    networks: list[str]


@dataclass(frozen=True)
class Answer:
    """Which network, and whether it matters.

    Attributes:
        best: The network with the lowest pinball loss.
        plausible: Networks that cannot be told from it, the best first; `best` among them.
        spread: Networks whose quantiles are better than the best baseline's, in earnest.
        price: Networks whose price is forecast better than by last close, in earnest.
        finding: In a line, for a title.
        text: In plain words, with the numbers.
    """

    best: str
    plausible: list[str]
    spread: Gain
    price: Gain
    finding: str
    text: str


def which_network(
    frame: pd.DataFrame,
    *,
    networks: Sequence[str],
    step: int,
    by_seed: pd.DataFrame,
) -> Answer:
    """Networks ranked by the pinball loss of their quantiles, against each other and the baselines.

    The networks' differences are judged by their own 90 % model confidence set. Whether any network
    beats the best baseline, and its price last close, is judged by a test that counts how many were
    tried (`significance.superior`); whether the best baseline beats the best network, by a
    Diebold-Mariano test.

    Args:
        frame: Forecast frame of all models; a network's forecasts are the mean of its seeds'.
        networks: Which of the models are networks; at least one, and at least one baseline beside.
        step: Which step.
        by_seed: `skill_pinball` of each training; index network and seed.
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
    spread = Gain(rival, *superior(losses[ours], losses[rival].to_numpy(), step=step))
    squared = losses_by_origin(frame, step=step, loss="squared")
    last_close = squared[PRICE_REFERENCE].to_numpy()
    price = Gain(PRICE_REFERENCE, *superior(squared[ours], last_close, step=step))
    words = [text, _luck(by_seed["skill_pinball"]), _against(spread, ours, losses, step)]
    words.append(
        f"The price itself is forecast better than last close by {_listed(price.networks)} "
        f"({p_text(price.p)})."
        if price.networks
        else f"No network forecasts the price itself better than last close ({p_text(price.p)})."
    )
    whole = " ".join(word for word in words if word)
    return Answer(best, plausible, spread, price, finding, whole)


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
    behind = 100 * (losses[plausible[-1]].mean() / losses[best].mean() - 1)
    if len(plausible) == len(ours):
        return (
            f"{best} has the lowest loss, but no network differs by more than chance",
            f"It makes no difference that {count:,} forecasts could show: {best} has the lowest "
            f"pinball loss, but no network is distinguishable from it (90 % model confidence set); "
            f"the last, {ours[-1]}, is {behind:.2f} % behind.",
        )
    worse = [name for name in ours if name not in plausible]
    others = plausible[1:]
    return (
        f"{best} has the lowest loss; {len(others)} more cannot be told from it",
        f"Take {best} or what cannot be told from it: it has the lowest pinball loss on "
        f"{count:,} forecasts, but {_listed(others)} {_is(others)} within chance of it (90 % model "
        f"confidence set; at most {behind:.2f} % behind). {_listed(worse)} {_is(worse)} worse.",
    )


def _luck(skills: pd.Series) -> str:
    """How far the seed alone moves a network, beside how far the networks lie apart."""
    by_network = skills.groupby(level="network")
    means, spreads = by_network.mean(), by_network.std(ddof=1)
    if len(means) < 2 or means.isna().any() or spreads.isna().any():
        return ""
    seed = 100 * math.sqrt((spreads**2).mean())
    return (
        f"The luck of the seed alone moves a network's skill by ± {seed:.2f} points; the "
        f"{len(means)} networks' means lie {100 * (means.max() - means.min()):.2f} points apart."
    )


def _against(gain: Gain, ours: list[str], losses: pd.DataFrame, step: int) -> str:
    """The best network beside the best baseline."""
    best, rival = ours[0], gain.than
    own, other = losses[best].to_numpy(), losses[rival].to_numpy()
    share = skill(own, other)
    size = "" if math.isnan(share) else f"{100 * abs(share):.2f} % "
    start = f"Against the best baseline: {best}'s loss is {size}"
    if float(own.mean()) < float(other.mean()):
        counted = f", the best of {len(ours)} having been picked" if len(ours) > 1 else ""
        ending = (
            f"a clear gain ({_listed(gain.networks)})" if gain.networks else "no clear difference"
        )
        return f"{start}below that of {rival} ({p_text(gain.p)}{counted}): {ending}."
    p = diebold_mariano(own, other, step=step)
    ending = f"{rival} needs no network and is better" if p < SIGNIFICANT else "no clear difference"
    return f"{start}above that of {rival} ({p_text(p)}): {ending}."


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
