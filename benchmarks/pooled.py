"""One verdict on several runs, a ticker each, as `train --together` gives on its own.

After `forecast train SPX IXIC MSFT --source csv:histories/19-years --home single`:

    python benchmarks/pooled.py single/reports/*/*/forecasts.csv [--network lstm] [--step 1]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from forecast.evaluation.forecasts import read_forecasts
from forecast.evaluation.pooled import losses_by_day, pool, pooled_scores


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description="One verdict on several runs, a ticker each.")
    parser.add_argument("forecasts", type=Path, nargs="+", help="forecasts.csv of each run")
    parser.add_argument("--network", default="lstm")
    parser.add_argument("--step", type=int, default=1)
    wanted = parser.parse_args()
    days = pool(losses_by_day(read_forecasts(path), step=wanted.step) for path in wanted.forecasts)
    scores = pooled_scores(
        days, model=wanted.network, step=wanted.step, tickers=len(wanted.forecasts)
    )
    print(scores.text)


if __name__ == "__main__":
    main()
