"""The live scores against the same figures made by hand from the rows."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from ledger.issues import bars_of, fill

from forecast.config import Settings
from forecast.ledger import open_ledger
from forecast.ledger.promise import promised_scores
from forecast.ledger.scores import (
    last_step,
    live_forecasts,
    live_scores,
    outcomes_of,
    rolling_scores,
)
from forecast.nightly.live import live_record
from forecast.pipeline.ledger import ledger as read_ledger
from forecast.registry import Shelf
from forecast.report.track_record_text import ledger_lines

LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
QUANTILES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]
AAPL, IBM = bars_of(60), bars_of(60, seed=8)
NOW = datetime(2012, 3, 28, tzinfo=UTC)


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> pd.DataFrame:
    """AAPL two steps ahead, IBM one step; one correction of IBM; the last ones pending."""
    corrected = IBM.assign(close=IBM["close"].where(IBM.index != IBM.index[30], 45.0))
    with open_ledger(tmp_path_factory.mktemp("scores")) as ledger:
        fill(ledger, AAPL, range(5, 50), horizon=2, point=0.002)
        fill(ledger, IBM, range(20, 55), ticker="IBM", run="run-2", spread=0.015)
        ledger.settle("IBM", corrected.iloc[:55], snapshot="late", now=NOW)
        return ledger.track_record()


def pinball_by_hand(came: float, quantiles: np.ndarray) -> float:
    losses = [
        level * (came - q) if came >= q else (1 - level) * (q - came)
        for level, q in zip(LEVELS, quantiles, strict=True)
    ]
    return sum(losses) / 7


def rows_by_hand(record, bars, ticker, step) -> pd.DataFrame:
    """Outcomes again from the bars, losses by plain arithmetic."""
    own = record[(record["ticker"] == ticker) & (record["step"] == step)]
    rows = []
    for _, row in own.iterrows():
        at = bars.index.get_loc(row["origin"])
        if row["status"] != "settled":
            continue
        came = math.log(bars["close"].iloc[at + step] / bars["close"].iloc[at])
        close = row["last_close"]
        rows.append(
            {
                "squared": (close * math.exp(came) - close * math.exp(row["point"])) ** 2,
                "naive": (close * math.exp(came) - close) ** 2,
                "absolute": abs(close * math.exp(came) - close * math.exp(row["point"])),
                "squared_return": (came - row["point"]) ** 2,
                "pinball": pinball_by_hand(came, row[QUANTILES].to_numpy(float)),
                "ewma": pinball_by_hand(
                    came, row[[f"reference_{name}" for name in QUANTILES]].to_numpy(float)
                ),
                "inside": row["p10"] <= came <= row["p90"],
                "inside_50": row["p25"] <= came <= row["p75"],
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("ticker", "bars", "step"), [("AAPL", AAPL, 1), ("AAPL", AAPL, 2)])
def test_scores_of_a_ticker_are_those_made_by_hand(record, ticker, bars, step):
    hand = rows_by_hand(record, bars, ticker, step)
    scores = live_scores(record).set_index(["ticker", "step"]).loc[(ticker, step)]
    assert scores["forecasts"] == len(hand) == 45 - step
    assert scores["mse_price"] == pytest.approx(hand["squared"].mean(), rel=1e-11)
    assert scores["mae_price"] == pytest.approx(hand["absolute"].mean(), rel=1e-11)
    assert scores["mse_return"] == pytest.approx(hand["squared_return"].mean(), rel=1e-9)
    assert scores["pinball"] == pytest.approx(hand["pinball"].mean(), rel=1e-11)
    assert scores["pinball_ewma"] == pytest.approx(hand["ewma"].mean(), rel=1e-11)
    assert scores["coverage_80"] == hand["inside"].mean()
    assert scores["coverage_50"] == hand["inside_50"].mean()
    assert scores["skill_mse"] == pytest.approx(1 - hand["squared"].mean() / hand["naive"].mean())
    assert scores["skill_pinball"] == pytest.approx(
        1 - hand["pinball"].mean() / hand["ewma"].mean()
    )
    assert 0 < scores["dm_p_pinball"] < 1
    assert scores["first"] == bars.index[5 + step]
    assert scores["last"] == bars.index[49]


def test_over_all_tickers_errors_are_relative_to_the_close(record):
    scores = live_scores(record).set_index(["ticker", "step"])
    whole = scores.loc[("all", 1)]
    assert whole["forecasts"] == 44 + 34
    assert math.isnan(whole["mse_price"])
    own = record[(record["step"] == 1) & record["actual"].notna()]
    came = np.exp(own["corrected"].fillna(own["actual"]))
    # Of each origin the tickers are added up first: tickers move together.
    squared = pd.DataFrame(
        {"origin": own["origin"], "a": (came - np.exp(own["point"])) ** 2, "b": (came - 1) ** 2}
    )
    by_origin = squared.groupby("origin").sum()
    assert whole["skill_mse"] == pytest.approx(1 - by_origin["a"].sum() / by_origin["b"].sum())
    parts = [scores.loc[(name, 1)] for name in ("AAPL", "IBM")]
    mean = sum(one["pinball"] * one["forecasts"] for one in parts) / 78
    assert whole["pinball"] == pytest.approx(mean)


def test_a_correction_is_what_is_scored(record):
    changed = record["corrected"].notna()
    assert record.loc[changed, "ticker"].tolist() == ["IBM", "IBM"]
    outcomes = outcomes_of(record)
    assert (outcomes[changed] == record.loc[changed, "corrected"]).all()
    rest = ~changed
    assert outcomes[rest].equals(record.loc[rest, "actual"])


def test_prices_are_in_the_money_of_the_day_of_issue(record):
    frame = live_forecasts(record)
    first = frame[(frame["ticker"] == "AAPL") & (frame["model"] == "issued")].iloc[0]
    close = AAPL["close"].iloc[5]
    assert first["predicted"] == pytest.approx(close * math.exp(0.002))
    assert first["actual"] == pytest.approx(AAPL["close"].iloc[6])
    assert set(frame.loc[frame["model"] == "last_close", "p50"]) == set(record["last_close"])


def test_the_record_is_of_the_newest_forecasts_last_step(tmp_path):
    with open_ledger(tmp_path) as ledger:
        fill(ledger, AAPL, range(5, 20), horizon=3)
        fill(ledger, AAPL, range(20, 30), horizon=1)
        record = ledger.track_record("AAPL")
    assert last_step(record) == 1
    live = live_record(Shelf(tmp_path), "AAPL", record)
    assert live is not None
    assert (live["step"], live["forecasts"]) == (1, 24)
    told = read_ledger(None, home=tmp_path, settings=Settings()).document
    assert told["tickers"][0]["step"] == 1
    line = next(line for line in ledger_lines(told) if line.startswith("AAPL"))
    assert line.split()[:3] == ["AAPL", "1", "24"]
    assert live_record(Shelf(tmp_path), "AAPL", record.iloc[:0]) is None


def test_without_an_outcome_there_is_no_score(record):
    pending = record[record["status"] == "pending"]
    assert len(pending) == 4
    assert live_scores(pending).empty
    assert live_scores(record.iloc[:0]).empty
    assert rolling_scores(record.iloc[:0]).empty


def test_few_outcomes_have_no_test(record):
    scores = live_scores(record[record["ticker"] == "AAPL"].iloc[:16]).set_index(["ticker", "step"])
    assert scores.loc[("AAPL", 1), "forecasts"] == 8
    assert math.isnan(scores.loc[("AAPL", 1), "dm_p_mse"])


def test_rolling_figures_are_those_made_by_hand(record):
    own = record[record["ticker"] == "AAPL"]
    hand = rows_by_hand(record, AAPL, "AAPL", 1)
    rolling = rolling_scores(own, step=1, window=10)
    assert rolling.index.tolist() == AAPL.index[6:50].tolist()
    assert rolling["coverage_80"].isna().sum() == 9
    assert rolling["coverage_80"].iloc[9] == pytest.approx(hand["inside"].iloc[:10].mean())
    last = hand.iloc[-10:]
    assert rolling["skill_pinball"].iloc[-1] == pytest.approx(
        1 - last["pinball"].sum() / last["ewma"].sum()
    )
    assert rolling["skill_so_far"].iloc[20] == pytest.approx(
        1 - hand["pinball"].iloc[:21].sum() / hand["ewma"].iloc[:21].sum()
    )
    with pytest.raises(ValueError, match="one ticker"):
        rolling_scores(record)


def document(pinball: float, ewma: float, coverage: float = 0.8) -> dict:
    def row(model, step, value):
        return {
            "model": model,
            "step": step,
            "pinball": value,
            "coverage_80": coverage,
            "skill_mse": 0.01,
            "skill_pinball": 0.5,
        }

    return {
        "network": "lstm",
        "scores": [row("lstm", 1, pinball), row("last_close", 1, 1.0), row("ewma", 1, ewma)],
    }


def test_the_promise_is_the_mean_over_the_forecasts_of_the_runs(record):
    own = record[record["ticker"] == "AAPL"].copy()
    own.loc[own["origin"] >= AAPL.index[39], "run"] = "run-9"
    runs = {"run-1": document(0.9, 1.0, 0.8), "run-9": document(0.5, 1.0, 0.6)}
    table = promised_scores(own, runs).set_index("step")
    first, second = 39 - 5, 49 - 39  # forecasts one step ahead with an outcome
    assert table.loc[1, "pinball"] == pytest.approx((first * 0.9 + second * 0.5) / 44)
    assert table.loc[1, "coverage_80"] == pytest.approx((first * 0.8 + second * 0.6) / 44)
    assert table.loc[1, "skill_pinball"] == pytest.approx((first * 0.1 + second * 0.5) / 44)
    assert table.loc[1, "unknown"] == 0
    # The runs say nothing of two steps ahead.
    assert math.isnan(table.loc[2, "pinball"])
    assert table.loc[2, "unknown"] == 43


def test_a_run_that_is_gone_promises_nothing(record):
    own = record[record["ticker"] == "IBM"]
    table = promised_scores(own, {"run-2": None})
    assert table["unknown"].tolist() == [34]
    assert table[["pinball", "skill_mse"]].isna().all(axis=None)
    broken = document(0.9, 1.0)
    del broken["scores"][0]["pinball"]
    assert promised_scores(own, {"run-2": broken})["unknown"].tolist() == [34]


def test_a_run_on_a_price_that_stood_still_promised_what_it_could(record):
    """Skills have no answer there; the run is there all the same."""
    own = record[record["ticker"] == "AAPL"].copy()
    own.loc[own["origin"] >= AAPL.index[39], "run"] = "run-9"
    still = document(1e-7, 0.0)
    still["scores"][0] |= {"skill_mse": None, "skill_pinball": None}
    table = promised_scores(own, {"run-1": still, "run-9": still}).set_index("step")
    assert table.loc[1, "unknown"] == 0
    assert table.loc[1, "pinball"] == pytest.approx(1e-7)
    assert table.loc[1, ["skill_mse", "skill_pinball"]].isna().all()
    # Beside another run, that one's skill is told.
    table = promised_scores(own, {"run-1": still, "run-9": document(0.5, 1.0)}).set_index("step")
    assert table.loc[1, "skill_pinball"] == pytest.approx(0.5)
