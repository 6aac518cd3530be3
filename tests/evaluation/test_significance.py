from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from statsmodels.tsa.stattools import diebold_mariano_test

from forecast.evaluation import significance
from forecast.evaluation.significance import (
    diebold_mariano,
    model_confidence_set,
    pesaran_timmermann,
    skill,
    skill_intervals,
    superior,
)

RNG = np.random.default_rng(11)
ACTUAL = RNG.normal(size=300)
GOOD, BAD = ACTUAL + RNG.normal(0, 0.5, 300), ACTUAL + RNG.normal(0, 0.7, 300)


def test_diebold_mariano_of_the_next_session_is_that_of_statsmodels():
    direct = diebold_mariano_test(ACTUAL, GOOD, BAD, criterion="mse", harvey_adj=True)
    assert diebold_mariano((ACTUAL - GOOD) ** 2, (ACTUAL - BAD) ** 2, step=1) == direct.pvalue


DIFFERENCE = np.array([3, -1, 2, 0, 1, -2, 4, 1, 0, 2, -1, 3], dtype="float64")


# Step 1: ceil(12 ** (1/3)) = 3 lags, Bartlett. Steps 2 and 3: 1 and 2 lags, all with weight 1; with
# 1 lag the variance is below zero, so it is Bartlett's 3 lags again.
@pytest.mark.parametrize(
    ("step", "weights"), [(1, [0.75, 0.5, 0.25]), (2, [0.75, 0.5, 0.25]), (3, [1.0, 1.0])]
)
def test_diebold_mariano_by_hand(step, weights):
    away = DIFFERENCE - DIFFERENCE.mean()
    covariances = [away[lag:] @ away[: 12 - lag] / 12 for lag in range(4)]
    assert covariances[0] + 2 * covariances[1] < 0 < covariances[0] + 2 * sum(covariances[1:3])
    long_run = covariances[0] + 2 * sum(
        weight * one for weight, one in zip(weights, covariances[1:], strict=False)
    )
    harvey = np.sqrt((12 + 1 - 2 * step + step * (step - 1) / 12) / 12)
    p = 2 * student.cdf(-harvey * DIFFERENCE.mean() / np.sqrt(long_run / 12), df=12 / step - 1)
    assert diebold_mariano(DIFFERENCE, np.zeros(12), step=step) == pytest.approx(p, abs=1e-12)


def test_diebold_mariano_allows_for_overlap():
    """Sums of 20 neighbouring values, as 20 sessions ahead: 5 % of the tests reject, not 11 %."""
    rng = np.random.default_rng(0)
    sums = np.cumsum(rng.standard_normal((1000, 490)), axis=1)
    p = [diebold_mariano(row[20:] - row[:-20], np.zeros(470), step=20) for row in sums]
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.08


@pytest.mark.parametrize(("n", "step"), [(30, 5), (60, 20)])
def test_diebold_mariano_of_few_independent_outcomes_is_no_bolder(n, step):
    """With n - 1 degrees of freedom 11 and 21 % of the tests of nothing rejected."""
    sums = np.cumsum(np.random.default_rng(3).standard_normal((600, n + step)), axis=1)
    p = [diebold_mariano(row[step:] - row[:-step], np.zeros(n), step=step) for row in sums]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085


def test_no_test_is_nan():
    losses = RNG.random(40)
    assert np.isnan(diebold_mariano(losses, losses, step=1))
    assert np.isnan(diebold_mariano(losses[:9], losses[1:10], step=1))
    assert np.isnan(diebold_mariano(losses, losses[::-1], step=20))
    assert not np.isnan(diebold_mariano(losses, losses[::-1], step=19))


def test_the_same_difference_everywhere_is_no_chance():
    assert diebold_mariano(np.zeros(10), np.ones(10), step=1) == 0.0
    assert np.isnan(diebold_mariano(np.zeros(9), np.ones(9), step=1))
    assert np.isnan(diebold_mariano(np.zeros(10), np.ones(10), step=5))


def test_skill_by_hand():
    assert skill(np.array([1.0, 2.0]), np.array([3.0, 3.0])) == pytest.approx(0.5)
    assert np.isnan(skill(np.ones(2), np.zeros(2)))


def test_intervals_hold_the_skill_and_are_seeded():
    losses = np.column_stack([(ACTUAL - GOOD) ** 2, (ACTUAL - BAD) ** 2, np.ones(300)])
    base = np.column_stack([losses[:, 1], losses[:, 1], np.zeros(300)])
    bounds = skill_intervals(losses, base, step=1)
    low, high = bounds[0]
    assert 0 < low < skill(losses[:, 0], base[:, 0]) < high < 1
    np.testing.assert_allclose(bounds[1], 0, atol=1e-15)
    assert np.isnan(bounds[2]).all()
    np.testing.assert_array_equal(bounds, skill_intervals(losses, base, step=1))
    assert np.isnan(skill_intervals(losses[:9], base[:9], step=1)).all()


def test_interval_of_independent_losses_has_the_textbook_width():
    rng = np.random.default_rng(1)
    losses = rng.exponential(size=(2000, 1))
    low, high = skill_intervals(losses, np.ones((2000, 1)), step=1)[0]
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.15)


def test_model_confidence_set_keeps_the_better_and_its_twin():
    good, bad = (ACTUAL - GOOD) ** 2, (ACTUAL - BAD) ** 2
    losses = pd.DataFrame({"bad": bad, "good": good, "twin": good})
    p = model_confidence_set(losses, step=1)
    assert p["good"] == p["twin"] == 1.0
    assert p["bad"] < 0.01
    assert list(p.index) == ["bad", "good", "twin"]
    assert model_confidence_set(losses[["good", "twin"]], step=1).tolist() == [1.0, 1.0]
    assert model_confidence_set(losses.iloc[:9], step=1).isna().all()


