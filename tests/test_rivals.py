"""The comparison with other libraries: its task, its clock, its sums; the libraries stay out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from simulated import garch

from benchmarks.rivals.contract import RIVALS
from benchmarks.rivals.limit import flops_per_step
from benchmarks.rivals.summary import arrival, as_markdown, settled, summarise
from benchmarks.rivals.task import LOOKBACK, features_of, load, pinball, write
from benchmarks.rivals.watch import Watch


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    file = tmp_path_factory.mktemp("task") / "task.npz"
    bars = ((name, garch(600, seed=seed).bars) for seed, name in enumerate("AB"))
    write(file, bars, features=features_of("textbook"))
    return load(file)


def run(name, seed, looks, *, start=1.0):
    return {
        "rival": name,
        "label": RIVALS[name].label,
        "seed": seed,
        "settings": {},
        "versions": {"numpy": "2"},
        "start_s": start,
        "steps_per_s": 1000.0,
        "targets_per_s": 500.0,
        "peak_mb": 100.0,
        "points": [{"trained": at, "pinball": loss, "updates": 1} for at, loss in looks],
        "inference": {"single_ms": 1.0, "batch_ms": 2.0},
        "sgemm": {"large": 1e12, "recurrent": 1e11, "cores": 2},
        "processor": "a processor without AVX-512",
    }


def test_a_step_of_the_default_network():
    # Forward: 2 · 256 · (16 + 64) + 2 · 256 · (64 + 64); backward twice that, less 2 · 256 · 16.
    assert flops_per_step(16, (64, 64)) == 3 * (40_960 + 65_536) - 8_192
    assert flops_per_step(16, (64, 64), gates=3) == 3 * (30_720 + 49_152) - 6_144


def test_parts_follow_each_other_and_the_target_has_unit_spread_in_training(task):
    assert len(task.first_rows) == 2
    for first, last in pairwise([*task.first_rows, len(task.features)]):
        train, validation, held = (
            part[(part >= first) & (part < last)]
            for part in (task.train, task.validation, task.held)
        )
        assert train[-1] + 1 < validation[0]
        assert validation[-1] + 1 < held[0]
        assert held[-1] + LOOKBACK < last
        spread = task.targets[first : train[-1] + LOOKBACK].std()
        assert spread == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(task.gather_targets("held")).all()


def test_pinball_by_hand():
    # Every quantile 0 and outcome 1: the mean level.
    assert pinball(np.ones(3), np.zeros((3, 7))) == pytest.approx(0.5)


def test_a_rival_is_told_to_stop_when_it_gets_no_better(task):
    watch = Watch(task, seconds=math.inf, patience=0.0)
    watch.start()
    watch._trained = 100.0
    wide = [np.tile(width * np.arange(-3, 4), (1024, 1)) for width in (0.5, 5.0)]
    assert not watch.update(lambda starts: wide[0][: len(starts)], steps=60, targets=1)
    watch._trained = 200.0
    assert watch.update(lambda starts: wide[1][: len(starts)], steps=60, targets=1)
    assert [point.updates for point in watch.points] == [1, 2]
    assert watch.points[0].pinball < watch.points[1].pinball


def test_times_and_ratios_round_by_round(task):
    runs = [
        run("program", 0, [(1.0, 0.2), (2.0, 0.1004)], start=4.0),
        run("program", 1, [(3.0, 0.1)], start=4.0),
        run("torch_windows", 0, [(8.0, 0.1006), (9.0, 0.1004)], start=1.0),
        run("torch_windows", 1, [(12.0, 0.1001)], start=3.0),
        run("keras_windows", 0, [(50.0, 0.1006)]),
    ]
    results = summarise(runs, task)
    assert results["goal"] == pytest.approx(0.1005)
    own, torch, keras = results["rivals"]
    assert (own["trained"], own["whole"]) == (2.5, 6.5)
    assert torch["trained_ratio"] == pytest.approx((9 / 2 + 12 / 3) / 2)
    assert torch["whole_ratio"] == pytest.approx((10 / 6 + 15 / 7) / 2)
    assert torch["sgemm_share"] == pytest.approx(1000 * results["flops_per_step"] / 1e12)
    assert (keras["trained"], keras["trained_ratio"], keras["arrived"]) == (None, None, 0)
    assert arrival(runs[4], 0.1005) == math.inf
    jumping = run("torch_windows", 0, [(1.0, 0.1), (2.0, 0.2), (3.0, 0.1), (4.0, 0.1)])
    assert (arrival(jumping, 0.1005), settled(jumping, 0.1005)) == (1.0, 3.0)
    assert settled(runs[0], 0.1005) == 2.0
    assert settled(runs[4], 0.1005) == math.inf
    assert "| Keras fit, windows | 1.0 | not reached |" in as_markdown(results)
