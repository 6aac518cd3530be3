"""What trading on the forecasts would have earned: positions, trades, costs, and how sure that is.

A position is decided from bars up to the close of its origin. With `trade="open"` it is traded at
the next session's open and held until the open after that; with `trade="close"` it is traded at
the very close it was decided from, which nobody can quite do, and held until the next close.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation.positions import BUY_AND_HOLD, RULES, Positions, price_positions
from forecast.evaluation.sharpe import deflated_sharpe, sharpe, sharpe_intervals

TRADES = ("open", "close")


@dataclass(frozen=True)
class Backtest:
    """What came of every rule.

    Attributes:
        paths: A row a session and rule: `session` (when the position is traded), `strategy`,
            `position` (share of the capital), `turnover` (share of the capital traded), `gross`
            and `net` (simple return until the next trade, before and after costs).
        table: A row a rule; `docs/evaluation.md` defines each column.
        sessions_a_year: By which yearly figures were made.
        trials: How many rules the deflated Sharpe ratio allows for.
        text: What came of it in plain words.
    """

    paths: pd.DataFrame
    table: pd.DataFrame
    sessions_a_year: float
    trials: int
    text: str


def backtest(
    forecasts: pd.DataFrame,
    bars: pd.DataFrame,
    *,
    model: str,
    trade: str,
    cost: float,
    positions: Positions = price_positions,
) -> Backtest:
    """Trade on a model's forecasts of the next session, beside buy-and-hold and momentum.

    Args:
        forecasts: Of one ticker, a forecast frame or class forecasts; all origins out of sample,
            following each other session by session. Only step 1 is used: positions are decided
            anew every session.
        bars: Bars of the ticker; `open` and `close` as adjusted.
        model: Whose forecasts.
        trade: One of `TRADES`, see above.
        cost: Basis points of the amount traded.
        positions: The rules: `price_positions`, or `class_positions` of class forecasts.

    Raises:
        ValueError: if the origins are not consecutive sessions of the bars.
    """
    own = forecasts[(forecasts["model"] == model) & (forecasts["step"] == 1)]
    rows = bars.index.get_indexer(pd.DatetimeIndex(own["origin"]))
    if (rows < 0).any() or (np.diff(rows) != 1).any():
        raise ValueError("the origins must be consecutive sessions of the bars.")
    a_year = sessions_a_year(pd.DatetimeIndex(bars.index))
    wanted = positions(own, bars["close"], a_year=a_year)
    sessions, earned = returns_held(bars, rows, trade=trade)
    paths = pd.concat(
        [
            trade_path(position[: len(earned)], earned, cost=cost / 1e4)
            .assign(strategy=name, session=sessions)
            .loc[:, ["session", "strategy", "position", "turnover", "gross", "net"]]
            for name, position in wanted.items()
        ],
        ignore_index=True,
    )
    table, trials = _table(paths, a_year)
    return Backtest(paths, table, a_year, trials, _text(table, trials, cost=cost, trade=trade))


def returns_held(
    bars: pd.DataFrame, rows: np.ndarray, *, trade: str
) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """When each position is traded and what one unit of it earns until the next trade.

    Args:
        bars: Bars.
        rows: Row of each origin, consecutive, shape (n,).
        trade: One of `TRADES`.

    Returns:
        Sessions of the trades and simple returns, shape (m,); m is below n where the next trade
        of the last positions lies after the last bar.

    Raises:
        ValueError: if there is no such way to trade.
    """
    if trade not in TRADES:
        raise ValueError(f"trade must be one of {', '.join(TRADES)}. Received {trade!r}.")
    prices, delay = (bars["open"], 1) if trade == "open" else (bars["close"], 0)
    bought = rows + delay
    bought = bought[bought + 1 < len(bars)]
    values = prices.to_numpy()
    return pd.DatetimeIndex(bars.index[bought]), values[bought + 1] / values[bought] - 1


def trade_path(position: np.ndarray, earned: np.ndarray, *, cost: float) -> pd.DataFrame:
    """Turnover and returns of a rule that brings its position about at every trade.

    Between two trades the market moves the position's share of the capital; turnover is what it
    takes from there to the wanted share. Costs are paid when trading, out of the capital. Capital
    that is lost stays lost.

    Args:
        position: Wanted shares of the capital, shape (m,); negative is short.
        earned: Simple return of one unit until the next trade, shape (m,).
        cost: Share of the amount traded.

    Returns:
        Columns `position`, `turnover`, `gross`, `net`; m rows.
    """
    gross = np.maximum(position * earned, -1.0)
    left = 1 + gross
    drifted = np.divide(position * (1 + earned), left, out=np.zeros_like(left), where=left > 0)
    turnover = np.abs(position - np.r_[0.0, drifted[:-1]])
    net = np.maximum(1 - cost * turnover, 0.0) * left - 1
    return pd.DataFrame({"position": position, "turnover": turnover, "gross": gross, "net": net})


def largest_drawdown(returns: np.ndarray) -> float:
    """Deepest fall of the capital below its highest level so far, in [-1, 0]; it starts at 1."""
    capital = np.r_[1.0, np.cumprod(1 + returns)]
    return float((capital / np.maximum.accumulate(capital) - 1).min())


def break_even_cost(gross: np.ndarray, turnover: np.ndarray) -> float:
    """Cost at which nothing would have been earned or lost [basis points of the amount traded].

    Args:
        gross: Simple returns before costs, shape (m,).
        turnover: Share of the capital traded each time, shape (m,).

    Returns:
        NaN where no cost is needed to earn nothing (a loss before costs), or hardly anything was
        traded after the start.
    """
    from scipy.optimize import brentq

    if (gross <= -1).any() or turnover[1:].sum() < 1e-9 or np.log1p(gross).sum() <= 0:
        return float("nan")

    def growth(cost: float) -> float:
        return float(np.log1p(gross).sum() + np.log1p(-cost * turnover).sum())

    most = (1 - 1e-9) / float(turnover.max())
    return float(brentq(growth, 0.0, most)) * 1e4 if growth(most) < 0 else float("nan")


def sessions_a_year(sessions: pd.DatetimeIndex) -> float:
    """How many sessions a year has: about 252 at an exchange, 365 where trading never ends."""
    days = (sessions[-1] - sessions[0]).days
    return 365.25 * (len(sessions) - 1) / days if days > 0 else 252.0


def _table(paths: pd.DataFrame, a_year: float) -> tuple[pd.DataFrame, int]:
    """A row a rule, and how many rules were tried."""
    names = list(dict.fromkeys(paths["strategy"]))
    net = paths.pivot(index="session", columns="strategy", values="net")[names]
    ratios = {name: sharpe(net[name].to_numpy()) for name in names}
    tried = [name for name in names if name != BUY_AND_HOLD and math.isfinite(ratios[name])]
    bounds = sharpe_intervals(net, reference=BUY_AND_HOLD, a_year=a_year)
    rows = []
    for name, own in paths.groupby("strategy", sort=False):
        returns = own["net"].to_numpy()
        years, grown = len(returns) / a_year, float(np.prod(1 + returns))
        skew, kurtosis = _moments(returns)
        ratio = ratios[str(name)]
        rows.append(
            {
                "strategy": str(name),
                "total_return": grown - 1,
                "annual_return": grown ** (1 / years) - 1,
                "volatility": float(np.std(returns, ddof=1)) * math.sqrt(a_year),
                "sharpe": ratio * math.sqrt(a_year),
                **bounds.loc[name].to_dict(),
                "deflated_sharpe": np.nan
                if name == BUY_AND_HOLD
                else deflated_sharpe(
                    ratio,
                    trials=len(tried),
                    # Of ratios that are luck alone. Theirs would take a rule that surely loses for
                    # luck, and ask the more of one that gains.
                    variance=1 / (len(returns) - 1),
                    sessions=len(returns),
                    skew=skew,
                    kurtosis=kurtosis,
                ),
                "max_drawdown": largest_drawdown(returns),
                "turnover": float(own["turnover"].sum()) / years,
                "break_even_cost": break_even_cost(
                    own["gross"].to_numpy(), own["turnover"].to_numpy()
                ),
            }
        )
    return pd.DataFrame(rows), len(tried)


def _moments(returns: np.ndarray) -> tuple[float, float]:
    """Skew and kurtosis; those of a normal distribution where nothing varies."""
    from scipy.stats import kurtosis, skew

    if np.var(returns) < 1e-30:
        return 0.0, 3.0
    return float(skew(returns)), float(kurtosis(returns, fisher=False))


def _text(table: pd.DataFrame, trials: int, *, cost: float, trade: str) -> str:
    rows = table.set_index("strategy").to_dict("index")
    when = "at the next session's open" if trade == "open" else "at the close it was decided from"
    held = rows[BUY_AND_HOLD]
    words = (
        f"Traded {when}, {cost:g} basis points a trade. Buy-and-hold earned "
        f"{_percent(held['annual_return'])} a year (Sharpe ratio {_ratio(held['sharpe'])}, deepest "
        f"fall {_percent(held['max_drawdown'])})."
    )
    any_of = f" any of {trials} rules" if trials > 1 else ""
    for name, rule in RULES.items():
        if name not in rows:
            continue
        own = rows[name]
        low, high = own["sharpe_excess_low"], own["sharpe_excess_high"]
        compared = (
            "as it was never anything else"
            if low == high == 0
            else f"which is more than chance would give{any_of}"
            if low > 0
            else f"which is less than chance would give{any_of}"
            if high < 0
            else "which may be chance"
        )
        words += (
            f" Trading on {rule} earned {_percent(own['annual_return'])} a year (Sharpe ratio "
            f"{_ratio(own['sharpe'])}, {_ratio(own['sharpe'] - held['sharpe'], '+')} against "
            f"buy-and-hold, {compared}; deepest fall {_percent(own['max_drawdown'])})."
        )
    best = float(table["deflated_sharpe"].max())
    if math.isfinite(best) and best < 0.95:
        better = (table["sharpe_excess_low"] > 0).any()
        words += " To be better than buy-and-hold is not yet to gain." if better else ""
        words += (
            f" Allowing for the {trials} rules tried, no rule's Sharpe ratio is surely above zero."
        )
    return words


def _percent(value: Any) -> str:
    return f"{100 * value:z.1f} %".replace("-", "−")


def _ratio(value: Any, sign: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:{sign}z.2f}".replace("-", "−")
