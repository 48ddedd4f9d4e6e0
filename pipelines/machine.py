"""``python -m pipelines.machine``: write machine.json, what this machine is, as far as it changes measurements.

It is a params file of ``benchmark``: a newly installed runtime measures again, and one machine's numbers are never
restored as another's. No names, addresses or times.
"""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from netwright.artifacts.whole_file import write_json
from stages._entry.failures import guarded
from stages.paths import MACHINE

RUNTIMES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt-cu12",
    "tensorrt-cu13",
    "tensorrt-rtx",
    "tensorrt-rtx-cu13",
)
# Instruction sets that decide which kernels a runtime picks.
CPU_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "avx_vnni",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "i8mm",
    "bf16",
)


def describe_machine() -> dict[str, Any]:
    """Return CPU model, flags and usable cores, memory in GiB, GPUs with driver, and versions of present runtimes."""
    return {
        "cpu": _cpu(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "runtimes": {name: found for name in RUNTIMES if (found := _version(name))},
    }


def write_machine(project: Path) -> Path:
    """Write ``project``/machine.json, unless it already says the same; return its path."""
    path, facts = project / MACHINE, describe_machine()
    try:
        same = json.loads(path.read_text("utf-8")) == facts
    except (OSError, ValueError):
        same = False
    if not same:
        write_json(path, facts)
    return path


def _cpu() -> dict[str, Any]:
    model, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    for line in reversed(lines):
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        if key.strip() in ("flags", "Features"):
            flags = set(value.split())
    return {"model": model, "cores": _cores(), "flags": [flag for flag in CPU_FLAGS if flag in flags]}


def _cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[dict[str, str]]:
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(", ") for line in answer.strip().splitlines()]
    return [{"name": row[0], "memory": row[1], "driver": row[2]} for row in rows if len(row) == 3]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Write machine.json of the current project."""
    print(f"machine: {write_machine(Path.cwd()).name} is up to date", flush=True)


if __name__ == "__main__":
    sys.exit(guarded("machine", main))
