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


V1 = f"{STAT}\ntotal_active_file 1500\ntotal_inactive_file 600\ntotal_rss 1900"
NESTED = "0::/user.slice/forecast.service"


def grouped(root, said, files):
    """The same machine; what `/proc/self/cgroup` says, and files below `/sys/fs/cgroup`."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"{said}\n")
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


@pytest.mark.parametrize(
    ("said", "files", "free"),
    [
        # The unit's own limit, and that of the slice above it.
        (
            NESTED,
            {
                "user.slice/memory.max": 9000,
                "user.slice/memory.current": 1000,
                "user.slice/forecast.service/memory.max": 5000,
                "user.slice/forecast.service/memory.current": 500,
            },
            4500,
        ),
        (
            NESTED,
            {
                "user.slice/memory.max": 3000,
                "user.slice/memory.current": 1000,
                "user.slice/forecast.service/memory.max": "max",
            },
            2000,
        ),
        # Version 1: of the caches those of the groups within count, once.
        (
            "4:memory:/docker/1f2e\n0::/",
            {
                "memory/docker/1f2e/memory.limit_in_bytes": 5000,
                "memory/docker/1f2e/memory.usage_in_bytes": 4000,
                "memory/docker/1f2e/memory.stat": V1,
                "memory/memory.limit_in_bytes": 9223372036854771712,
                "memory/memory.usage_in_bytes": 8000,
            },
            3100,
        ),
        # A container that is told the machine's path of it, and sees itself as the root.
        (
            "4:cpuset,memory:/docker/1f2e",
            {"memory/memory.limit_in_bytes": 5000, "memory/memory.usage_in_bytes": 4000},
            1000,
        ),
    ],
)
def test_free_memory_is_what_every_group_above_has_left(tmp_path, said, files, free):
    assert free_memory(grouped(system(tmp_path, available=100), said, files)) == free


@pytest.mark.parametrize(
    ("said", "files", "count"),
    [
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "100000 100000"}, 1),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "20000 100000"}, 1),
        ("0::/", {"cpu.max": "6400000 100000"}, 8),
        (NESTED, {"user.slice/forecast.service/cpu.max": "300000 100000"}, 3),
        (NESTED, {"user.slice/cpu.max": "200000 100000"}, 2),
        (
            "3:cpu,cpuacct:/docker/1f2e",
            {"cpu/cpu.cfs_quota_us": 200000, "cpu/cpu.cfs_period_us": 100000},
            2,
        ),
        (
            "3:cpu:/docker/1f2e",
            {"cpu/docker/1f2e/cpu.cfs_quota_us": -1, "cpu/docker/1f2e/cpu.cfs_period_us": 100000},
            8,
        ),
        ("nothing that can be read", {}, 8),
    ],
)
def test_cores_are_those_that_a_quota_pays_for(tmp_path, monkeypatch, said, files, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores(grouped(tmp_path, said, files)) == count


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
