"""What this process may use of the machine: cores, and memory within a container's limit."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CACHE = ("active_file", "inactive_file", "slab_reclaimable")
"""Of a group's memory, what the kernel takes back when it is wanted."""
_ROOT = Path("/")


def cores(root: Path = _ROOT) -> int:
    """Cores that this process may run on, or that its time is worth where that is limited.

    Not `joblib.cpu_count`, which knows the limit of a container but none below it, such as that of
    a unit of systemd.

    Args:
        root: Where `proc` and `sys` are.
    """
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    shares = [share for group in _groups(root, "cpu") if (share := _share(group)) is not None]
    return max(1, min([count, *map(math.ceil, shares)]))


def free_memory(root: Path = _ROOT) -> float | None:
    """Bytes that may still be used: what the system calls available, and its groups have left.

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
    for group in _groups(root, "memory"):
        # Without a limit the file is missing, says "max", or more than any machine has.
        for limit, used, kind in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            with suppress(OSError, ValueError):
                left = float((group / limit).read_text()) - _in_use(group, used, kind)
                free.append(max(0.0, left))
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


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The control groups of this process, its own first: a limit of any of them holds.

    Of version 2 and of version 1. A container may see its own group as the root of all, and yet be
    told of the path that the machine knows it by.
    """
    mounted = root / "sys/fs/cgroup"
    places = [(mounted, ""), (mounted / controller, "")]
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                places[0] = mounted, path
            elif controller in controllers.split(","):
                places[1] = mounted / controller, path
    for mount, path in places:
        own = mount / path.lstrip("/")
        yield from (group for group in (own, *own.parents) if group.is_relative_to(mount))


def _share(group: Path) -> float | None:
    """How many cores' time a group may take; None where it has no limit."""
    with suppress(OSError, ValueError):
        quota, period = (group / "cpu.max").read_text().split()
        return float(quota) / float(period)
    with suppress(OSError, ValueError):
        quota = (group / "cpu.cfs_quota_us").read_text()
        # -1 stands for none.
        if float(quota) > 0:
            return float(quota) / float((group / "cpu.cfs_period_us").read_text())
    return None


def _in_use(group: Path, used: str, kind: str) -> float:
    """Bytes of a group, and of those in it, that are taken: its page cache is not.

    Args:
        group: Its folder.
        used: The file that has the bytes.
        kind: What stands before the names in its statistics.
    """
    taken = cache = 0.0
    with suppress(OSError, ValueError):
        taken = float((group / used).read_text())
        for line in (group / "memory.stat").read_text().splitlines():
            name, size = line.split()
            cache += float(size) if name in {f"{kind}{one}" for one in _CACHE} else 0.0
    return taken - cache
