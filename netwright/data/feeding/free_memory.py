"""How much memory this process may still take."""

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")  # what a container sees of its own limits (version 2)


def free_memory() -> int:
    """Bytes that can be taken without pushing anything out: the machine's, or the container's where that is less."""
    return min(_machine(), _container())


def _machine() -> int:
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _container() -> int:
    try:
        limit, used = ((_GROUP / name).read_text("ascii").strip() for name in ("memory.max", "memory.current"))
        # files that were read count as used, and give way
        stat = dict(line.split() for line in (_GROUP / "memory.stat").read_text("ascii").splitlines())
        return int(limit) - int(used) + int(stat.get("file", 0))
    except (OSError, ValueError):  # no container, or "max"
        return 1 << 62
