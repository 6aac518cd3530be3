"""What this process may use of the machine: cores, and memory within a container's limit."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_CACHE = ("active_file", "inactive_file", "slab_reclaimable")
"""Of a container's memory, what the kernel takes back when it is wanted."""


def cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory(root: Path = Path("/")) -> float | None:
    """Bytes that may still be used: what the system calls available, and the container has left.

    Args:
        root: Where `proc` and `sys` are.

    Returns:
        None where the system does not tell.
    """
    free = []
    with suppress(OSError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free.append(float(line.split()[1]) * 1024)
    group = root / "sys/fs/cgroup"
    # Without a limit the file is missing, or says "max".
    with suppress(OSError, ValueError):
        limit = float((group / "memory.max").read_text())
        free.append(max(0.0, limit - _in_use(group)))
    return min(free, default=None)


def room_for(jobs: int, *, memory: float) -> int:
    """How many workers this machine has cores and memory for, at least one.

    Args:
        jobs: No more than these are of use.
        memory: What a worker needs [GB].
    """
    free = free_memory()
    if free is None:
        free = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(1, min(jobs, cores(), int(free // (memory * 1e9))))


def _in_use(group: Path) -> float:
    """Bytes of a container that are taken: its page cache is not."""
    used = cache = 0.0
    with suppress(OSError, ValueError):
        used = float((group / "memory.current").read_text())
        for line in (group / "memory.stat").read_text().splitlines():
            name, size = line.split()
            cache += float(size) if name in _CACHE else 0.0
    return used - cache
