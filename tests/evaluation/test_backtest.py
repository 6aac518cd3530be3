import math

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation.backtest import (
    backtest,
    break_even_cost,
    largest_drawdown,
    returns_held,
    sessions_a_year,
    trade_path,
)
from forecast.evaluation.positions import class_positions, price_positions
from forecast.evaluation.sharpe import deflated_sharpe, sharpe, sharpe_intervals

SESSIONS = pd.bdate_range("2012-01-02", periods=8, name="session")


def bars_of(close, open_=None):
    close = np.asarray(close, dtype=float)
    index = pd.bdate_range("2012-01-02", periods=len(close), name="session")
    open_ = close if open_ is None else np.asarray(open_, dtype=float)
    return pd.DataFrame({"open": open_, "close": close}, index=index)


def forecasts_of(bars, rows, predicted, *, width=1.0):
    """Forecasts whose 80 % band is `width` standard deviations of 1 % to either side of z."""
    reach = 1.2815515655446004 * 0.01 * width
    return pd.DataFrame(
        {
            "origin": bars.index[rows],
            "step": 1,
            "model": "lstm",
            "predicted": predicted,
            "p10": np.exp(-reach) * np.asarray(predicted),
            "p90": np.exp(reach) * np.asarray(predicted),
        }
    )


@pytest.fixture
def market():
    close = [100.0, 102.0, 101.0, 103.0, 99.0, 100.0, 104.0, 105.0]
    return bars_of(close, [100.0, 101.0, 102.0, 100.0, 104.0, 98.0, 101.0, 103.0])


def test_at_the_open_a_position_earns_from_the_next_open_to_the_one_after(market):
    sessions, earned = returns_held(market, np.array([1, 2, 3]), trade="open")
    assert list(sessions) == list(SESSIONS[[2, 3, 4]])
    np.testing.assert_allclose(earned, [100 / 102 - 1, 104 / 100 - 1, 98 / 104 - 1])


def test_at_the_close_a_position_earns_from_its_origin_to_the_next_close(market):
    sessions, earned = returns_held(market, np.array([1, 2, 3]), trade="close")
    assert list(sessions) == list(SESSIONS[[1, 2, 3]])
    np.testing.assert_allclose(earned, [101 / 102 - 1, 103 / 101 - 1, 99 / 103 - 1])


def test_a_position_that_cannot_be_closed_yet_earns_nothing_yet(market):
    assert len(returns_held(market, np.array([4, 5, 6, 7]), trade="open")[1]) == 2
    assert len(returns_held(market, np.array([4, 5, 6, 7]), trade="close")[1]) == 3
    with pytest.raises(ValueError, match="open, close"):
        returns_held(market, np.array([1]), trade="noon")


def test_positions_by_hand(market):
    rows = [1, 2, 3, 4]
    own = forecasts_of(market, rows, [103.0, 101.0, 102.0, 99.5])
    found = price_positions(own, market["close"], a_year=225.0)
    # 1 % a session is 15 % a year of 225 sessions: the target, so a full position.
    assert found["sign"].tolist() == [1.0, 0.0, -1.0, 1.0]
    np.testing.assert_allclose(found["sign_scaled"], [1.0, 0.0, -1.0, 1.0])
    np.testing.assert_allclose(found["long_scaled"], 1.0)
    assert found["momentum"].tolist() == [1.0, -1.0, 1.0, -1.0]
    assert found["buy_and_hold"].tolist() == [1.0] * 4


def odds_of(bars, rows, **probabilities):
    origins = bars.index[rows]
    columns = {f"probability_{name}": values for name, values in probabilities.items()}
    return pd.DataFrame({"origin": origins, "step": 1, "model": "lstm", **columns})


def test_positions_of_classes_by_hand(market):
    rows = [1, 2, 3, 4]
    two = odds_of(market, rows, not_up=[0.4, 0.5, 0.9, 0.1], up=[0.6, 0.5, 0.1, 0.9])
    found = class_positions(two, market["close"], a_year=225.0)
    assert found["likelier"].tolist() == [1.0, 0.0, -1.0, 1.0]
    assert found["momentum"].tolist() == [1.0, -1.0, 1.0, -1.0]
    assert list(found) == ["likelier", "momentum", "buy_and_hold"]
    # Flat is the likeliest class of all four sessions, and no side.
    three = odds_of(
        market, rows, down=[0.1, 0.3, 0.2, 0.3], flat=[0.6] * 4, up=[0.3, 0.1, 0.2, 0.1]
    )
    found = class_positions(three, market["close"], a_year=225.0)
    assert found["likelier"].tolist() == [1.0, -1.0, 0.0, -1.0]


