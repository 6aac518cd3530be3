from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scoringrules
from scipy.stats import ttest_1samp

from forecast.evaluation.forecasts import QUANTILE_COLUMNS, forecast_frame
from forecast.evaluation.promotion import Learnt, judge
from forecast.features.targets import LEVELS, NORMAL, Prediction

N, SPREAD = 400, 0.02
RNG = np.random.default_rng(1)
CLOSE = 100.0 * np.exp(np.cumsum(RNG.normal(0, SPREAD, N)))
RETURNS = RNG.normal(0, SPREAD, (N, 2))
RETURNS[:, 1] += RETURNS[:, 0]
SESSIONS = pd.bdate_range("2024-01-01", periods=N + 2)
LIMITS = {"margin": 0.005, "level": 0.05, "band": (0.7, 0.9)}


def frame(model, *, spread=SPREAD, point=0.0, wobble=0.0, seed=0, rows=slice(None), steps=1):
    """Forecasts of normal returns: `spread` is right at 0.02, `wobble` makes it err at random."""
    rng = np.random.default_rng(seed)
    wide = spread * np.exp(wobble * rng.normal(size=(N, 1))) * np.sqrt(np.arange(1, steps + 1))
    actual = CLOSE[:, None] * np.exp(RETURNS[:, :steps])
    whole = forecast_frame(
        Prediction(np.full((N, steps), point), wide[:, :, None] * np.array(NORMAL)),
        ticker="AAPL",
        model=model,
        close=CLOSE,
        origins=SESSIONS[:N],
        sessions=np.stack([SESSIONS[s : N + s].to_numpy() for s in range(1, steps + 1)], axis=1),
        actual=actual,
    )
    origins = whole["origin"].unique()[rows]
    return whole[whole["origin"].isin(origins)]


EWMA = frame("ewma", wobble=0.2, seed=9)
CHAMPION = frame("champion", wobble=0.05, seed=5)


def losses(one):
    """Pinball loss of log returns at each origin, by scoringrules."""
    returns = np.log(one["actual"].to_numpy() / CLOSE)
    quantiles = [np.log(one[f"p{round(100 * level):02d}"].to_numpy() / CLOSE) for level in LEVELS]
    return np.mean(
        [
            scoringrules.quantile_score(returns, quantile, level)
            for quantile, level in zip(quantiles, LEVELS, strict=True)
        ],
        axis=0,
    )


def test_an_equal_is_promoted_and_the_sentence_says_why():
    found = judge(frame("lstm", wobble=0.05, seed=6), CHAMPION, EWMA, **LIMITS)
    assert found.promote
    assert found.reason.startswith(
        "Promoted: not worse than the champion beyond the margin of 0.50%; on 400 origins its "
    )
    difference = found.figures["champion"]["pinball"]["difference"]
    assert f"its pinball loss is {100 * abs(difference):.1f} % below" in found.reason
    assert "its squared error is the same as that of the champion" in found.reason
    assert found.reason.endswith(" that of the champion.")


def test_the_figures_are_those_computed_by_hand():
    challenger = frame("lstm", wobble=0.1, seed=6, point=0.001)
    figures = judge(challenger, CHAMPION, EWMA, **LIMITS).figures
    own, theirs = losses(challenger), losses(CHAMPION)
    against = figures["champion"]["pinball"]
    assert figures["origins"] == 400
    assert against["difference"] == pytest.approx(own.mean() / theirs.mean() - 1)
    assert against["margin"] == 0.005
    assert figures["champion"]["mse"]["margin"] == 0.01
    # Independent origins: nearly the t test.
    test = ttest_1samp(own - 1.005 * theirs, 0, alternative="less")
    assert against["p_not_worse"] == pytest.approx(test.pvalue, abs=0.03)
    squares = (RETURNS[:, 0] - 0.001) ** 2
    assert figures["champion"]["mse"]["difference"] == pytest.approx(
        squares.mean() / (RETURNS[:, 0] ** 2).mean() - 1
    )
    inside = np.abs(RETURNS[:, 0] / np.log(challenger["p90"].to_numpy() / CLOSE)) <= 1
    assert figures["coverage_80"] == pytest.approx(inside.mean())


