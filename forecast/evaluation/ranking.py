"""Which of several models? A plain answer that says when the differences may be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from forecast.evaluation.significance import (
    diebold_mariano,
    model_confidence_set,
    skill,
    superior,
)
from forecast.evaluation.verdict import SIGNIFICANT, p_text

PLAUSIBLE = 0.1
"""Models whose confidence-set p-value is at least this cannot be told from the best."""
_ERRORS = 2.0
# Of outcomes that do not overlap: the bootstrap of fewer names a network too often.
_FEW = 50


@dataclass(frozen=True)
class Ruler:
    """By which two losses models are judged, and how a sentence speaks of them.

    Attributes:
        loss: The one they are ranked by, as its columns end: `skill_…`, `dm_p_…`.
        second: The other one, as its columns end.
        words: What the first one is called.
        spread: What it judges.
        price: What the second one judges.
        better: What to say of networks that beat the reference by the second one.
        no_better: What to say if none does.
    """

    loss: str
    second: str
    words: str
    spread: str
    price: str
    better: str
    no_better: str


OF_PRICES = Ruler(
    loss="pinball",
    second="mse",
    words="pinball loss",
    spread="spread",
    price="price",
    better="The price itself is forecast better than last close by",
    no_better="No network forecasts the price itself better than last close",
)


OF_CLASSES = Ruler(
    loss="log_loss",
    second="error",
    words="log loss",
    spread="odds",
    price="calls",
    better="The class that comes is named more often than the commonest class comes by",
    no_better="No network names the class that comes more often than the commonest class comes",
)


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
        best: The network with the lowest loss.
        plausible: Networks that cannot be told from it, the best first; `best` among them.
        uncertainty: Networks that beat the best baseline by the ruler's first loss, in earnest.
        price: Networks that beat the reference by its second loss, in earnest.
        finding: In a line, for a title.
        text: In plain words, with the numbers.
    """

    best: str
    plausible: list[str]
    uncertainty: Gain
    price: Gain
    finding: str
    text: str


def which_network(
    losses: pd.DataFrame,
    second: pd.DataFrame,
    *,
    ruler: Ruler,
    reference: str,
    networks: Sequence[str],
    step: int,
    skills: pd.Series,
) -> Answer:
    """Networks ranked by a loss, against each other and the baselines.

    A network is worse than the best one where the networks' own 90 % model confidence set leaves
    it out, and its seeds' mean skill is lower by more than two standard errors. Whether any network
    beats the best baseline, and the reference by the second loss, is judged by a test that counts
    how many were tried (`significance.superior`); whether the best baseline beats the best network,
    by a Diebold-Mariano test.

    Args:
        losses: The ruler's first loss of all models; a row an origin in time's order.
        second: Its second loss.
        ruler: What they are.
        reference: The baseline of the second loss.
        networks: Which of the models are networks; at least one, and at least one baseline beside.
        step: Which step the losses are of.
        skills: Of each training by the first loss; index network and seed.
    """
    ranked = losses.mean().sort_values(kind="stable").index
    ours = [name for name in ranked if name in networks]
    rival = next(str(name) for name in ranked if name not in networks)
    best = ours[0]
    plausible = ours
    if len(ours) > 1:
        inside = model_confidence_set(losses[ours], step=step)
        plausible = [
            name
            for name in ours
            if name == best or not (inside[name] < PLAUSIBLE and _seeds_lower(skills, name, best))
        ]
    finding, text = _among(best, ours, plausible, losses, ruler, _ways(skills))
    first = Gain(rival, *superior(losses[ours], losses[rival].to_numpy(), step=step))
    other = Gain(reference, *superior(second[ours], second[reference].to_numpy(), step=step))
    by = f"{ruler.better} {_listed(other.networks)}" if other.networks else ruler.no_better
    words = [
        text,
        _luck(skills, plausible),
        _against(first, ours, losses, step),
        f"{by} ({p_text(other.p)}).",
        _few(first.networks + other.networks, len(losses), step),
    ]
    return Answer(best, plausible, first, other, finding, " ".join(word for word in words if word))


