"""A home folder with made-up bars in CSV files, and its nights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from simulated import random_walk

from forecast.config import Settings
from forecast.market.sessions import expected_sessions
from forecast.nightly.clock import Clock, clock_of
from forecast.nightly.night import Night, run_night
from forecast.pipeline.watch import Watch

TICKERS = ("ACME", "BETA")
FIVE = (*TICKERS, "CETO", "DION", "EROS")
SESSIONS = expected_sessions("XNYS", pd.Timestamp("2009-01-02"), pd.Timestamp("2012-12-31"))
FIRST_NIGHT = "2012-07-02"
"""A Monday; Wednesday is a holiday, and a half day comes before it."""


def walk(ticker: str) -> pd.DataFrame:
    """Bars of the ticker, from 2009 to 2012."""
    return random_walk(len(SESSIONS), seed=FIVE.index(ticker) + 1).set_index(SESSIONS)


@dataclass
class Home:
    """A home folder, its CSV files and its settings."""

    folder: Path
    nightly: dict[str, Any]
    tickers: tuple[str, ...] = TICKERS
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def csv(self) -> Path:
        return self.folder / "csv"

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "source": f"csv:{self.csv}",
                "units": [4],
                "epochs": 2,
                "lookback": 10,
                **self.others,
                "nightly": {"retrain": "monthly", **self.nightly},
            }
        )

    def write(self, until: str | None = None, *, tickers: tuple[str, ...] | None = None) -> None:
        """The bars up to a session, as CSV files."""
        self.csv.mkdir(exist_ok=True)
        for ticker in tickers or self.tickers:
            walk(ticker).loc[:until].to_csv(self.csv / f"{ticker}.csv", index_label="Date")

    def night(self, now: str, *, watch: Watch | None = None, **options: Any) -> Night:
        """The night of both tickers at a date, or a time with its zone."""
        clock: Clock = clock_of(now)
        return run_night(
            self.tickers,
            home=self.folder,
            settings=self.settings,
            clock=clock,
            watch=watch,
            **options,
        )
