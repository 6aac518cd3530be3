"""May a newly trained network take the champion's place?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation.forecasts import QUANTILE_COLUMNS
from forecast.evaluation.learning import LEARNT
from forecast.evaluation.metrics import Outcomes, coverage, mean_pinball_losses, squared_errors
from forecast.evaluation.significance import diebold_mariano
from forecast.evaluation.verdict import SIGNIFICANT, compared

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Learnt:
    """t statistics of `learning`, each on the network's own training part.

    Attributes:
        challenger: Of the challenger.
        champion: Of the champion; None without one.
    """

    challenger: float
    champion: float | None


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes the champion.

    Attributes:
        promote: It does.
        reason: One plain sentence.
        figures: What the reason rests on, as JSON.
    """

    promote: bool
    reason: str
    figures: dict[str, Any]

    def as_document(self) -> dict[str, Any]:
        """The decision as JSON."""
        return asdict(self)


def judge(
    challenger: pd.DataFrame,
    champion: pd.DataFrame | None,
    ewma: pd.DataFrame,
    *,
    margin: float,
    level: float,
    band: tuple[float, float],
    fewest: int = 60,
    learnt: Learnt | None = None,
) -> Decision:
    """Promote the challenger, or not, and say why.

    Against a champion, at the last step, on origins that neither network was trained or stopped on:

    - the challenger has learnt from its training part (`evaluation.learning`);
    - its 80 % interval held a share of the outcomes within `band`;
    - its pinball loss is shown, at `level`, to be less than `margin` above the champion's, and
      its squared error less than twice that above (a square grows twice as fast): one-sided
      Diebold-Mariano tests of non-inferiority;
    - it is not significantly worse than `ewma`, unless it is better than the champion.

    A champion that has not learnt itself holds its place only if the challenger is significantly
    worse, and so does `ewma` against a first network: two-sided Diebold-Mariano, p < 0.05. The
    first one for its horizon beside a champion of another must have learnt and be within `band`,
    too.

    Args:
        challenger: Forecast frame of one ticker; rows whose outcome is not known are left out.
        champion: The champion's, on the same origins and steps; None without one.
        ewma: The baseline's, on the same; its point forecast is the close at the origin.
        margin: Relative, >= 0.
        level: Of the tests of non-inferiority, in (0, 1).
        band: Lowest and highest share that the 80 % interval may hold.
        fewest: Fewer common origins than this are no reason to replace a champion.
        learnt: What both learnt from their training parts; None leaves that out. Given without a
            champion's frame: the champion is of another horizon.

    Raises:
        ValueError: if the frames do not share their origins, steps and outcomes.
    """
    frames = [challenger, ewma, *([] if champion is None else [champion])]
    own, reference, *rivals = _scored(frames, ewma)
    figures: dict[str, Any] = {
        "origins": len(own.pinball),
        "coverage_80": own.coverage,
        "learnt": None if learnt is None else asdict(learnt),
        "ewma": _compared(own, reference),
        "champion": _compared(own, rivals[0], margin=margin) if rivals else None,
    }
    if rivals:
        refusals = _against_champion(figures, learnt, level=level, band=band, fewest=fewest)
        grounds = f"not worse than the champion beyond the margin of {margin:.2%}"
        held = _held_by_chance(learnt)
        if held is not None:
            grounds = (
                f"the champion's learning cannot be told from chance ({_too_small(held)}), and it "
                f"is not significantly worse"
            )
    else:
        refusals = _against_ewma(figures, learnt, band)
        which = "" if learnt is None else " for its horizon"
        grounds = f"the first network{which}, and not significantly worse than ewma"
    refusal = next(refusals, None)
    said = _said(figures["champion"], "the champion") if rivals else _said(figures["ewma"], "ewma")
    return Decision(
        refusal is None,
        f"{'Promoted' if refusal is None else 'Not promoted'}: {refusal or grounds}; on "
        f"{len(own.pinball)} origins {said}.",
        figures,
    )


def _against_ewma(
    figures: dict[str, Any], learnt: Learnt | None, band: tuple[float, float]
) -> Iterator[str]:
    """What speaks against a first network."""
    if learnt is not None:
        yield from _unfit(figures, learnt, band)
    if any(_is_worse(one) for one in figures["ewma"].values()):
        yield "a first network may not be significantly worse than ewma"


def _against_champion(
    figures: dict[str, Any],
    learnt: Learnt | None,
    *,
    level: float,
    band: tuple[float, float],
    fewest: int,
) -> Iterator[str]:
    """What speaks against replacing the champion, the weightiest first."""
    against = figures["champion"]
    if figures["origins"] < fewest:
        yield f"a champion is only replaced on {fewest} common origins or more"
    yield from _unfit(figures, learnt, band)
    if _held_by_chance(learnt) is not None:
        if any(_is_worse(one) for one in against.values()):
            yield "it is significantly worse than the champion"
        return
    for name, one in against.items():
        if not one["p_not_worse"] < level:
            yield (
                f"it could not be shown that its {_WORDS[name]} is less than {one['margin']:.2%} "
                f"above the champion's (p = {one['p_not_worse']:.3f}, below {level:g} is needed)"
            )
    if _is_above(against["pinball"]) and _is_worse(figures["ewma"]["pinball"]):
        yield "it is neither better than the champion nor as good as ewma"


