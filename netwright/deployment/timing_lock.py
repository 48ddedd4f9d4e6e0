"""Timing alone: one timing at a time on a machine, and a look at who else was busy meanwhile."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_STAT = Path("/proc/stat")
_BUSY_SHARE = 0.1  # of one core: more work by others than this disturbs


@contextlib.contextmanager
def timing_alone(lock: Path) -> Iterator[None]:
    """Hold the machine's timing lock, waiting for another timing to end."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@dataclass
class Neighbours:
    """CPU seconds that others used between ``start`` and ``disturbed``; counts stolen time of a virtual machine too."""

    _busy: float = field(default=0.0, init=False)
    _own: float = field(default=0.0, init=False)
    _clock: float = field(default=0.0, init=False)

    def start(self) -> "Neighbours":
        """Begin to watch."""
        self._busy, self._own, self._clock = _machine_seconds(), time.process_time(), time.perf_counter()
        return self

    def load(self) -> float:
        """Mean number of cores that others kept busy; 0 where the machine does not tell."""
        elapsed = max(time.perf_counter() - self._clock, 1e-9)
        others = (_machine_seconds() - self._busy) - (time.process_time() - self._own)
        return max(others, 0.0) / elapsed

    def disturbed(self) -> bool:
        """Whether others used more than a tenth of a core."""
        return self.load() > _BUSY_SHARE


def _machine_seconds() -> float:
    """User, nice, system, irq, softirq and stolen seconds of all cores since boot."""
    if not _STAT.exists():
        return time.process_time()
    fields = [int(value) for value in _STAT.read_text("ascii").splitlines()[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")
