"""What docs/data.md says of the store and the findings is so."""

import re
from pathlib import Path

import pandas as pd
import pytest

from forecast.market import oddities, overlap, quality
from forecast.market.fetching import fetch_one
from forecast.market.findings import Thresholds

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "data.md").read_text()


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", DOCS, re.M | re.S)[1]


def test_the_pandas_query_over_all_tickers_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fetch_one("IBM", data="data", source="sample")
    aapl = fetch_one("AAPL", data="data", source="sample")
    [code] = re.findall(r"```python\n(.*?)```", section("A query over all tickers"), re.S)
    found: dict = {}
    exec(code.replace("yahoo.json", "sample.json"), found)
    assert list(found["closes"].columns) == ["AAPL", "IBM"]
    close = found["closes"]["AAPL"]
    close.index = pd.DatetimeIndex(close.index)
    assert close.tolist() == aapl.bars["close"].tolist()


def test_the_layout_is_as_drawn(tmp_path):
    fetched = fetch_one("AAPL", data=tmp_path / "data", source="sample")
    drawn = re.findall(r"^data/bars/AAPL/(\S+)", section("Store"), re.M)
    shaped = {
        re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "SNAPSHOT", name).replace("yahoo", "sample")
        for name in drawn
    }
    there = {
        path.name.replace(fetched.snapshot, "SNAPSHOT")
        for path in (tmp_path / "data" / "bars" / "AAPL").iterdir()
    }
    assert shaped == there


def test_every_kind_of_finding_is_in_the_table():
    told = {
        kind
        for row in re.findall(r"^\| (`.*?) \|", section("Quality"), re.M)
        for kind in re.findall(r"`(\w+)`", row)
    }
    source = "".join(Path(one.__file__).read_text() for one in (quality, oddities, overlap))
    made = set(re.findall(r'(?:"(?:reject|repair|warn)",|broken\(|Comparison\()\s*"(\w+)"', source))
    assert len(made) > 15
    assert made <= told
    assert {kind for kind in told if f'"{kind}"' not in source} == set()


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("jump", "12 robust deviations"),
        ("jump_floor", "above 15 %"),
        ("flat_run", "six or more equal closes"),
        ("few_sessions", "fewer than 250 sessions"),
        ("stale_sessions", "more than five sessions old"),
        ("rounding", "a millionth"),
    ],
)
def test_the_thresholds_are_those_told(field, said):
    values = {"jump": 12.0, "jump_floor": 0.15, "flat_run": 6, "few_sessions": 250}
    values |= {"stale_sessions": 5, "rounding": 1e-6}
    assert getattr(Thresholds(), field) == values[field]
    assert said in section("Quality")