@pytest.mark.parametrize(
    ("challenger", "says"),
    [
        ({"spread": 0.024}, "pinball loss is less than 0.50% above"),
        # As good on average, but on too few origins to show it.
        ({"wobble": 0.4, "rows": slice(90)}, "pinball loss is less than 0.50% above"),
        ({"point": 0.006}, "squared error is less than 1.00% above"),
        ({"spread": 0.005}, "80 % band held"),
        ({"spread": 0.08}, "80 % band held 100.0% of the outcomes (70% to 90% are allowed)"),
        ({"rows": slice(59)}, "only replaced on 60 common origins or more"),
    ],
)
def test_who_may_be_worse_is_not_promoted(challenger, says):
    rows = challenger.get("rows", slice(None))
    champion, ewma = (
        one[one["origin"].isin(one["origin"].unique()[rows])] for one in (CHAMPION, EWMA)
    )
    found = judge(frame("lstm", **challenger), champion, ewma, **LIMITS)
    assert not found.promote
    assert found.reason.startswith("Not promoted: ")
    assert says in found.reason


def test_a_better_one_is_promoted():
    found = judge(frame("lstm"), frame("champion", wobble=0.5), EWMA, **LIMITS)
    assert found.promote
    assert found.figures["champion"]["pinball"]["difference"] < -0.02


def test_the_margin_and_the_level_decide():
    challenger = frame("lstm", wobble=0.12, seed=6)
    assert not judge(challenger, CHAMPION, EWMA, **LIMITS | {"margin": 0.0}).promote
    assert judge(challenger, CHAMPION, EWMA, **LIMITS | {"margin": 0.1}).promote
    p = judge(challenger, CHAMPION, EWMA, **LIMITS).figures["champion"]["pinball"]["p_not_worse"]
    assert judge(challenger, CHAMPION, EWMA, **LIMITS | {"level": 1.01 * p}).promote
    assert not judge(challenger, CHAMPION, EWMA, **LIMITS | {"level": 0.99 * p}).promote


def test_the_very_same_forecasts_are_not_worse():
    assert judge(CHAMPION, CHAMPION, EWMA, **LIMITS | {"margin": 0.0}).promote


def test_who_has_learnt_nothing_is_not_promoted():
    good = frame("lstm")
    bad = frame("champion", wobble=0.5)
    assert judge(good, bad, EWMA, **LIMITS, learnt=Learnt(4.0, 4.0)).promote
    found = judge(good, bad, EWMA, **LIMITS, learnt=Learnt(3.4, 4.0))
    assert not found.promote
    assert "cannot be told from chance (t = 3.4, 3.5 is needed)" in found.reason
    assert found.figures["learnt"] == {"challenger": 3.4, "champion": 4.0}
    assert not judge(good, bad, EWMA, **LIMITS, learnt=Learnt(float("nan"), 4.0)).promote


def test_a_t_is_not_rounded_up_to_what_is_needed():
    good, bad = frame("lstm"), frame("champion", wobble=0.5)
    for learnt in (Learnt(3.499, 4.0), Learnt(4.0, 3.499)):
        found = judge(good, bad, EWMA, **LIMITS, learnt=learnt)
        assert "told from chance (t = 3.4, 3.5 is needed)" in found.reason


def test_a_champion_that_has_learnt_nothing_only_has_to_be_equalled():
    # Not significantly worse, but not shown to be within the margin either.
    challenger = frame("lstm", wobble=0.1, seed=6)
    assert not judge(challenger, CHAMPION, EWMA, **LIMITS, learnt=Learnt(5.0, 5.0)).promote
    found = judge(challenger, CHAMPION, EWMA, **LIMITS, learnt=Learnt(5.0, 1.2))
    assert found.promote
    assert "champion's learning cannot be told from chance (t = 1.2, 3.5 is needed)" in found.reason
    worse = frame("lstm", spread=0.025)
    found = judge(worse, CHAMPION, EWMA, **LIMITS, learnt=Learnt(5.0, 1.2))
    assert not found.promote
    assert "it is significantly worse than the champion" in found.reason