def _unfit(
    figures: dict[str, Any], learnt: Learnt | None, band: tuple[float, float]
) -> Iterator[str]:
    """What speaks against the challenger by itself."""
    share = figures["coverage_80"]
    if learnt is not None and not learnt.challenger >= LEARNT:
        yield (
            f"what it has learnt from its training part cannot be told from chance "
            f"({_too_small(learnt.challenger)})"
        )
    if not band[0] <= share <= band[1]:
        yield (
            f"its 80 % band held {share:.1%} of the outcomes ({band[0]:.0%} to {band[1]:.0%} are "
            f"allowed)"
        )


def _held_by_chance(learnt: Learnt | None) -> float | None:
    """The champion's t where that is too small, else None."""
    champion = None if learnt is None else learnt.champion
    return None if champion is None or champion >= LEARNT else champion


def _too_small(t: float) -> str:
    # Never rounded up to what is needed.
    return f"t = {min(t, LEARNT - 0.1):.1f}, {LEARNT} is needed"


_WORDS = {"pinball": "pinball loss", "mse": "squared error"}


@dataclass(frozen=True)
class _Scored:
    """Losses of one model at the last step, in the order of time.

    Attributes:
        step: Sessions ahead.
        pinball: Of log returns, mean over the levels, shape (n,).
        mse: Squared errors of log returns, shape (n,).
        coverage: Share inside the 80 % interval.
    """

    step: int
    pinball: np.ndarray
    mse: np.ndarray
    coverage: float


def _scored(frames: Sequence[pd.DataFrame], ewma: pd.DataFrame) -> list[_Scored]:
    """The losses of each frame, on the same sessions.

    Raises:
        ValueError: if they are not of the same sessions, or no outcome is known.
    """
    parts, base = [_last_step(frame) for frame in frames], _last_step(ewma)
    keys = ["origin", "step", "session"]
    for part in parts:
        if not part[keys].equals(base[keys]):
            raise ValueError("challenger, champion and ewma must forecast the same sessions.")
        if not np.allclose(part["actual"], base["actual"], rtol=_TOLERANCE, atol=0):
            raise ValueError("challenger, champion and ewma must have the same outcomes.")
    if base.empty:
        raise ValueError("no outcome is known of any forecast.")
    return [_losses(part, base["predicted"].to_numpy()) for part in parts]


def _losses(part: pd.DataFrame, close: np.ndarray) -> _Scored:
    actual, quantiles = part["actual"].to_numpy(), part[QUANTILE_COLUMNS].to_numpy()
    sample = Outcomes(close, actual, part["predicted"].to_numpy(), quantiles)
    return _Scored(
        int(part["step"].iloc[0]),
        mean_pinball_losses(sample.actual_return, sample.quantile_returns),
        squared_errors(sample.actual_return, sample.predicted_return),
        coverage(actual, quantiles[:, 1], quantiles[:, 5]),
    )


def _last_step(frame: pd.DataFrame) -> pd.DataFrame:
    known = frame[frame["actual"].notna() & (frame["step"] == frame["step"].max())]
    return known.sort_values("origin", ignore_index=True)


def _compared(own: _Scored, rival: _Scored, *, margin: float | None = None) -> dict[str, Any]:
    """Both losses against the rival's: relative difference and p-values, as JSON."""
    return {
        "pinball": _difference(own.pinball, rival.pinball, own.step, margin),
        "mse": _difference(own.mse, rival.mse, own.step, None if margin is None else 2 * margin),
    }


def _difference(
    losses: np.ndarray, reference: np.ndarray, step: int, margin: float | None
) -> dict[str, float | None]:
    base = float(reference.mean())
    found: dict[str, float | None] = {
        "difference": float(losses.mean()) / base - 1 if base > 0 else None,
        "p_different": _number(diebold_mariano(losses, reference, step=step)),
    }
    if margin is not None:
        found |= {
            "margin": margin,
            "p_not_worse": _one_sided(losses, (1 + margin) * reference, step),
        }
    return found


def _one_sided(losses: np.ndarray, reference: np.ndarray, step: int) -> float:
    """p-value of the hypothesis that the losses are on average not below the reference."""
    below = float((losses - reference).mean()) < 0
    p = diebold_mariano(losses, reference, step=step)
    if math.isnan(p):
        # Losses that are the same prove themselves; too few origins prove nothing.
        return 0.0 if np.array_equal(losses, reference) else 1.0
    return p / 2 if below else 1 - p / 2


def _is_worse(one: dict[str, Any]) -> bool:
    p = one["p_different"]
    return p is not None and p < SIGNIFICANT and _is_above(one)


def _is_above(one: dict[str, Any]) -> bool:
    """A rival that never errs has no relative difference, and nobody is below it."""
    return one["difference"] is None or one["difference"] > 0


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _said(against: dict[str, Any], rival: str) -> str:
    """How both losses compare with the rival's, in words."""
    parts = []
    for name, one in against.items():
        difference = one["difference"]
        said = compared(math.nan if difference is None else -difference, rival)
        parts.append(f"its {_WORDS[name]} is {said}")
    return " and ".join(parts)