def test_a_network_that_always_says_up_is_buy_and_hold():
    rng = np.random.default_rng(3)
    bars = bars_of(100 * np.cumprod(1 + rng.normal(0.001, 0.01, 60)))
    own = odds_of(bars, np.arange(1, 59), not_up=np.full(58, 0.4), up=np.full(58, 0.6))
    found = backtest(own, bars, model="lstm", trade="open", cost=5.0, positions=class_positions)
    rows = found.table.set_index("strategy")
    assert rows.loc["likelier", "sharpe"] == rows.loc["buy_and_hold", "sharpe"]
    assert "0.00 against buy-and-hold, as it was never anything else" in found.text
    assert "its spread" not in found.text


@pytest.mark.parametrize(("width", "size"), [(2.0, 0.5), (0.8, 1.25), (0.5, 1.5), (0.0, 1.5)])
def test_the_wider_the_forecast_the_smaller_the_position(market, width, size):
    own = forecasts_of(market, [1, 2, 3, 4], [101.0, 102.0, 102.0, 98.0], width=width)
    found = price_positions(own, market["close"], a_year=225.0)
    np.testing.assert_allclose(found["long_scaled"], size)
    np.testing.assert_allclose(found["sign_scaled"], [-size, size, -size, -size])


def test_turnover_and_costs_by_hand():
    path = trade_path(np.array([1.0, -1.0, 0.5, 0.5]), np.array([0.1, 0.1, -0.2, 0.0]), cost=0.01)
    # All in: 1 traded. Then from long 1 to short 1: 2. The short loses 10 %: 1.1 is owed out of
    # 0.9 left, so 11/9 + 0.5 is bought. Half the capital falls by 20 %: 0.4 of 0.9.
    np.testing.assert_allclose(path["turnover"], [1.0, 2.0, 11 / 9 + 0.5, 0.5 - 4 / 9])
    np.testing.assert_allclose(path["gross"], [0.1, -0.1, -0.1, 0.0])
    np.testing.assert_allclose(
        1 + path["net"],
        [0.99 * 1.1, 0.98 * 0.9, (1 - 0.01 * (11 / 9 + 0.5)) * 0.9, 1 - 0.01 * (0.5 - 4 / 9)],
    )


def test_holding_costs_once():
    path = trade_path(np.ones(5), np.array([0.1, -0.05, 0.02, 0.0, 0.3]), cost=0.001)
    np.testing.assert_allclose(path["turnover"], [1.0, 0, 0, 0, 0], atol=1e-12)


def test_lost_capital_stays_lost():
    path = trade_path(np.array([-1.0, -1.0, 1.0]), np.array([1.5, 0.1, 0.1]), cost=0.0)
    assert path["net"].tolist()[0] == -1.0
    assert np.prod(1 + path["net"]) == 0.0
    assert largest_drawdown(path["net"].to_numpy()) == -1.0


def test_drawdown_by_hand():
    # 1, 1.1, 0.88, 0.968, 0.7744: the deepest fall is from 1.1 to 0.7744.
    assert largest_drawdown(np.array([0.1, -0.2, 0.1, -0.2])) == pytest.approx(0.7744 / 1.1 - 1)
    assert largest_drawdown(np.array([-0.5, 0.2])) == pytest.approx(-0.5)
    assert largest_drawdown(np.array([0.1, 0.2])) == 0.0


def test_break_even_cost_leaves_nothing():
    gross, turnover = np.array([0.01, 0.02, -0.005]), np.array([1.0, 2.0, 0.5])
    cost = break_even_cost(gross, turnover)
    assert np.prod((1 + gross) * (1 - cost / 1e4 * turnover)) == pytest.approx(1.0, abs=1e-9)
    assert math.isnan(break_even_cost(-gross, turnover))  # a loss before costs
    assert math.isnan(break_even_cost(gross, np.array([1.0, 0.0, 0.0])))  # traded once


