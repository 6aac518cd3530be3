"""Is the forecast yesterday's price shifted? The first question to ask of any stock forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.evaluation.scores import PRICE_REFERENCE, losses_by_origin
from forecast.evaluation.significance import diebold_mariano
from forecast.evaluation.verdict import SIGNIFICANT

WIDEST_LAG = 5
FEWEST_ORIGINS = 30


@dataclass(frozen=True)
class LagTest:
    """How the predicted line lies beside the price.

    Attributes:
        correlations: Index `lag` -5 … 5 (wider if the step is); `line`: correlation of the
            session-to-session log returns of the predicted line with those of the price `lag`
            sessions before; `forecast`: the same for the forecast log returns themselves (predicted
            over last close). NaN below 30 outcomes, and where one of them does not vary.
        slope: Of the least-squares regression of the predicted price on the last close.
        intercept: Of the same [quote currency].
        r2: Share of the predicted price's variance that the last close explains, in [0, 1].
        persistence: The line repeats the price `step` sessions later, and what it adds to the last
            close is not significantly better than nothing.
        text: The same in plain words.
    """

    correlations: pd.DataFrame
    slope: float
    intercept: float
    r2: float
    persistence: bool
    text: str


def lag_test(frame: pd.DataFrame, *, model: str, step: int = 1) -> LagTest:
    """Compare the predicted line of one ticker with the price, shifted and not.

    The line is called persistence when it correlates most with the price `step` sessions before
    (that is, with the last close it was made from) and its squared error is not significantly below
    that of last close (Diebold-Mariano, p < 0.05).

    Args:
        frame: Forecast frame of one ticker, `last_close` in it; consecutive origins.
        model: A model of the frame.
        step: Sessions ahead.

    Raises:
        ValueError: if the frame holds several tickers, or not the model.
    """
    if frame["ticker"].nunique() > 1:
        raise ValueError("the lag test takes one ticker at a time.")
    losses = losses_by_origin(frame, step=step, loss="squared")
    if model not in losses:
        raise ValueError(f"the frame must hold {model}. It has {list(losses)}.")
    known = frame[(frame["step"] == step) & frame["actual"].notna()].sort_values("origin")
    rows = known[known["model"] == model]
    close = known.loc[known["model"] == PRICE_REFERENCE, "predicted"].to_numpy()
    predicted, actual = rows["predicted"].to_numpy(), rows["actual"].to_numpy()
    widest = max(WIDEST_LAG, step)
    lags = list(range(-widest, widest + 1))
    line, price = np.diff(np.log(predicted)), np.diff(np.log(actual))
    ahead = np.log(predicted / close)[1:]
    correlations = pd.DataFrame(
        {
            "line": [_correlation(line, price, lag) for lag in lags],
            "forecast": [_correlation(ahead, price, lag) for lag in lags],
        },
        index=pd.Index(lags, name="lag"),
    )
    slope, intercept, r2 = _regression(close, predicted)
    ours, naive = losses[model].to_numpy(), losses[PRICE_REFERENCE].to_numpy()
    adds = bool(
        diebold_mariano(ours, naive, step=step) < SIGNIFICANT and ours.mean() < naive.mean()
    )
    by_lag = correlations["line"].to_dict()
    shifted = not np.isnan(by_lag[step]) and by_lag[step] == np.nanmax(list(by_lag.values()))
    at_lag, in_time = float(by_lag[step]), float(by_lag[0])
    sessions = "1 session" if step == 1 else f"{step} sessions"
    numbers = (
        f"its line correlates {at_lag:z.2f} with the price {sessions} before and {in_time:z.2f} "
        f"with the price it forecasts; the last close explains {100 * r2:.1f} % of the predicted "
        "price"
    )
    if np.isnan(at_lag) or np.isnan(in_time):
        text = f"The lag test needs {FEWEST_ORIGINS} outcomes and prices that move: no answer."
    elif not shifted:
        text = f"No sign of a shifted price in {model}: {numbers}."
    elif adds:
        text = f"{model} stays near the last close ({numbers}), but what it adds is significant."
    else:
        text = (
            f"This is persistence: {model} repeats the last close, {sessions} late; {numbers}. "
            "A plot of it looks good and foretells nothing."
        )
    return LagTest(correlations, slope, intercept, r2, bool(shifted and not adds), text)


def _correlation(ours: np.ndarray, price: np.ndarray, lag: int) -> float:
    """Correlation of `ours` with the price `lag` sessions before."""
    n = len(price)
    if n + 1 < FEWEST_ORIGINS:  # n moves lie between n + 1 outcomes
        return float("nan")
    first = ours[max(lag, 0) : n + min(lag, 0)]
    second = price[max(-lag, 0) : n - max(lag, 0)]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _regression(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope, intercept and R² of y on x; NaN where x does not vary."""
    if len(x) < 2 or np.ptp(x) == 0:
        return float("nan"), float("nan"), float("nan")
    from scipy.stats import linregress

    line = linregress(x, y)
    explained = float(line.rvalue**2) if np.ptp(y) > 0 else float("nan")
    return float(line.slope), float(line.intercept), explained