def test_a_first_network_must_not_be_significantly_worse_than_ewma():
    assert judge(frame("lstm"), None, EWMA, **LIMITS).reason.startswith(
        "Promoted: the first network, and not significantly worse than ewma; on 400 origins"
    )
    # Worse, but that may be chance.
    found = judge(frame("lstm", wobble=0.22, seed=3), None, EWMA, **LIMITS)
    assert found.figures["ewma"]["pinball"]["difference"] > 0
    assert found.figures["ewma"]["pinball"]["p_different"] > 0.05
    assert found.promote
    for worse in ({"spread": 0.03}, {"point": 0.01}):
        found = judge(frame("lstm", **worse), None, EWMA, **LIMITS)
        assert not found.promote
        assert "may not be significantly worse than ewma" in found.reason
    # No number of origins is too few for the first one.
    few = {"rows": slice(30)}
    assert judge(frame("lstm", **few), None, frame("ewma", **few), **LIMITS).promote


def test_the_first_network_for_its_horizon_must_have_learnt_and_be_within_the_band():
    found = judge(frame("lstm"), None, EWMA, **LIMITS, learnt=Learnt(4.0, None))
    assert found.reason.startswith("Promoted: the first network for its horizon, and not signif")
    for limits, t, told in (
        (LIMITS, 3.0, "told from chance (t = 3.0, 3.5 is needed)"),
        (LIMITS | {"band": (0.97, 0.99)}, 4.0, "of the outcomes (97% to 99% are allowed)"),
    ):
        found = judge(frame("lstm"), None, EWMA, **limits, learnt=Learnt(t, None))
        assert not found.promote
        assert told in found.reason


def test_a_bad_champion_is_no_excuse_for_being_worse_than_ewma():
    ewma = frame("ewma")
    champion = frame("champion", spread=0.026)
    found = judge(frame("lstm", spread=0.02601), champion, ewma, **LIMITS | {"band": (0.5, 1.0)})
    assert not found.promote
    assert "neither better than the champion nor as good as ewma" in found.reason
    assert judge(
        frame("lstm", spread=0.025), champion, ewma, **LIMITS | {"band": (0.5, 1.0)}
    ).promote


def test_the_last_step_decides_and_unknown_outcomes_do_not():
    two = {"steps": 2}
    challenger, champion, ewma = (frame(name, **two) for name in ("lstm", "champion", "ewma"))
    spoiled = challenger.copy()
    spoiled.loc[spoiled["step"] == 1, ["p05", "p10", "p25"]] *= 0.5
    assert judge(spoiled, champion, ewma, **LIMITS).promote
    for one in (spoiled, champion, ewma):
        one.loc[one["origin"] >= one["origin"].unique()[300], "actual"] = np.nan
    spoiled.loc[spoiled["actual"].isna(), "predicted"] = 1.0
    found = judge(spoiled, champion, ewma, **LIMITS)
    assert (found.promote, found.figures["origins"]) == (True, 300)


def test_forecasts_of_other_sessions_or_outcomes_are_refused():
    with pytest.raises(ValueError, match="the same sessions"):
        judge(frame("lstm", rows=slice(1, None)), CHAMPION, EWMA, **LIMITS)
    with pytest.raises(ValueError, match="the same sessions"):
        judge(frame("lstm"), frame("champion", rows=slice(300)), EWMA, **LIMITS)
    with pytest.raises(ValueError, match="the same outcomes"):
        judge(frame("lstm"), CHAMPION.assign(actual=CHAMPION["actual"] * 1.001), EWMA, **LIMITS)
    with pytest.raises(ValueError, match="no outcome is known"):
        judge(*(one.assign(actual=np.nan) for one in (CHAMPION, CHAMPION, EWMA)), **LIMITS)


def test_prices_that_stand_still_are_no_division_by_zero():
    still = frame("lstm", spread=0.0)
    for name in ("actual", "predicted", *(f"p{round(100 * level):02d}" for level in LEVELS)):
        still[name] = np.repeat(100.0, N)
    found = judge(still, still, still, **LIMITS | {"band": (0.7, 1.0)})
    assert found.promote
    assert "no smaller than the zero of the champion" in found.reason


def test_who_errs_where_ewma_never_does_is_no_first_network():
    """A price that stands still, which ewma forecasts to the last digit."""
    prices = ["predicted", *QUANTILE_COLUMNS, "actual"]
    still = EWMA.assign(**dict.fromkeys(prices, 5.0))
    errs = still.assign(model="lstm", predicted=5.001, p05=4.99, p95=5.01)
    found = judge(errs, None, still, **LIMITS)
    assert found.reason.startswith("Not promoted: a first network may not be significantly worse")
    assert judge(still.assign(model="lstm"), None, still, **LIMITS).promote
