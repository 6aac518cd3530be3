"""The scheduler in front, as a process of its own with nights that write down what befalls them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from forecast.scheduling.foreground import triggers
from forecast.scheduling.nights import nights

SCHEDULER = """
import sys
from datetime import UTC, datetime, timedelta
from apscheduler.triggers.date import DateTrigger
from forecast.scheduling.foreground import say, serve
soon = [DateTrigger(datetime.now(UTC) + timedelta(seconds=float(text))) for text in sys.argv[3:]]
serve(soon, ["sh", "-c", sys.argv[1]], tell=say, again=timedelta(seconds=float(sys.argv[2])))
say("gone")
"""


def wait_for(said, text, times=1):
    until = time.monotonic() + 600
    while said.read_text().count(text) < times:
        assert time.monotonic() < until, said.read_text()
        time.sleep(0.05)


@pytest.fixture
def scheduler(tmp_path):
    processes = []

    def start(night, *times, again="0.1"):
        said = tmp_path / "said"
        with said.open("w") as file:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", SCHEDULER, night, again, *times],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    cwd=tmp_path,
                    env=dict(os.environ),
                )
            )
        return processes[-1], said

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_one_night_at_once_and_one_when_it_is_due_one_at_a_time(scheduler):
    process, said = scheduler("echo begun; sleep 0.5; echo over", "0.2", "1.5")
    wait_for(said, "over", times=3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=600) == 0
    words = [word for word in said.read_text().split() if word in ("begun", "over")]
    # The second was due while the first was at work: it waited.
    assert words == ["begun", "over"] * 3


def test_sigterm_reaches_the_night_at_work_and_its_end_is_waited_for(scheduler):
    night = "trap 'sleep 0.5; echo safe; exit 143' TERM; echo begun; while :; do sleep 0.1; done"
    process, said = scheduler(night)
    wait_for(said, "begun")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=600) == 0
    told = said.read_text()
    assert told.index("stopping") < told.index("safe") < told.index("stopped at a safe point")
    assert told.index("safe") < told.index("gone")
    assert told.count("begun") == 1


def test_a_night_that_fails_is_tried_again_until_it_is_done(scheduler):
    night = "echo x >>count; echo try; [ $(wc -l <count) -ge 3 ]"
    process, said = scheduler(night)
    wait_for(said, "the night has ended")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=600) == 0
    assert said.read_text().count("try") == 3


def test_wrong_usage_is_not_tried_again(scheduler):
    process, said = scheduler("exit 2", "0.5")
    wait_for(said, "the night has failed (2)", times=2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=600) == 0
    assert "again in" not in said.read_text()


def test_the_triggers_keep_to_each_exchange_s_zone():

    (trigger,) = triggers(nights(["NMS"]))
    summer = trigger.get_next_fire_time(None, datetime(2026, 10, 31, 12, tzinfo=UTC))
    winter = trigger.get_next_fire_time(None, datetime(2026, 11, 1, 12, tzinfo=UTC))
    assert [moment.astimezone(UTC).hour for moment in (summer, winter)] == [22, 23]
    assert {moment.minute for moment in (summer, winter)} == {30}
