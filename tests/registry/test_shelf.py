"""A run over several tickers is verified and read once for all of them."""

from __future__ import annotations

import pytest

from forecast.errors import ArtifactError
from forecast.registry import METRICS, Shelf, promote


def test_a_run_over_several_tickers_is_read_once(tmp_path, save, damage):
    folder = save("both", "AAPL", "IBM")
    for ticker in ("AAPL", "IBM"):
        promote(tmp_path, ticker, "both", reason="a test")
    shelf = Shelf(tmp_path)
    taken = shelf.take("AAPL")
    assert taken.metrics is taken.metrics
    damage(folder / METRICS)
    assert shelf.take("IBM") is shelf.take("AAPL", "both") is taken
    assert shelf.document("IBM", "both") is taken.metrics["runs"][1]
    with pytest.raises(ArtifactError, match="is damaged"):
        Shelf(tmp_path).take("IBM")


def test_what_an_earlier_run_over_several_printed_is_read_once(tmp_path, save, damage):
    folder, shelf = save("earlier", "AAPL", "IBM"), Shelf(tmp_path)
    assert shelf.document("AAPL", "earlier")["ticker"] == "AAPL"
    damage(folder / METRICS)
    assert shelf.document("IBM", "earlier")["ticker"] == "IBM"
    assert shelf.document("MSFT", "earlier") is None
    assert Shelf(tmp_path).document("IBM", "earlier") is None


def test_a_ticker_s_own_run_is_no_other_s(tmp_path, save):
    save("own")
    save("own", "IBM")
    shelf = Shelf(tmp_path)
    assert [shelf.take(ticker, "own").folder.parent.name for ticker in ("AAPL", "IBM")] == [
        "AAPL",
        "IBM",
    ]
    assert shelf.document("IBM", "own")["ticker"] == "IBM"
    assert shelf.document("IBM", "none") is None
    with pytest.raises(ArtifactError, match="must be a trained network"):
        shelf.take("AAPL")
