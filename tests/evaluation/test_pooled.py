from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from simulated import random_walk

from forecast.baselines import BASELINES
from forecast.evaluation.forecasts import forecast_frame, outcomes
from forecast.evaluation.pooled import losses_by_day, pool, pooled_scores
from forecast.evaluation.scores import score_table
from forecast.evaluation.significance import diebold_mariano


def frame_of(ticker, *, seed, origins=120, late=0, scale=1.0):
    bars = random_walk(500, seed=seed) * [scale, scale, scale, scale, 1.0]
    chosen = bars.index[-origins - 1 : -1 - late]
    sessions, actual = outcomes(bars, chosen, horizon=1)
    return pd.concat(
        [
            forecast_frame(
                BASELINES[name](bars, chosen, horizon=1, fitted_until=bars.index[300]),
                ticker=ticker,
                model=name,
                close=bars["close"].loc[chosen].to_numpy(),
                origins=chosen,
                sessions=sessions,
                actual=actual,
            )
            for name in ("last_close", "drift", "ewma", "har")
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def frames():
    # The second has 20 days less, and prices a thousand times as high.
    return [frame_of("ONE", seed=1), frame_of("TWO", seed=2, late=20, scale=1000.0)]


@pytest.fixture(scope="module")
def pooled(frames):
    days = pool(losses_by_day(frame, step=1) for frame in frames)
    return pooled_scores(days, model="har", step=1, tickers=2)


def test_means_are_those_of_all_forecasts_together(frames, pooled):
    table = score_table(pd.concat(frames, ignore_index=True)).set_index("model")
    scores = pooled.scores.set_index("model")
    assert (pooled.forecasts, pooled.days) == (220, 120)
    for column in ("mse_return", "direction_accuracy", "pinball", "coverage_80"):
        expected, found = table[column].astype("float64"), scores[column].astype("float64")
        pd.testing.assert_series_equal(found, expected, check_names=False)
    pd.testing.assert_series_equal(
        scores["skill_pinball"], table["skill_pinball"].astype("float64"), check_names=False
    )
    # A price of any size counts the same: the error is that of the log return.
    assert scores.loc["har", "skill_mse_return"] == 0.0


def test_the_test_counts_days(frames, pooled):
    days = {}
    for frame in frames:
        known = frame.set_index("model")
        for name in ("har", "ewma"):
            rows = known.loc[name]
            start = known.loc["last_close", "predicted"].to_numpy()
            came = np.log(rows["actual"].to_numpy() / start)
            for place, origin in enumerate(rows["origin"]):
                quantiles = np.log(rows.iloc[place][6 - 1 : 12].to_numpy("float64") / start[place])
                levels = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
                error = came[place] - quantiles
                loss = np.maximum(levels * error, (levels - 1) * error).mean()
                days.setdefault(origin, {"har": 0.0, "ewma": 0.0})[name] += loss
    table = pd.DataFrame(days).T.sort_index() * (120 / 220)
    expected = diebold_mariano(table["har"].to_numpy(), table["ewma"].to_numpy(), step=1)
    own = pooled.scores.set_index("model").loc["har"]
    assert own["dm_p_pinball"] == pytest.approx(expected, rel=1e-9)
    assert own["pinball_reference"] == "ewma"
    assert own["skill_pinball_low"] < own["skill_pinball"] < own["skill_pinball_high"]


def test_the_sentence_and_the_document(pooled):
    assert pooled.text.startswith("2 tickers together, 220 forecasts on 120 days. Price: ")
    assert "the EWMA baseline" in pooled.text
    document = json.loads(json.dumps(pooled.as_document(), allow_nan=False))
    assert document["verdict"]["price"] == "ties"
    assert [row["model"] for row in document["scores"]] == ["last_close", "drift", "ewma", "har"]


def test_the_sentence_says_how_far_ahead(frames):
    days = pool(losses_by_day(frame.assign(step=5), step=5) for frame in frames)
    text = pooled_scores(days, model="har", step=5, tickers=2).text
    assert "Price, 5 sessions ahead: " in text
    assert "Spread, 5 sessions ahead: " in text


def test_the_order_of_the_tickers_does_not_matter(frames):
    one, other = (
        pooled_scores(
            pool(losses_by_day(frame, step=1) for frame in order), model="har", step=1, tickers=2
        ).scores
        for order in (frames, frames[::-1])
    )
    pd.testing.assert_frame_equal(one, other, rtol=1e-12)


def test_nothing_to_pool_and_an_unknown_model(frames):
    with pytest.raises(ValueError, match="something to pool"):
        pool([])
    with pytest.raises(ValueError, match="lstm"):
        pooled_scores(losses_by_day(frames[0], step=1), model="lstm", step=1, tickers=1)
