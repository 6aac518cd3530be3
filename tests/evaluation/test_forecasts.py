from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ArtifactError
from forecast.evaluation.forecasts import (
    FORECAST_COLUMNS,
    QUANTILE_COLUMNS,
    forecast_frame,
    outcomes,
    read_forecasts,
    write_forecasts,
)
from forecast.features.targets import Prediction

SESSIONS = pd.bdate_range("2024-01-01", periods=5, name="session")
BARS = pd.DataFrame({"close": [10.0, 11.0, 12.0, 13.0, 14.0]}, index=SESSIONS)


def test_columns_are_those_of_the_file():
    assert QUANTILE_COLUMNS == ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]


def test_outcomes_by_hand():
    sessions, actual = outcomes(BARS, SESSIONS[[0, 2]], horizon=2)
    np.testing.assert_array_equal(actual, [[11, 12], [13, 14]])
    np.testing.assert_array_equal(sessions, SESSIONS.to_numpy()[[[1, 2], [3, 4]]])


def test_outcomes_beyond_the_last_bar():
    coming = pd.DatetimeIndex(["2024-01-08", "2024-01-09"])
    sessions, actual = outcomes(BARS, SESSIONS[[3, 4]], horizon=2, coming=coming)
    np.testing.assert_array_equal(actual, [[14, np.nan], [np.nan, np.nan]])
    assert pd.Timestamp(sessions[1, 1]) == coming[1]
    with pytest.raises(ValueError, match="known sessions"):
        outcomes(BARS, SESSIONS[[4]], horizon=2, coming=coming[:1])
    with pytest.raises(ValueError, match="must be a session"):
        outcomes(BARS, pd.DatetimeIndex(["2023-01-02"]), horizon=1)


def frame_of(ticker="NA", model="lstm", seed=0):
    rng = np.random.default_rng(seed)
    origins = SESSIONS[[1, 2]]
    coming = pd.DatetimeIndex(["2024-01-08"])
    sessions, actual = outcomes(BARS, origins, horizon=3, coming=coming)
    quantiles = np.sort(rng.normal(0, 0.01, (2, 3, 7)), axis=-1)
    return forecast_frame(
        Prediction(rng.normal(0, 0.01, (2, 3)), quantiles),
        ticker=ticker,
        model=model,
        close=BARS["close"].loc[origins].to_numpy(),
        origins=origins,
        sessions=sessions,
        actual=actual,
    )


def test_frame_by_hand():
    prediction = Prediction(np.log([[1.1, 1.2]]), np.log(np.full((1, 2, 7), 1.5)))
    frame = forecast_frame(
        prediction,
        ticker="AAPL",
        model="lstm",
        close=np.array([10.0]),
        origins=SESSIONS[:1],
        sessions=SESSIONS.to_numpy()[None, 1:3],
        actual=np.array([[11.0, np.nan]]),
    )
    assert list(frame.columns) == FORECAST_COLUMNS
    assert frame["step"].tolist() == [1, 2]
    np.testing.assert_allclose(frame["predicted"], [11, 12])
    np.testing.assert_allclose(frame["p95"], [15, 15])
    assert frame["actual"].tolist()[0] == 11.0
    assert np.isnan(frame["actual"].tolist()[1])
    assert frame["origin"].tolist() == [SESSIONS[0]] * 2
    assert frame["session"].tolist() == list(SESSIONS[1:3])


def test_last_close_is_the_close_to_the_last_bit():
    close = np.array([430.47, 0.1 + 0.2])
    frame = forecast_frame(
        Prediction(np.zeros((2, 1)), np.zeros((2, 1, 7))),
        ticker="AAPL",
        model="last_close",
        close=close,
        origins=SESSIONS[:2],
        sessions=SESSIONS.to_numpy()[1:3, None],
        actual=np.ones((2, 1)),
    )
    np.testing.assert_array_equal(frame["predicted"], close)


def test_shapes_that_do_not_agree():
    with pytest.raises(ValueError, match="shapes must be"):
        forecast_frame(
            Prediction(np.zeros((2, 1)), np.zeros((2, 1, 7))),
            ticker="AAPL",
            model="lstm",
            close=np.ones(1),
            origins=SESSIONS[:2],
            sessions=SESSIONS.to_numpy()[1:3, None],
            actual=np.ones((2, 1)),
        )


def test_file_gives_the_same_frame_bit_for_bit(tmp_path):
    # A ticker may be spelt NA or 1E5, and prices may be of any size.
    frame = pd.concat([frame_of("NA"), frame_of("1E5", "gru", 1)], ignore_index=True)
    frame["predicted"] *= np.logspace(-12, 12, len(frame))
    path = tmp_path / "forecasts.csv"
    write_forecasts(path, frame)
    again = read_forecasts(path)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert again["actual"].isna().sum() == 2
    header, first, *_ = path.read_text().splitlines()
    assert header == "ticker,origin,step,session,model,predicted,p05,p10,p25,p50,p75,p90,p95,actual"
    assert first.startswith("NA,2024-01-02,1,2024-01-03,lstm,")


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", "ticker\n"])
def test_no_such_file_or_table(tmp_path, content):
    path = tmp_path / "forecasts.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError, match="must be a table"):
        read_forecasts(path)


def test_text_where_a_number_belongs(tmp_path):
    path = tmp_path / "forecasts.csv"
    write_forecasts(path, frame_of())
    path.write_text(path.read_text().replace(",13.0\n", ",x\n"))
    with pytest.raises(ArtifactError, match="must be a table"):
        read_forecasts(path)
