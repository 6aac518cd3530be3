"""Made-up tickers with the ways of real ones: daily bars drawn in blocks from given CSV files.

Every ticker draws the same past dates, block by block, so that all move together as a market does;
whose bars of these dates it takes is drawn anew for each ticker and block.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

BLOCK = 40
"""Sessions a block: long enough to keep the clusters of volatility."""
SHARES = ["open", "high", "low"]


def write_tickers(folder: Path, *, seeds: Path, tickers: int, sessions: int) -> list[str]:
    """Write `tickers` CSV files of `sessions` rows each, and give their names.

    Args:
        folder: Is made.
        seeds: CSV files with Date, Open, High, Low, Close, Adj Close, Volume to draw from.
        tickers: How many to make; the first ones are the same for any number.
        sessions: Rows each, the last one a week ago.
    """
    from pyarrow import Table
    from pyarrow.csv import write_csv

    from forecast.market.sessions import expected_sessions, last_completed

    moves, shares, volume = _seeds(seeds)
    newest = last_completed("XNYS", pd.Timestamp.now("UTC") - pd.Timedelta(days=7))
    index = expected_sessions("XNYS", newest - pd.Timedelta(days=2 * sessions), newest)[-sessions:]
    blocks = -(-sessions // BLOCK)
    starts = np.random.default_rng(0).integers(0, len(moves) - BLOCK, blocks)
    dates = (starts[:, None] + np.arange(BLOCK)).ravel()[:sessions]
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"T{number:03d}" for number in range(tickers)]
    for number, name in enumerate(names):
        rng = np.random.default_rng([1, number])
        whose = np.repeat(rng.integers(0, moves.shape[1], blocks), BLOCK)[:sessions]
        close = 50.0 * np.exp(moves[dates, whose].cumsum())
        columns = {key: close * shares[key][dates, whose] for key in SHARES}
        table = {
            "Date": index.strftime("%Y-%m-%d"),
            **{key.capitalize(): values.round(6) for key, values in columns.items()},
            "Close": close.round(6),
            "Volume": volume[dates, whose].round(),
        }
        write_csv(Table.from_pydict(table), folder / f"{name}.csv")
    return names


def _seeds(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Log returns, shares of the close, volumes: sessions × tickers, whole histories only."""
    frames = {}
    for path in sorted(folder.glob("*.csv.gz")):
        frame = pd.read_csv(path, index_col="Date", na_values="null").dropna()
        frames[path.name.removesuffix(".csv.gz")] = frame[frame["Volume"] > 0]
    longest = max(len(frame) for frame in frames.values())
    whole = [frame for frame in frames.values() if len(frame) > 0.99 * longest]
    dates = whole[0].index
    for frame in whole[1:]:
        dates = dates.intersection(frame.index)
    if not len(dates) > 2 * BLOCK:
        raise SystemExit(
            f"{folder} must hold CSV files with more than {2 * BLOCK} dates in common."
        )

    def joined(column: str) -> np.ndarray:
        return np.column_stack([frame.loc[dates, column].to_numpy("float64") for frame in whole])

    close = joined("Close")
    moves = np.diff(np.log(joined("Adj Close")), axis=0)
    shares = {key: (joined(key.capitalize()) / close)[1:] for key in SHARES}
    # A file may round its close beyond its high.
    shares["high"] = np.maximum(shares["high"], np.maximum(shares["open"], 1.0))
    shares["low"] = np.minimum(shares["low"], np.minimum(shares["open"], 1.0))
    return moves, shares, joined("Volume")[1:]
