from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples import air_quality as air


@pytest.fixture(scope="module")
def frame():
    return air.made_up(3000, seed=1)


def test_made_up_hours_are_in_the_columns_and_units_of_the_file(frame):
    head = "No,year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir"
    assert ",".join(frame) == head
    assert frame["pm2.5"].isna().sum() > 24
    assert frame["pm2.5"].dropna().between(1, 990).all()
    assert set(frame["cbwd"]) == set(air.WIND)


def test_the_outcome_is_the_class_of_the_next_hour(frame):
    windows = air.hourly_windows(frame, lookback=5)
    pm = frame["pm2.5"].to_numpy()
    hour = pd.to_datetime(frame[["year", "month", "day", "hour"]])
    for position in (0, 700, len(windows) - 1):
        at = int(np.flatnonzero(hour == windows.origin[position])[0])
        bounds = (0, *air.BOUNDS, np.inf)
        number = int(windows.y[position, 0])
        assert bounds[number] < pm[at + 1] <= bounds[number + 1]
    assert np.isfinite(windows.y).all()


def test_an_unknown_hour_counts_as_the_last_known_one():
    frame = air.made_up(200, seed=2).iloc[24:].reset_index(drop=True)
    frame["pm2.5"] = np.arange(1.0, 177.0)
    frame.loc[50, "pm2.5"] = np.nan
    windows = air.hourly_windows(frame, lookback=2)
    assert np.expm1(windows.features[50, 0]) == pytest.approx(50.0, rel=1e-5)
    assert windows.features[50, 1] == 1.0
    assert 48 not in windows.starts  # its last row is hour 49: what came is not known


def test_a_file_that_will_not_do_is_named(tmp_path, capsys):
    file = tmp_path / "air.csv"
    file.write_text("year,month\n2010,1\n")
    assert air.main(["--file", str(file)]) == 1
    assert "Missing: DEWP" in capsys.readouterr().err
    assert air.main(["--file", str(tmp_path / "none.csv")]) == 1
    capsys.readouterr()
    assert air.main(["--hours", "100"]) == 1
    said = capsys.readouterr().err
    assert "at least" in said
    assert said.count("Try: ") == 1


def test_a_word_for_a_number_is_named(frame, tmp_path, capsys):
    file = tmp_path / "air.csv"
    frame.astype({"pm2.5": object}).replace({"pm2.5": {frame["pm2.5"][5]: "abc"}}).to_csv(
        file, index=False
    )
    assert air.main(["--file", str(file)]) == 1
    assert "every column but cbwd must hold numbers" in capsys.readouterr().err


def test_reads_a_file_and_says_how_it_stands(frame, tmp_path, capsys):
    frame.to_csv(tmp_path / "air.csv", index=False)
    arguments = ["--file", str(tmp_path / "air.csv"), "--lookback", "6", "--epochs", "1"]
    assert air.main([*arguments, "--network", "gru"]) == 1
    said = capsys.readouterr().out
    assert "MADE-UP" not in said
    assert "majority" in said


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_beats_the_majority_and_is_no_worse_than_now(seed, capsys):
    assert air.main(["--seed", str(seed)]) == 0
    assert "MADE-UP" in capsys.readouterr().out
