"""The sentence under the scores of classes: is the network better than the commonest class?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast.evaluation.class_scores import CLASS_REFERENCE
from forecast.evaluation.verdict import (
    PLAIN_NAMES,
    Verdict,
    ahead_text,
    compared,
    outcome,
    p_text,
)

_CALLS = {
    "beats": "better than always naming the commonest class",
    "ties": "no better than always naming the commonest class",
    "loses": "worse than always naming the commonest class",
}
_ODDS = {
    "beats": "better odds than the classes’ usual shares",
    "ties": "no better than the classes’ usual shares",
    "loses": "worse than the classes’ usual shares",
}


def class_verdict(table: pd.DataFrame, *, model: str) -> Verdict:
    """The verdict on one model of a table of class scores, at the last step.

    `price` tells of the classes it names (the share of wrong calls against `majority`),
    `uncertainty` of its probabilities (the log loss against the training part's shares). `beats`
    and `loses` need p < 0.05.

    Args:
        table: As from `class_score_table`.
        model: A model of the table.

    Raises:
        ValueError: if the model is not in the table.
    """
    last = table[table["step"] == table["step"].max()].set_index("model")
    if model not in last.index:
        raise ValueError(f"the table must hold {model}. It has {list(last.index)}.")
    ahead = ahead_text(int(last["step"].iloc[0]))
    row, base = last.loc[model], last.loc[CLASS_REFERENCE]
    text = class_sentences(row.to_dict(), base.to_dict(), model=model, ahead=ahead)
    simple = last.drop(index=CLASS_REFERENCE)["log_loss"].filter(items=list(PLAIN_NAMES))
    if len(simple):
        best = str(simple.idxmin())
        text += (
            f" For comparison, {PLAIN_NAMES[best]}’s spread gives odds with a log loss of "
            f"{simple[best]:.4f}; {model} has {row['log_loss']:.4f}."
        )
    return Verdict(
        outcome(row["skill_error"], row["dm_p_error"]),
        outcome(row["skill_log_loss"], row["dm_p_log_loss"]),
        text,
    )


def class_sentences(
    row: Mapping[str, Any], base: Mapping[str, Any], *, model: str, ahead: str = ""
) -> str:
    """What a model's row of scores says beside that of `majority`, in plain words."""
    calls = outcome(row["skill_error"], row["dm_p_error"])
    odds = outcome(row["skill_log_loss"], row["dm_p_log_loss"])
    usual = f"{100 * base['accuracy']:.1f} %"
    if math.isnan(row["dm_p_error"]) and row["accuracy"] == base["accuracy"]:
        named = (
            f"{model} always names the commonest class of the training part, which came {usual} "
            "of the time"
        )
    else:
        named = (
            f"{model} names the right class {100 * row['accuracy']:.1f} % of the time, the "
            f"commonest class of the training part came {usual} ({p_text(row['dm_p_error'])})"
        )
    shares = "the classes’ shares in the training part"
    return (
        f"Calls{ahead}: {named}: {_CALLS[calls]}. Probabilities{ahead}: the log loss is "
        f"{compared(row['skill_log_loss'], shares)} "
        f"({p_text(row['dm_p_log_loss'])}): {_ODDS[odds]}."
    )
