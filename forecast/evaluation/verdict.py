"""The sentence under the score table: did the network beat what a child would guess?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

SIGNIFICANT = 0.05
_ROUNDING = 1e-9  # percent
PLAIN_NAMES = {"ewma": "the EWMA baseline", "garch": "the GARCH baseline"}


@dataclass(frozen=True)
class Verdict:
    """What came of a model.

    Attributes:
        price: `beats`, `ties` or `loses` against last close by squared error of the price.
        uncertainty: The same against the better of ewma and garch by pinball loss.
        text: Both in plain words, with the numbers.
    """

    price: str
    uncertainty: str
    text: str

    def as_document(self) -> dict[str, str]:
        """The verdict as `train --json` prints it."""
        return asdict(self)


def verdict(table: pd.DataFrame, *, model: str) -> Verdict:
    """The verdict on one model of a score table.

    The last step decides: it is the horizon that was asked for, and picking the best of several
    steps would find skill by chance. `beats` and `loses` need p < 0.05.

    Args:
        table: As from `score_table`.
        model: A model of the table.

    Raises:
        ValueError: if the model is not in the table.
    """
    rows = table[table["model"] == model]
    if rows.empty:
        raise ValueError(f"the table must hold {model}. It has {list(table['model'].unique())}.")
    row = rows[rows["step"] == rows["step"].max()].iloc[0]
    return judged(row.to_dict(), "mse", step=int(row["step"]), whose=model, prices="the price")


def judged(row: Mapping[str, Any], kind: str, *, step: int, whose: str, prices: str) -> Verdict:
    """The verdict on one model's row of scores.

    Args:
        row: `skill_…` and `dm_p_…` of the kind and of `pinball`, `pinball_reference` and
            `coverage_80`.
        kind: Of squared error: `mse` or `mse_return`.
        step: Sessions ahead.
        whose: The squared error is, as in a sentence.
        prices: What may move, as in a sentence.
    """
    price = outcome(row[f"skill_{kind}"], row[f"dm_p_{kind}"])
    spread = outcome(row["skill_pinball"], row["dm_p_pinball"])
    ahead, then = ahead_text(step), "tomorrow" if step == 1 else f"in {step} sessions"
    better = {"beats": "better than", "ties": "no better than", "loses": "worse than"}[price]
    text = (
        f"Price{ahead}: the squared error of {whose} is "
        f"{compared(row[f'skill_{kind}'], 'last close')} ({p_text(row[f'dm_p_{kind}'])}): "
        f'{better} "{then} = today".'
    )
    if row["pinball_reference"] is None:
        return Verdict(price, spread, f"{text} Spread: there is nothing to compare it with.")
    reference = PLAIN_NAMES[row["pinball_reference"]]
    ending = {
        "beats": f"a better picture of how far {prices} may move",
        "ties": "no clear difference",
        "loses": f"a worse picture of how far {prices} may move",
    }[spread]
    text += (
        f" Spread{ahead}: the pinball loss of its quantiles is "
        f"{compared(row['skill_pinball'], reference)} ({p_text(row['dm_p_pinball'])}): {ending}; "
        f"its 80 % band held {100 * row['coverage_80']:.1f} % of the outcomes."
    )
    return Verdict(price, spread, text)


def ahead_text(step: int) -> str:
    """How far ahead, as it stands in a sentence; nothing one session ahead."""
    return "" if step == 1 else f", {step} sessions ahead"


def outcome(skill: float, p: float) -> str:
    """`beats`, `ties` or `loses`; the first and the last need p < 0.05.

    Args:
        skill: NaN where the reference never errs: who then differs from it is worse.
        p: Of the test against the reference, NaN without one.
    """
    if not p < SIGNIFICANT:  # also when there is no p
        return "ties"
    return "beats" if skill > 0 else "loses"


def compared(skill: float, reference: str) -> str:
    """A loss beside that of a reference, such as "1.2 % below that of last close".

    Args:
        skill: NaN where the reference never errs, as `last close` of a price that stands still.
        reference: Its name in a sentence.
    """
    if math.isnan(skill):
        return f"no smaller than the zero of {reference}"
    percent = 100 * abs(skill)
    if percent < _ROUNDING:
        return f"the same as that of {reference}"
    # Not "the same": a test may find so little to be no chance.
    least = "less than 0.01 %"
    size = least if percent < 0.005 else f"{percent:.{2 if percent < 0.1 else 1}f} %"
    return f"{size} {'below' if skill > 0 else 'above'} that of {reference}"


def p_text(p: float) -> str:
    """A p-value as it stands in a sentence."""
    if math.isnan(p):
        return "no test"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.4f}" if round(p, 3) == SIGNIFICANT else f"p = {p:.3f}"
