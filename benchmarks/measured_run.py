"""A command as its own process: how long it took, and the most memory that it and its children held together."""

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
class Measured:
    """``seconds`` of the whole process, imports included; ``peak_mib``: memory shared between processes counts once."""

    seconds: float
    peak_mib: float
    output: str


def measure(command: Sequence[str], folder: Path, log: Path) -> Measured:
    """Run ``command`` in ``folder``. Exits with its output where it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    begun = time.monotonic()
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(_EVERY)
    seconds = time.monotonic() - begun
    output = log.read_text()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Measured(seconds=seconds, peak_mib=peak, output=output)


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
