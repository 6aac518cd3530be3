"""Cores and memory that may be used, within what a container is given."""

from __future__ import annotations

import os

import pytest

from forecast.pipeline import capacity
from forecast.pipeline.capacity import cores, free_memory, room_for
from forecast.pipeline.doctor import machine


def system(root, *, available=None, **group):
    """A machine's files: memory available [kB], and those of its control group."""
    (root / "proc").mkdir()
    (root / "sys/fs/cgroup").mkdir(parents=True)
    if available is not None:
        text = f"MemTotal: 99999999 kB\nMemAvailable: {available} kB\n"
        (root / "proc/meminfo").write_text(text)
    for name, content in group.items():
        (root / "sys/fs/cgroup" / name.replace("_", ".")).write_text(f"{content}\n")
    return root


STAT = "anon 900\nfile 2500\nactive_file 1500\ninactive_file 500\nslab_reclaimable 100\nshmem 500"


@pytest.mark.parametrize(
    ("known", "free"),
    [
        ({"available": 7}, 7 * 1024),
        ({"available": 7, "memory_max": "max", "memory_current": 4000}, 7 * 1024),
        # The container's own page cache is taken back when it is wanted.
        ({"available": 7, "memory_max": 5000, "memory_current": 4000, "memory_stat": STAT}, 3100),
        ({"available": 7, "memory_max": 5000, "memory_current": 4000}, 1000),
        ({"available": 2, "memory_max": 5000, "memory_current": 4000, "memory_stat": STAT}, 2048),
        ({"memory_max": 5000, "memory_current": 6000}, 0),
        ({}, None),
    ],
)
def test_free_memory_is_what_the_machine_and_the_container_have_left(tmp_path, known, free):
    assert free_memory(system(tmp_path, **known)) == free


def test_room_and_the_doctor_go_by_the_same(monkeypatch):
    monkeypatch.setattr(capacity, "free_memory", lambda: 2.5e9)
    monkeypatch.setattr(machine, "free_memory", lambda: 2.5e9)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 4}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert [room_for(9, memory=memory) for memory in (0.5, 1.0, 2.0)] == [3, 2, 1]
    assert machine.memory(1.0).detail == "2.5 GB free, 3 cores"


def test_room_is_never_less_than_one_nor_more_than_the_jobs():
    assert room_for(100, memory=1e6) == 1
    assert room_for(1, memory=1e-6) == 1
    assert cores() >= 1