def _among(
    best: str,
    ours: list[str],
    plausible: list[str],
    losses: pd.DataFrame,
    ruler: Ruler,
    ways: tuple[str, str],
) -> tuple[str, str]:
    """The networks among themselves: a line and a sentence or two."""
    both, either = ways
    count = len(losses)
    if len(ours) == 1:
        return f"{best} beside the baselines", f"Only {best} was compared with the baselines."
    if len(plausible) == 1:
        return (
            f"{best} has the best {ruler.spread} of {len(ours)} networks",
            f"Take {best}: it has the lowest {ruler.words} of the {len(ours)} networks, by more "
            f"than chance gives on {count:,} forecasts ({both}).",
        )
    behind = 100 * (losses[plausible[-1]].mean() / losses[best].mean() - 1)
    if len(plausible) == len(ours):
        return (
            f"{best} has the lowest loss, but no network differs by more than chance",
            f"It makes no difference that {count:,} forecasts could show: {best} has the lowest "
            f"{ruler.words}, but no network is distinguishable from it ({either}); the last, "
            f"{ours[-1]}, is {behind:.2f} % behind.",
        )
    worse = [name for name in ours if name not in plausible]
    others = plausible[1:]
    return (
        f"{best} has the lowest loss; {len(others)} more cannot be told from it",
        f"Take {best} or what cannot be told from it: it has the lowest {ruler.words} on "
        f"{count:,} forecasts, but {_listed(others)} {_is(others)} within chance of it ({either}; "
        f"at most {behind:.2f} % behind). {_listed(worse)} {_is(worse)} worse.",
    )


def _seeds_lower(skills: pd.Series, name: str, best: str) -> bool:
    """Whether the seeds of a network lie clearly below those of the best; True if unknown."""
    own, theirs = skills[name], skills[best]
    error = math.sqrt(own.var(ddof=1) / len(own) + theirs.var(ddof=1) / len(theirs))
    return not theirs.mean() - own.mean() <= _ERRORS * error


def _ways(skills: pd.Series) -> tuple[str, str]:
    """How networks were told apart, where they were and where they were not."""
    forecasts = "90 % model confidence set"
    if skills.groupby(level="network").size().min() < 2:
        return forecasts, forecasts
    return (
        f"{forecasts}, and two standard errors over the seeds",
        f"{forecasts}, or two standard errors over the seeds",
    )


def _luck(skills: pd.Series, plausible: list[str]) -> str:
    """How far the seed alone moves a network, beside how far the networks lie apart.

    Only of those that cannot be told from the best, where there are several: one erratic network
    would speak for all.
    """
    by_network = skills.groupby(level="network")
    means, spreads = by_network.mean(), by_network.std(ddof=1)
    some = 1 < len(plausible) < len(means)
    if some:
        means, spreads = means[plausible], spreads[plausible]
    if len(means) < 2 or means.isna().any() or spreads.isna().any():
        return ""
    seed = 100 * math.sqrt((spreads**2).mean())
    apart = 100 * (means.max() - means.min())
    return (
        f"{'Among the former the' if some else 'The'} luck of the seed alone moves a network's "
        f"skill by ± {seed:.2f} points; {'their' if some else 'the networks’'} means lie "
        f"{apart:.2f} points apart."
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
            f"a gain that is clear for {_listed(gain.networks)}"
            if gain.networks
            else "no clear difference"
        )
        return f"{start}below that of {rival} ({p_text(gain.p)}{counted}): {ending}."
    p = diebold_mariano(own, other, step=step)
    ending = f"{rival} needs no network and is better" if p < SIGNIFICANT else "no clear difference"
    return f"{start}above that of {rival} ({p_text(p)}): {ending}."


def _few(named: Sequence[str], origins: int, step: int) -> str:
    """A word of caution where a gain is said to be clear and few outcomes are independent.

    Of five models as good as the reference one is named in 12 % of the cases with 12 such outcomes,
    in 8 % with 24, in 4 % with 94 (2.5 % is meant); docs/decisions/0225 has why.
    """
    apart = origins // step
    if not named or step == 1 or apart >= _FEW:
        return ""
    return (
        f"Only {apart} of these outcomes do not overlap: with so few, gains look clear more often "
        "than they should."
    )


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
