"""TensorBoard's logs belong to a run: none stay of one that failed."""

from __future__ import annotations

import pytest

from forecast.config import Settings
from forecast.pipeline import train


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_no_logs_stay_of_a_run_that_fails(failure, tmp_path):
    def write(fail):
        run = tmp_path / "models" / "AAPL" / "run"
        with train._tensorboard(tmp_path, run, Settings(tensorboard=True)) as logs:
            logs.mkdir(parents=True)
            (logs / "events").write_bytes(b"x")
            if fail:
                raise failure

    with pytest.raises(failure):
        write(fail=True)
    logs = tmp_path / "reports" / "tensorboard" / "AAPL" / "run"
    assert not logs.exists()
    write(fail=False)
    assert (logs / "events").exists()
