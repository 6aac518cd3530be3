from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from forecast.baselines import BASELINES
from forecast.evaluation.forecasts import QUANTILE_COLUMNS, forecast_frame, outcomes
from forecast.evaluation.metrics import METRICS
from forecast.evaluation.scores import (
    as_rows,
    losses_by_origin,
    naive_scale,
    score_table,
    scores_by_regime,
    scores_by_year,
)
from forecast.evaluation.significance import diebold_mariano

CLI_FIELDS = [
    *["model", "step", "origins", "mse_price", "mae_price", "rmse_price", "mape", "mse_return"],
    *["mae_return", "direction_accuracy", "pinball", "coverage_80", "coverage_95", "skill_mse"],
    *["dm_p_mse", "skill_pinball", "dm_p_pinball"],
]


def baseline_frame(bars, *, ticker="AAPL", horizon=1, names=tuple(BASELINES), origins=300):
    features = pd.DataFrame({"return": np.log(bars["close"]).diff()}).dropna()
    until = bars.index[-origins - 150]
    chosen = bars.index[-origins - horizon : -horizon]
    sessions, actual = outcomes(bars, chosen, horizon=horizon)
    return pd.concat(
        [
            forecast_frame(
                BASELINES[name](
                    bars, chosen, horizon=horizon, fitted_until=until, features=features
                ),
                ticker=ticker,
                model=name,
                close=bars["close"].loc[chosen].to_numpy(),
                origins=chosen,
                sessions=sessions,
                actual=actual,
            )
            for name in names
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def frame(aapl):
    return baseline_frame(aapl, horizon=2)


@pytest.fixture(scope="module")
def table(frame):
    return score_table(frame, naive_mae={"AAPL": 0.5})


def rows_of(frame, model, step):
    return frame[(frame["model"] == model) & (frame["step"] == step)].reset_index(drop=True)


def by_hand(close, actual, models):
    """A frame of one step: `models` maps a name to its point forecasts; all quantiles equal it."""
    n = len(actual)
    origins = pd.bdate_range("2020-12-21", periods=n + 1, name="session")
    parts = [
        pd.DataFrame(
            {
                "ticker": "T",
                "origin": origins[:-1],
                "step": 1,
                "session": origins[1:],
                "model": name,
                "predicted": np.asarray(points, dtype="float64"),
                **dict.fromkeys(QUANTILE_COLUMNS, np.asarray(points, dtype="float64")),
                "actual": np.asarray(actual, dtype="float64"),
            }
        )
        for name, points in ({"last_close": close} | models).items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_a_row_a_model_and_step_with_every_field_of_the_command_line(table):
    assert len(table) == 2 * len(BASELINES)
    assert set(CLI_FIELDS) <= set(table.columns)
    assert set(METRICS) <= set(table.columns)
    assert (table["origins"] == 300).all()
    assert table["model"].tolist()[:6] == list(BASELINES)


def test_every_figure_by_independent_code(frame, table):
    # Column by column in plain numpy, not through the program's own functions.
    levels = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
    for row in table.to_dict("records"):
        own = rows_of(frame, row["model"], row["step"])
        close = rows_of(frame, "last_close", row["step"])["predicted"]
        y, p = own["actual"], own["predicted"]
        r, q = np.log(y / close), np.log(own[QUANTILE_COLUMNS].div(close, axis=0)).to_numpy()
        d = r.to_numpy()[:, None] - q
        expected = {
            "mse_price": np.mean((y - p) ** 2),
            "mape": 100 * np.mean(np.abs(y - p) / y),
            "mse_return": np.mean((r - np.log(p / close)) ** 2),
            "pinball": np.where(d > 0, levels * d, (levels - 1) * d).mean(),
            "coverage_80": np.mean((own["p10"] <= y) & (y <= own["p90"])),
            "mase": np.mean(np.abs(y - p)) / 0.5,
        }
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, abs=1e-12), name


def test_skill_and_test_by_hand():
    close = np.array([10.0, 11, 10, 12, 11, 13, 12, 14, 13, 15, 14, 16])
    actual = np.r_[close[1:], 15.0]
    ours = (close + actual) / 2
    frame = by_hand(close, actual, {"net": ours})
    row = score_table(frame).set_index("model").loc["net"]
    assert row["skill_mse"] == pytest.approx(0.75)
    squared, naive = (actual - ours) ** 2, (actual - close) ** 2
    assert row["dm_p_mse"] == pytest.approx(diebold_mariano(squared, naive, step=1), abs=1e-15)
    # Without ewma and garch there is no reference for the spread, without a scale no MASE.
    assert np.isnan(row["skill_pinball"])
    assert np.isnan(row["dm_p_pinball"])
    assert row["pinball_reference"] is None
    assert np.isnan(row["mase"])


def test_reference_of_the_spread_is_the_better_of_two(frame, table):
    for step in (1, 2):
        rows = table[table["step"] == step].set_index("model")
        better = rows.loc[["ewma", "garch"], "pinball"].idxmin()
        assert set(rows["pinball_reference"]) == {better}
        assert rows.loc[better, "skill_pinball"] == 0
        assert np.isnan(rows.loc[better, "dm_p_pinball"])
        expected = 1 - rows["pinball"] / rows.loc[better, "pinball"]
        np.testing.assert_allclose(rows["skill_pinball"], expected, atol=1e-12)


def test_identical_point_forecasts_have_skill_0_and_no_test(table):
    rows = table[table["model"].isin(["last_close", "ewma", "har"])]
    assert (rows["skill_mse"] == 0).all()
    assert rows["dm_p_mse"].isna().all()
    assert rows["direction_accuracy"].isna().all()


def test_direction_test_only_one_step_ahead(aapl):
    rng = np.random.default_rng(0)
    frame = baseline_frame(aapl, horizon=2, names=("last_close", "drift"))
    drift = frame["model"] == "drift"
    frame.loc[drift, "predicted"] *= np.exp(rng.normal(0, 0.01, drift.sum()))
    rows = score_table(frame).set_index(["model", "step"])
    assert 0 < rows.loc[("drift", 1), "pt_p"] < 1
    assert np.isnan(rows.loc[("drift", 2), "pt_p"])
    assert np.isnan(rows.loc[("last_close", 1), "pt_p"])


def test_rows_are_json(table):
    rows = json.loads(json.dumps(as_rows(table), allow_nan=False))
    assert rows[0]["model"] == "last_close"
    assert rows[0]["step"] == 1
    assert rows[0]["dm_p_mse"] is None
    assert rows[0]["direction_accuracy"] is None
    assert rows[3]["mse_price"] == table["mse_price"].iloc[3]


def test_unknown_outcomes_and_the_order_of_rows_do_not_count(frame, table):
    unknown = frame[frame["origin"] == frame["origin"].max()].assign(actual=np.nan)
    unknown["origin"] += pd.Timedelta(days=1)
    shuffled = pd.concat([frame, unknown]).sample(frac=1, random_state=1)
    again = score_table(shuffled, naive_mae={"AAPL": 0.5})
    keys = ["step", "model"]
    pd.testing.assert_frame_equal(
        again.sort_values(keys, ignore_index=True), table.sort_values(keys, ignore_index=True)
    )


def test_models_must_share_their_origins(frame):
    with pytest.raises(ValueError, match="same origins"):
        score_table(frame.drop(frame.index[frame["model"] == "har"][5]))
    with pytest.raises(ValueError, match="must hold last_close"):
        score_table(frame[frame["model"] != "last_close"])


def test_several_tickers_count_as_one_origin_each(aapl):
    bars = {"AAPL": aapl, "TWIN": aapl}
    names = ("last_close", "ewma", "drift")
    frames = [baseline_frame(b, ticker=t, names=names) for t, b in bars.items()]
    both = pd.concat(frames, ignore_index=True)
    one = score_table(both[both["ticker"] == "AAPL"]).set_index("model")
    two = score_table(both).set_index("model")
    # A ticker counted twice is no more evidence.
    for name in ("mse_price", "pinball", "skill_mse", "dm_p_mse", "dm_p_pinball", "coverage_80"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-9)
    assert (two["origins"] == 600).all()
    # The test of directions counts rows: it would take it for that.
    said_down = (both["model"] == "drift") & (both["origin"].dt.day_of_week == 0)
    both.loc[said_down, "predicted"] *= 0.98
    assert score_table(both[both["ticker"] == "AAPL"])["pt_p"].notna().any()
    assert score_table(both)["pt_p"].isna().all()


def test_losses_of_an_origin_are_scaled_sums():
    first = by_hand([10.0, 10, 10], [11.0, 12, 10], {})
    second = by_hand([10.0, 10, 10], [13.0, 10, 10], {}).assign(ticker="U").iloc[:2]
    losses = losses_by_origin(pd.concat([first, second]), step=1, loss="squared")
    np.testing.assert_allclose(losses["last_close"], np.array([1 + 9, 4 + 0, 0]) * 3 / 5)
    assert losses["last_close"].mean() == pytest.approx((1 + 9 + 4) / 5)


def test_scale_of_mase_by_hand():
    assert naive_scale(pd.Series([10.0, 12.0, 11.0, 11.0])) == pytest.approx(1.0)


def test_by_year_by_hand():
    close = np.full(14, 10.0)
    actual = np.r_[np.full(8, 11.0), np.full(6, 12.0)]
    frame = by_hand(close, actual, {"ewma": close, "net": np.full(14, 11.0)})
    years = scores_by_year(frame).set_index(["year", "model"])
    # Sessions 22 to 31 December 2020 and 1 to 8 January 2021, as business days.
    assert years["origins"].unstack()["net"].tolist() == [8, 6]
    assert years.loc[(2020, "net"), "skill_mse"] == 1
    assert years.loc[(2021, "net"), "mse_price"] == 1
    assert years.loc[(2021, "net"), "skill_mse"] == pytest.approx(1 - 1 / 4)
    assert years.loc[(2021, "net"), "skill_pinball"] == pytest.approx(
        1 - np.log(12 / 11) / np.log(1.2)
    )


def test_by_regime_by_hand():
    close = np.full(9, 10.0)
    frame = by_hand(close, close + np.arange(9), {"ewma": close})
    width = np.array([5, 1, 9, 2, 8, 3, 7, 4, 6]) / 100
    ewma = frame["model"] == "ewma"
    frame.loc[ewma, "p90"] = 10 * (1 + width)
    regimes = scores_by_regime(frame).set_index(["regime", "model"])
    assert regimes["origins"].unstack()["ewma"].tolist() == [3, 3, 3]
    # Calm: the origins of widths 1, 2, 3, errors 1, 3, 5. Stormy: 9, 8, 7, errors 2, 4, 6.
    assert regimes.loc[("calm", "last_close"), "mse_price"] == pytest.approx((1 + 9 + 25) / 3)
    assert regimes.loc[("stormy", "last_close"), "mse_price"] == pytest.approx((4 + 16 + 36) / 3)
    with pytest.raises(ValueError, match="ewma"):
        scores_by_regime(frame[~ewma])
