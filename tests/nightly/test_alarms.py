"""What a night says has drifted, from the ledger as it is."""

from __future__ import annotations

from datetime import UTC, datetime

from homes import FIRST_NIGHT
from ledger.issues import bars_of, fill

from forecast.ledger import open_ledger
from forecast.nightly.alarms import alarms_of
from forecast.pipeline.fetch import fetch
from forecast.registry import load_run


def test_a_price_that_the_vendor_corrected_is_no_drift(first_night, tmp_path):
    home, _ = first_night
    now = datetime.fromisoformat(f"{FIRST_NIGHT}T23:00Z")
    (fetched,) = fetch(["ACME"], home=tmp_path, settings=home.settings, now=now)
    champion = load_run(home.folder, "ACME")
    right = bars_of(131)
    wrong = right.copy()
    wrong.loc[wrong.index[1::2], "close"] *= 1.08
    known = {"snapshot": "s", "now": datetime(2012, 9, 1, tzinfo=UTC)}
    with open_ledger(tmp_path) as ledger:
        fill(ledger, right, range(130), settle_each=False)
        ledger.settle("AAPL", wrong, **known)
        (alarm, *_) = alarms_of(champion, fetched, ledger.track_record("AAPL"))
        assert "80 % band held" in alarm
        ledger.settle("AAPL", right, **known)
        assert alarms_of(champion, fetched, ledger.track_record("AAPL")) == []