def test_sharpe_by_hand():
    # Mean 1 %, deviations -1, 0, 1 %: standard deviation 1 %.
    assert sharpe(np.array([0.0, 0.01, 0.02])) == pytest.approx(1.0)
    assert math.isnan(sharpe(np.full(5, 0.01)))


def test_deflated_sharpe_of_the_paper():
    # Bailey and López de Prado (2014), the example: a yearly ratio of 2.5 over five years of 250
    # sessions, skew -3, kurtosis 10, variance of the trials' yearly ratios 1/2.
    given = {"variance": 0.5 / 250, "sessions": 1250, "skew": -3.0, "kurtosis": 10.0}
    ratio = 2.5 / math.sqrt(250)
    assert deflated_sharpe(ratio, trials=100, **given) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(ratio, trials=46, **given) == pytest.approx(0.9505, abs=5e-5)
    assert math.isnan(deflated_sharpe(float("nan"), trials=2, **given))


def test_sharpe_of_one_trial_is_only_tested_against_zero():
    # Normal returns: the standard error is sqrt((1 + ratio² / 2) / (n - 1)).
    found = deflated_sharpe(0.1, trials=1, variance=0.0, sessions=401, skew=0.0, kurtosis=3.0)
    error = math.sqrt((1 + 0.005) / 400)
    assert found == pytest.approx(0.5 * math.erfc(-0.1 / error / math.sqrt(2)))


def test_intervals_hold_the_ratio_and_see_a_sure_gain():
    rng = np.random.default_rng(5)
    held = rng.normal(0.0005, 0.01, 1500)
    net = pd.DataFrame({"buy_and_hold": held, "better": held + 0.001, "flat": 0.0})
    found = sharpe_intervals(net, reference="buy_and_hold", a_year=252.0)
    ratio = sharpe(held) * math.sqrt(252)
    low, high = found.loc["buy_and_hold", ["sharpe_low", "sharpe_high"]]
    assert low < ratio < high
    # Lo (2002): the standard error of a yearly ratio is about 1 / sqrt(years).
    assert (high - low) / 2 / 1.96 == pytest.approx(1 / math.sqrt(1500 / 252), rel=0.25)
    assert found.loc["better", "sharpe_excess_low"] > 0
    assert found.loc["flat"].isna().all()
    assert found.loc["buy_and_hold", ["sharpe_excess_low", "sharpe_excess_high"]].isna().all()
    assert sharpe_intervals(net[:20], reference="buy_and_hold", a_year=252.0).isna().all(axis=None)


def test_the_more_rules_the_wider_the_interval_of_each_distance():
    net = pd.DataFrame(np.random.default_rng(1).normal(0.0005, 0.01, (100, 11))).add_prefix("rule")
    widths = []
    for rules in (net, net[["rule0", "rule1"]]):
        found = sharpe_intervals(rules, reference="rule0", a_year=252.0).loc["rule1"]
        widths.append(found["sharpe_excess_high"] - found["sharpe_excess_low"])
    # Normal quantiles at 1 - 0.025 / 10 and at 1 - 0.025.
    assert widths[0] / widths[1] == pytest.approx(2.807 / 1.960, rel=0.1)


def test_a_rule_that_is_better_but_earns_nothing_says_both():
    """In a falling market a small position is surely better than a whole one, and still no gain."""
    rng = np.random.default_rng(2)
    bars = bars_of(100 * np.cumprod(1 + rng.normal(-0.002, 0.01, 400)))
    rows = np.arange(1, 398)
    close = bars["close"].to_numpy()[rows]
    # It knows every fourth day's direction: enough to beat a fall, not enough to earn.
    came = np.sign(np.diff(bars["close"].to_numpy(), append=close[-1]))[rows + 1]
    said = np.where(rows % 4 == 0, came, 1.0)
    own = forecasts_of(bars, rows, close * (1 + 0.01 * said))
    text = backtest(own, bars, model="lstm", trade="open", cost=0.0).text
    assert "which is more than chance would give any of 4 rules" in text
    assert text.endswith(
        " To be better than buy-and-hold is not yet to gain. Allowing for the 4 rules tried, no "
        "rule's Sharpe ratio is surely above zero."
    )


