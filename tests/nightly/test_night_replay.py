"""250 sessions, night by night, through a Yahoo on loopback on which everything happens."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from homes import Home
from loopback import PATIENT, LoopbackSession, Yahoo, faults, made_up
from market.vendor import Vendor

from forecast.features.targets import LEVELS
from forecast.ledger import open_ledger
from forecast.ledger.scores import live_scores
from forecast.market.fetching import fetch_one
from forecast.market.sessions import expected_sessions
from forecast.market.sources import yahoo
from forecast.market.sources.throttle import Gate
from forecast.pipeline.predict import newest_forecast
from forecast.registry import history, load_run

pytestmark = [pytest.mark.slow, pytest.mark.trial]

SESSIONS = expected_sessions("XNYS", pd.Timestamp("2022-01-03"), pd.Timestamp("2024-12-31"))
BEGIN, NIGHTS = 450, 250
SPLIT, DIVIDENDS, LAST_OF_GONE = BEGIN + 80, (BEGIN + 30, BEGIN + 95, BEGIN + 160), BEGIN + 170
TICKERS = ("AAA", "BBB", "GONE")
# Sessions on whose evening nothing, or one ticker, can be had; and until when.
FIRST_TRY, ONE_TICKER, ALL_NIGHT = BEGIN + 40, BEGIN + 90, BEGIN + 140
LEFT_OUT = ["2023-11-23", "2023-12-25", "2024-01-01", "2024-03-29", "2024-07-04"]
HALF_DAYS = ["2023-11-24", "2024-07-03"]


@pytest.fixture
def server(monkeypatch):
    whole = yahoo.fetch
    with Yahoo() as server, LoopbackSession(server.address) as session:
        ask = partial(whole, session=session, gate=Gate(), patience=PATIENT)
        monkeypatch.setattr(yahoo, "fetch", ask)
        yield server


def vendors() -> dict[str, Vendor]:
    made = {}
    for number, ticker in enumerate(TICKERS):
        made[ticker] = Vendor(ticker=ticker)
        made[ticker].traded = made_up(SESSIONS, seed=number + 1)
    made["AAA"].splits = {SPLIT: 4.0}
    made["BBB"].dividends = dict.fromkeys(DIVIDENDS, 0.8)
    return made


def evening(day: pd.Timestamp) -> str:
    """18:30 in New York; of a half day 14:00."""
    hour = "14:00" if f"{day:%Y-%m-%d}" in HALF_DAYS else "18:30"
    return pd.Timestamp(f"{day:%Y-%m-%d} {hour}", tz="America/New_York").isoformat()


def test_250_sessions(server, tmp_path):
    assert not SESSIONS.isin(pd.to_datetime(LEFT_OUT)).any()
    sold = vendors()
    others = {"source": "yahoo", "keep_snapshots": 10_000}
    home = Home(tmp_path, {"retrain": "monthly"}, TICKERS, others)
    failures, missed, nothing = [], [], 0
    days = pd.date_range(SESSIONS[BEGIN], SESSIONS[BEGIN + NIGHTS - 1])
    for day in days:
        known = int(SESSIONS.searchsorted(day, side="right"))
        row = known - 1
        for ticker, vendor in sold.items():
            vendor.known = min(known, LAST_OF_GONE + 1) if ticker == "GONE" else known
            server.add(ticker, vendor.quotes())
        if day == SESSIONS[FIRST_TRY]:
            for ticker in TICKERS:
                server.inject(ticker, faults.broken(503))
        elif day == SESSIONS[ONE_TICKER]:
            server.inject("BBB", faults.down)
        elif SESSIONS[ALL_NIGHT] <= day < SESSIONS[ALL_NIGHT + 1]:
            for ticker in TICKERS:
                server.inject(ticker, faults.broken(502))
        night = home.night(evening(day))
        bad = [entry for entry in night.document["tickers"] if entry["status"] == "failed"]
        if bad:
            failures.append((row, sorted(entry["ticker"] for entry in bad)))
            assert {entry["error"]["type"] for entry in bad} <= {
                "SourceUnavailable",
                "MalformedData",
            }
            assert night.exit_code == 1
            if row == ALL_NIGHT:
                missed.append(row)
            server.heal()
        if row in (FIRST_TRY, ONE_TICKER) and bad:
            late = pd.Timestamp(evening(day)) + pd.Timedelta(hours=2)
            again = home.night(late.isoformat())
            assert again.exit_code == 0
        if day not in SESSIONS:
            assert {entry["status"] for entry in night.document["tickers"]} == {"nothing"}
            nothing += 1
    assert failures == [
        (FIRST_TRY, list(TICKERS)),
        (ONE_TICKER, ["BBB"]),
        (ALL_NIGHT, list(TICKERS)),
    ]
    assert nothing == len(days) - NIGHTS

    with open_ledger(home.folder, read_only=True) as ledger:
        assert ledger.verify() == []
        record = ledger.track_record()
    for ticker in TICKERS:
        last = LAST_OF_GONE if ticker == "GONE" else BEGIN + NIGHTS - 1
        traded = [row for row in range(BEGIN, last + 1) if row not in missed]
        own = record[record["ticker"] == ticker]
        assert own["origin"].tolist() == SESSIONS[traded].tolist(), ticker
        assert own["session"].tolist() == SESSIONS[[row + 1 for row in traded]].tolist()
        check_outcomes(own, sold[ticker], last)
        check_known(home, own)
        assert len(history(home.folder, ticker)) >= 1
    check_scores(record)


def check_outcomes(own: pd.DataFrame, vendor: Vendor, last: int) -> None:
    """Each settled figure from the vendor's final table alone."""
    adjusted = vendor.quotes()["adj_close"]
    for row in own.itertuples():
        if row.session > SESSIONS[last]:
            # Tomorrow; or of the delisted ticker never, which is known after thirty days.
            assert math.isnan(row.actual)
            assert row.status == ("void" if last == LAST_OF_GONE else "pending")
            continue
        came = math.log(adjusted[row.session] / adjusted[row.origin])
        assert row.actual == pytest.approx(came, abs=1e-12)
        assert math.isnan(row.corrected)
        assert row.status == "settled"


