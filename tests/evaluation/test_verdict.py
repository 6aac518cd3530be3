from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_scores import by_hand

from forecast.evaluation.scores import score_table
from forecast.evaluation.verdict import verdict


def table(**changes):
    row = {
        "model": "lstm",
        "step": 1,
        "skill_mse": -0.003,
        "dm_p_mse": 0.41,
        "skill_pinball": 0.022,
        "dm_p_pinball": 0.003,
        "pinball_reference": "garch",
        "coverage_80": 0.798,
    }
    return pd.DataFrame([row | changes])


def test_the_whole_text():
    result = verdict(table(), model="lstm")
    assert result.as_document() == {
        "price": "ties",
        "uncertainty": "beats",
        "text": "Price: the squared error of lstm is 0.3 % above that of last close (p = 0.410): "
        'no better than "tomorrow = today". Spread: the pinball loss of its quantiles is 2.2 % '
        "below that of the GARCH baseline (p = 0.003): a better picture of how far the price may "
        "move; its 80 % band held 79.8 % of the outcomes.",
    }


@pytest.mark.parametrize(
    ("skill", "p", "outcome", "words"),
    [
        (0.02, 0.0499, "beats", 'better than "tomorrow = today"'),
        (0.02, 0.05, "ties", "no better"),
        (0.02, 0.0501, "ties", "no better"),
        (-0.02, 0.0499, "loses", "worse than"),
        (-0.02, 0.05, "ties", "no better"),
        (0.0, np.nan, "ties", "the same as that of last close (no test)"),
        (np.nan, np.nan, "ties", "no smaller than the zero of last close"),
        (np.nan, 0.0499, "loses", "no smaller than the zero of last close"),
    ],
)
def test_boundaries(skill, p, outcome, words):
    result = verdict(table(skill_mse=skill, dm_p_mse=p), model="lstm")
    assert result.price == outcome
    assert words in result.text
    spread = verdict(table(skill_pinball=skill, dm_p_pinball=p), model="lstm").uncertainty
    assert spread == outcome


def test_p_is_never_rounded_across_the_boundary():
    assert "p = 0.0499" in verdict(table(skill_mse=0.1, dm_p_mse=0.0499), model="lstm").text
    assert "p = 0.0501" in verdict(table(skill_mse=0.1, dm_p_mse=0.0501), model="lstm").text
    assert "p < 0.001" in verdict(table(skill_mse=0.1, dm_p_mse=1e-9), model="lstm").text


def test_small_differences_are_shown():
    assert "0.04 % below" in verdict(table(skill_mse=0.0004), model="lstm").text
    # However little it is, a test may find it to be no chance: "the same" would deny it.
    little = verdict(table(skill_mse=0.00004, dm_p_mse=0.03), model="lstm")
    assert little.price == "beats"
    assert "is less than 0.01 % below that of last close (p = 0.030)" in little.text


def test_the_last_step_decides():
    both = pd.concat([table(step=5, skill_mse=-0.1, dm_p_mse=0.01), table(step=1)])
    result = verdict(both, model="lstm")
    assert result.price == "loses"
    assert result.text.startswith("Price, 5 sessions ahead: ")
    assert 'worse than "in 5 sessions = today". Spread, 5 sessions ahead' in result.text


def test_no_reference_for_the_spread():
    result = verdict(
        table(pinball_reference=None, skill_pinball=np.nan, dm_p_pinball=np.nan), model="lstm"
    )
    assert result.uncertainty == "ties"
    assert result.text.endswith("Spread: there is nothing to compare it with.")


def test_a_price_that_stands_still_is_lost_by_the_model_that_errs():
    still = np.full(40, 5.0)
    errs = still * np.exp(np.linspace(0.001, 0.002, 40))
    scores = score_table(by_hand(still, still, {"ewma": still, "net": errs}))
    assert scores[["skill_mse", "skill_pinball"]].isna().all(axis=None)
    assert verdict(scores, model="net").as_document() == {
        "price": "loses",
        "uncertainty": "loses",
        "text": "Price: the squared error of net is no smaller than the zero of last close "
        '(p < 0.001): worse than "tomorrow = today". Spread: the pinball loss of its quantiles is '
        "no smaller than the zero of the EWMA baseline (p < 0.001): a worse picture of how far "
        "the price may move; its 80 % band held 0.0 % of the outcomes.",
    }
    same = verdict(scores, model="ewma")
    assert (same.price, same.uncertainty) == ("ties", "ties")


def test_a_model_that_is_not_there():
    with pytest.raises(ValueError, match="must hold gru"):
        verdict(table(), model="gru")
