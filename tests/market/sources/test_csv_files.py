"""Files as people have them: other spellings, zones, cut archives: read right, or refused."""

import gzip
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from forecast.errors import ForecastError, MalformedData
from forecast.market.sources.csv_files import fetch

HEADER = "Date,Open,High,Low,Close,Volume"
ROWS = ["2024-01-02,10,12,9,11,100", "2024-07-01,11,13,10,12,200"]


def written(folder: Path, text: str) -> pd.DataFrame:
    (folder / "ACME.csv").write_text(text)
    return fetch("ACME", folder=folder).quotes


def table(header: str = HEADER, rows: list[str] = ROWS) -> str:
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(
    "stamps",
    [
        # yfinance's own to_csv: the zone's distance to UTC differs in summer.
        ("2024-01-02 00:00:00-05:00", "2024-07-01 00:00:00-04:00"),
        ("2024-01-02 00:00:00+00:00", "2024-07-01 00:00:00+01:00"),
        ("2024-01-02T00:00:00Z", "2024-07-01T00:00:00Z"),
        ("2024-01-02 16:00:00", "2024-07-01 16:00:00"),
        ("2024-01-02 09:00:00.000+0900", "2024-07-01 09:00:00.000+0900"),
    ],
)
def test_a_date_with_a_time_and_its_zone_is_the_date_there(tmp_path, stamps):
    rows = [row.replace(row[:10], stamp) for row, stamp in zip(ROWS, stamps, strict=True)]
    quotes = written(tmp_path, table(rows=rows))
    assert [day.date() for day in quotes.index] == [date(2024, 1, 2), date(2024, 7, 1)]
    assert quotes.index.tz is None
    assert list(quotes["close"]) == [11, 12]


@pytest.mark.parametrize(
    "spelling", ["Adj Close", "adj_close", "Adj. Close", "AdjClose", "ADJUSTED CLOSE"]
)
def test_the_adjusted_close_is_known_in_each_spelling(tmp_path, spelling):
    rows = [f"{row},{half}" for row, half in zip(ROWS, ("5.5", "6"), strict=True)]
    quotes = written(tmp_path, table(f"{HEADER},{spelling}", rows))
    assert list(quotes["adj_close"]) == [5.5, 6]
    assert list(quotes["close"]) == [11, 12]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (table().replace(",", ";"), "Date;Open;High"),
        (table(f"{HEADER},Close", [f"{row},1" for row in ROWS]), "Repeated: close"),
        # Without care the first column would become the rows' names, and each price another one.
        (table(rows=[f"{row}," for row in ROWS]), "Expected 6 fields in line 2"),
    ],
)
def test_a_table_that_could_be_misread_is_refused(tmp_path, text, says):
    with pytest.raises(MalformedData, match=says):
        written(tmp_path, text)


@pytest.mark.parametrize("stamp", ["20240102", "2024/01/02", "2024-1-2", "2024-01-02T16:00"])
def test_a_full_date_is_read(tmp_path, stamp):
    assert list(written(tmp_path, table(rows=[f"{stamp},10,12,9,11,100"])).index.day) == [2]


@pytest.mark.parametrize(
    "stamp", ["2024", "2024-01", "202401", "today", "now", "2024-01-02 now", "2024-W05-1", "45293"]
)
def test_what_is_no_full_date_is_refused(tmp_path, stamp):
    with pytest.raises(MalformedData, match=f"YYYY-MM-DD.*{stamp!r} in line 3"):
        written(tmp_path, table(rows=[ROWS[0], f"{stamp},10,12,9,11,100"]))


def test_what_yfinance_writes_of_a_download_is_read(tmp_path):
    table = pd.DataFrame(
        [[11.0, 12.0, 9.0, 10.0, 100], [12.0, 13.0, 10.0, 11.0, 200]],
        index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="Date"),
        columns=pd.MultiIndex.from_product(
            [["Close", "High", "Low", "Open", "Volume"], ["ACME"]], names=["Price", "Ticker"]
        ),
    )
    quotes = written(tmp_path, table.to_csv())
    assert quotes[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [
        [10, 12, 9, 11, 100],
        [11, 13, 10, 12, 200],
    ]
    with pytest.raises(MalformedData, match=r"'low' .* first '\?' in line 4 of"):
        written(tmp_path, table.to_csv().replace("9.0", "?"))
    both = pd.concat([table, table.rename(columns={"ACME": "OTHER"})], axis=1)
    with pytest.raises(MalformedData, match="Repeated: close, high, low, open, volume"):
        written(tmp_path, both.to_csv())


def test_a_spreadsheets_empty_rows_and_columns_say_nothing(tmp_path):
    text = table(f"{HEADER},,", [f"{row},," for row in ROWS] + [",,,,,,,"] * 2)
    assert list(written(tmp_path, text)["close"]) == [11, 12]


@pytest.mark.parametrize("none", ["", "null", "NaN", "N/A", "-"])
def test_a_row_without_prices_has_none_whatever_else_it_says(tmp_path, none):
    empty = f"2024-01-03,{none},{none},{none},{none},0,ACME"
    rows = [f"{ROWS[0]},ACME", empty, f"{ROWS[1]},ACME"]
    quotes = written(tmp_path, table(f"{HEADER},Name", rows))
    assert quotes["close"].isna().tolist() == [False, True, False]
    partly = empty.replace(f",{none}", ",1", 1)
    with pytest.raises(MalformedData, match="'high' must be a number"):
        written(tmp_path, table(f"{HEADER},Name", [rows[0], partly]))


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("column", [0, 4])
def test_the_line_to_correct_is_that_of_the_file_with_its_blank_ones(tmp_path, ending, column):
    wrong = ROWS[1].split(",")
    wrong[column] = "?"
    lines = ["", HEADER, ROWS[0], "", "  ", ",".join(wrong), ""]
    text = "\n".join(lines).encode()
    content = gzip.compress(text) if ending.endswith("gz") else text
    (tmp_path / f"ACME{ending}").write_bytes(content)
    with pytest.raises(MalformedData, match=r"first '[?]' in line 6 of") as caught:
        fetch("ACME", folder=tmp_path)
    assert caught.value.hint == "correct line 6 of the file"


def test_no_cut_or_changed_archive_gives_anything_but_an_error_that_names_it(tmp_path):
    whole = gzip.compress(table(rows=ROWS[:1] * 40).encode())
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 255])):
            (tmp_path / "ACME.csv.gz").write_bytes(damaged)
            try:
                quotes = fetch("ACME", folder=tmp_path).quotes
            except ForecastError as error:
                assert "ACME.csv.gz" in str(error)
            else:
                # The header of an archive holds bytes that say nothing of its content.
                assert place < 10
                assert len(quotes) == 40