def check_known(home: Home, own: pd.DataFrame) -> None:
    """Issued after the origin's close and before the session's; from the snapshot of that night."""
    closes = own["session"] + pd.Timedelta(hours=13 + 4)  # at the latest 13:00 in summer
    assert (own["issued_at"] < closes.dt.tz_localize("UTC")).all()
    opens = (own["origin"] + pd.Timedelta(hours=17)).dt.tz_localize("UTC")
    assert (own["issued_at"] > opens).all()
    for row in own.iloc[::10].itertuples():
        fetched = fetch_one(row.ticker, data=home.folder / "data", as_of=row.snapshot)
        assert fetched.bars.index[-1] == row.origin
        saved = load_run(home.folder, row.ticker, row.run)
        assert saved.manifest["tickers"][row.ticker]["last"] <= f"{row.origin:%Y-%m-%d}"
        again = newest_forecast(saved, fetched)
        assert again.point[0] == row.point
        assert again.quantiles[0].tolist() == [row.p05, row.p10, row.p25, row.p50, row.p75,
                                               row.p90, row.p95]  # fmt: skip
        assert row.last_close == fetched.history.quotes["close"].iloc[-1]


def check_scores(record: pd.DataFrame) -> None:
    """The live scores by plain arithmetic."""
    scores = live_scores(record).set_index("ticker")
    for ticker in TICKERS:
        own = record[(record["ticker"] == ticker) & record["actual"].notna()]
        errors, losses, reference, inside = [], [], [], 0
        for row in own.itertuples():
            errors.append(row.actual - row.point)
            inside += row.p10 <= row.actual <= row.p90
            for prefix, into in (("", losses), ("reference_", reference)):
                quantiles = [getattr(row, f"{prefix}p{round(100 * level):02d}") for level in LEVELS]
                into.append(
                    sum(
                        max(level * (row.actual - q), (level - 1) * (row.actual - q))
                        for level, q in zip(LEVELS, quantiles, strict=True)
                    )
                    / len(LEVELS)
                )
        told = scores.loc[ticker]
        assert told["forecasts"] == len(own)
        assert told["mse_return"] == pytest.approx(np.mean(np.square(errors)), rel=1e-9)
        assert told["mae_return"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-9)
        assert told["coverage_80"] == pytest.approx(inside / len(own), rel=1e-12)
        assert told["pinball"] == pytest.approx(np.mean(losses), rel=1e-9)
        skill = 1 - np.mean(losses) / np.mean(reference)
        assert told["skill_pinball"] == pytest.approx(skill, rel=1e-9)
        naive = np.mean([row.actual**2 for row in own.itertuples()])
        assert told["mse_return"] < 1.1 * naive