def test_model_confidence_set_of_losses_that_stand_still():
    still = pd.DataFrame({"none": np.zeros(100), "some": np.full(100, 0.1), "more": 0.2})
    assert model_confidence_set(still, step=1).tolist() == [1.0, 0.0, 0.0]
    good, bad = (ACTUAL - GOOD) ** 2, (ACTUAL - BAD) ** 2
    moving = pd.DataFrame({"bad": bad, "good": good})
    near = pd.DataFrame({"one": good, "two": good * (1 + 1e-15 * RNG.normal(size=300))})
    assert model_confidence_set(near, step=1).tolist() == [1.0, 1.0]
    wild = moving.assign(wild=1e12 * good)
    assert model_confidence_set(wild, step=1)["bad"] == model_confidence_set(moving, step=1)["bad"]
    beside = moving.assign(worse=good + 0.1, worst=good + 0.3, behind_bad=bad + 0.01)
    p = model_confidence_set(beside, step=1)
    assert p[["worse", "worst", "behind_bad"]].tolist() == [0.0, 0.0, 0.0]
    pd.testing.assert_series_equal(
        p[["bad", "good"]], model_confidence_set(moving, step=1), check_index_type=False
    )


def test_pesaran_timmermann_by_hand():
    # 20 origins: 8 rises called, 2 falls called up, 3 rises called down, 7 falls called.
    actual = np.repeat([1.0, -1.0, 1.0, -1.0], [8, 2, 3, 7])
    called = np.repeat([1.0, 1.0, -1.0, -1.0], [8, 2, 3, 7])
    n, hits, up, said = 20, 15 / 20, 11 / 20, 10 / 20
    chance = up * said + (1 - up) * (1 - said)
    v = chance * (1 - chance) / n
    w = (
        (2 * up - 1) ** 2 * said * (1 - said) / n
        + (2 * said - 1) ** 2 * up * (1 - up) / n
        + 4 * up * said * (1 - up) * (1 - said) / n**2
    )
    statistic = (hits - chance) / np.sqrt(v - w)
    from scipy.stats import norm

    assert pesaran_timmermann(actual, called) == pytest.approx(norm.sf(statistic), abs=1e-12)
    # Origins without a direction are left out.
    padded = pesaran_timmermann(np.r_[actual, 0, 1], np.r_[called, 1, 0])
    assert padded == pytest.approx(norm.sf(statistic), abs=1e-12)


def test_pesaran_timmermann_has_its_size():
    rng = np.random.default_rng(2)
    p = [pesaran_timmermann(rng.normal(0.1, 1, 250), rng.normal(0.2, 1, 250)) for _ in range(400)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09


def test_pesaran_timmermann_without_two_directions():
    assert np.isnan(pesaran_timmermann(RNG.normal(size=50), np.ones(50)))
    assert np.isnan(pesaran_timmermann(np.ones(50), RNG.normal(size=50)))
    assert np.isnan(pesaran_timmermann(RNG.normal(size=50), np.zeros(50)))


def test_superior_models_are_found_and_noise_is_not():
    rng = np.random.default_rng(4)
    reference = rng.gamma(2.0, 1.0, 500)
    losses = pd.DataFrame(
        {
            "better": reference - 0.2 + rng.normal(0, 0.5, 500),
            "same": reference + rng.normal(0, 0.5, 500),
            # Its mean is lower by luck, and its scatter would drown the others' if it were not
            # divided by its own deviation.
            "erratic": reference - 0.3 + rng.normal(0, 30.0, 500),
            "twin": reference,
        }
    )
    p, found = superior(losses, reference, step=1)
    assert p < 0.001
    assert found == ["better"]
    p, found = superior(losses[["same", "erratic"]], reference, step=1)
    assert p > 0.05
    assert found == []


def test_superior_where_there_is_no_test():
    reference = np.arange(20.0)
    same = pd.DataFrame({"a": reference, "b": reference - 1.0})
    assert math.isnan(superior(same, reference, step=1)[0])
    short = pd.DataFrame({"a": np.arange(9.0) ** 2})
    assert superior(short, reference[:9], step=1)[1] == []


def test_superior_rejects_as_seldom_as_it_says(monkeypatch):
    """Five models that differ from the reference by noise: 2.5 % of the tests find one better."""
    monkeypatch.setattr(significance, "TAIL_REPETITIONS", 1_000)
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(60):
        reference = rng.gamma(2.0, 1.0, 150)
        losses = pd.DataFrame(reference[:, None] + rng.normal(0, 0.3, (150, 5)))
        found += bool(superior(losses.add_prefix("m"), reference, step=1)[1])
    # Binomial(60, 0.025): 6 or more in 0.4 % of such tests.
    assert found <= 5


def test_no_model_is_named_at_the_edge(monkeypatch):
    """At p = 0.05 to the draw the critical value of `arch` lies below the gain; none is named."""
    monkeypatch.setattr(significance, "TAIL_REPETITIONS", 400)
    gain = np.random.default_rng(6).normal(size=(100, 1))
    gain -= gain.mean()
    low, high = 0.0, 1.0
    for _ in range(40):
        shift = (low + high) / 2
        p, found = superior(pd.DataFrame(-gain - shift, columns=["m"]), np.zeros(100), step=1)
        if p == 0.05:
            break
        low, high = (shift, high) if p > 0.05 else (low, shift)
    assert (p, found) == (0.05, [])