def test_a_rule_that_surely_loses_takes_nothing_from_one_that_gains():
    """Prices that revert: momentum loses what the forecast earns."""
    rng = np.random.default_rng(8)
    moves = rng.normal(0, 0.01, 3_000)
    for place in range(1, len(moves)):
        moves[place] -= 0.2 * moves[place - 1]
    bars = bars_of(100 * np.exp(np.cumsum(moves)))
    rows = np.arange(250, 2_998)
    own = forecasts_of(bars, rows, bars["close"].to_numpy()[rows] * np.exp(-0.2 * moves[rows]))
    found = backtest(own, bars, model="lstm", trade="close", cost=0.0)
    table = found.table.set_index("strategy")
    assert table["sharpe"]["momentum"] < -1
    assert table["sharpe_low"]["sign"] > 1
    assert table["deflated_sharpe"]["sign"] > 0.99
    assert "surely above zero" not in found.text


def test_sessions_a_year():
    assert sessions_a_year(pd.date_range("2010-01-01", "2014-01-01")) == pytest.approx(365.25)
    assert sessions_a_year(pd.bdate_range("2010-01-01", "2020-01-01")) == pytest.approx(261, abs=1)


def test_the_whole_by_hand(market):
    rows = [1, 2, 3, 4]
    forecasts = forecasts_of(market, rows, [103.0, 100.0, 104.0, 100.0])
    found = backtest(forecasts, market, model="lstm", trade="open", cost=10.0)
    table = found.table.set_index("strategy")
    opens = market["open"].to_numpy()
    earned = opens[3:7] / opens[2:6] - 1
    wanted = np.array([1.0, -1.0, 1.0, 1.0])
    drifted = wanted * (1 + earned) / (1 + wanted * earned)
    turnover = np.abs(wanted - np.r_[0.0, drifted[:-1]])
    net = (1 + wanted * earned) * (1 - 0.001 * turnover) - 1
    own = found.paths[found.paths["strategy"] == "sign"]
    np.testing.assert_allclose(own["net"], net)
    assert list(own["session"]) == list(SESSIONS[2:6])
    assert table.loc["sign", "total_return"] == pytest.approx(np.prod(1 + net) - 1)
    years = 4 / found.sessions_a_year
    assert table.loc["sign", "annual_return"] == pytest.approx(np.prod(1 + net) ** (1 / years) - 1)
    held = table.loc["buy_and_hold"]
    assert held["total_return"] == pytest.approx(0.999 * 101 / 102 - 1)
    assert held["turnover"] == pytest.approx(1 / years)
    assert found.trials == 4
    assert set(table.index) == {"sign", "sign_scaled", "long_scaled", "momentum", "buy_and_hold"}


def test_no_position_knows_what_comes(market):
    """With every later bar changed, earlier positions and returns stay as they are."""
    forecasts = forecasts_of(market, [1, 2, 3, 4], [103.0, 100.0, 104.0, 100.0])
    before = backtest(forecasts, market, model="lstm", trade="open", cost=5.0).paths
    changed = market.copy()
    changed.iloc[5:] *= 3.0
    after = backtest(forecasts, changed, model="lstm", trade="open", cost=5.0).paths
    known = before["session"] < market.index[4]
    pd.testing.assert_frame_equal(before[known], after[known])
    held = ["session", "strategy", "position"]
    # The volatility scale counts sessions a year, so nothing in a position moves at all.
    pd.testing.assert_frame_equal(before[held], after[held])


def test_origins_with_a_hole_are_a_fault(market):
    forecasts = forecasts_of(market, [1, 3], [103.0, 100.0])
    with pytest.raises(ValueError, match="consecutive"):
        backtest(forecasts, market, model="lstm", trade="open", cost=5.0)


def test_a_price_that_never_moves(market):
    still = bars_of(np.full(60, 50.0))
    found = backtest(
        forecasts_of(still, list(range(1, 50)), np.full(49, 50.0)),
        still,
        model="lstm",
        trade="open",
        cost=0.0,
    )
    table = found.table.set_index("strategy")
    assert table["total_return"].tolist() == [0.0] * 5
    assert table["sharpe"].isna().all()
    assert "nan" not in found.text
