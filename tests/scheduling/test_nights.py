from __future__ import annotations

from datetime import time

import pytest

from forecast.errors import ConfigError
from forecast.scheduling.nights import nights, parse_time


def test_each_time_zone_has_its_night_two_and_a_half_hours_after_its_close():
    told = [str(night) for night in nights(["NMS", "NYQ", "LSE", "JPX", "CCC"])]
    assert told == [
        "18:30 America/New_York",
        "18:00 Asia/Tokyo",
        "19:00 Europe/London",
        "02:30 UTC",
    ]


def test_exchanges_of_one_zone_share_the_night_of_the_last_close():
    # Hong Kong's calendar and Shanghai's close at 16:00 and 15:00, in zones of their own.
    assert [night.zone for night in nights(["HKG", "SHH"])] == ["Asia/Hong_Kong", "Asia/Shanghai"]
    (utc,) = nights(["CCC", "weekdays"])
    assert utc.calendars == ("every_day", "weekdays")


@pytest.mark.parametrize(
    ("at", "early"),
    [("09:29", False), ("12:00", True), ("16:29", True), ("16:30", False), ("06:00", False)],
)
def test_a_time_while_the_session_runs_or_settles_is_too_early(at, early):
    (night,) = nights(["NMS"], at=parse_time(at))
    assert night.too_early is early


@pytest.mark.parametrize("text", ["25:00", "18", "18:60", "", "6pm", "18:30:00"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="HH:MM"):
        parse_time(text)


def test_a_time_may_lack_its_zero():
    assert parse_time(" 6:05 ") == time(6, 5)
