"""A command as its own process: how long it takes, or the most memory that it and its children hold together."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.05  # seconds between looks at the memory


@dataclass(frozen=True, kw_only=True)
class Timed:
    """``seconds`` of the whole process, imports included, and what it said."""

    seconds: float
    output: str


def time_run(command: Sequence[str], folder: Path, log: Path) -> Timed:
    """Run ``command`` in ``folder``, unwatched. Exits with its output where it fails."""
    begun = time.monotonic()
    process = _started(command, folder, log)
    process.wait()
    seconds = time.monotonic() - begun
    return Timed(seconds=seconds, output=_said(process, log))


def peak_mib(command: Sequence[str], folder: Path, log: Path) -> float:
    """The most that ``command``, run in ``folder``, and its children held; what processes share counts once.

    Looking takes a part of the processors, so that such a run is not timed. Exits as time_run.
    """
    process, peak = _started(command, folder, log), 0.0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(_EVERY)
    _said(process, log)
    return peak


def _started(command: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    with log.open("w") as stream:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT)


def _said(process: "subprocess.Popen[bytes]", log: Path) -> str:
    output = log.read_text()
    if process.returncode:
        sys.exit(f"{process.args!r} failed:\n{output}")
    return output


def _memory(pid: int) -> float:
    """MiB of the process and all below it: proportional set size."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        return 0.0
    return total / 2**20
