"""Trainings end with the command that started them, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.toy_project import ROOT

SCRIPT = """
import os, sys, time
from pathlib import Path
from benchmarks.side_by_side import in_child, run_jobs
from stages._entry.failures import guarded

folder = Path(sys.argv[2])

def stay():
    (folder / "new").write_text(str(os.getpid()))
    (folder / "new").rename(folder / "pid")
    time.sleep(60)

def many():
    run_jobs([("stays", stay)], workers=1, limit_s=60, failures=1, logs=folder / "logs")

sys.exit(guarded("it", many if sys.argv[1] == "jobs" else lambda: in_child(stay)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="children learn of it from Linux")
@pytest.mark.parametrize("way", ["jobs", "prepare"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)])
def test_no_training_outlives_its_command(tmp_path: Path, way: str, number: signal.Signals, status: int) -> None:
    command = [sys.executable, "-c", SCRIPT, way, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as parent:
        _wait_until((tmp_path / "pid").is_file)
        child = int((tmp_path / "pid").read_text())
        assert _lives(child)
        parent.send_signal(number)
        _, said = parent.communicate(timeout=30)
    assert parent.returncode == status
    assert ("interrupted" in said) == (number == signal.SIGTERM)
    _wait_until(lambda: not _lives(child))


def _wait_until(happened: object, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.02)


def _lives(process: int) -> bool:
    """A zombie, whom nobody has asked for its status yet, does not."""
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
