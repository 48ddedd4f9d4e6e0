"""kill -9 at random moments, again and again: the weights are those of a run that nobody killed."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = int(os.environ.get("NETWRIGHT_KILLS", "20"))
EPOCHS = 15 * KILLS  # more than are trained between the kills, so that each of them interrupts something


def _start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.victim", str(folder), str(EPOCHS)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _kill(folder: Path, moments: random.Random) -> int:
    """Start, kill at some moment, and return the number of epochs that needed no repeating."""
    with _start(folder) as victim:
        assert victim.stdout is not None
        said = [victim.stdout.readline() for _ in range(moments.randint(1, 5))]
        time.sleep(moments.uniform(0.0, 0.3))
        victim.send_signal(signal.SIGKILL)
    resumed = re.search(r"resumed (\d+)", "".join(said))
    return int(resumed.group(1)) if resumed else 0


@pytest.mark.slow
def test_the_weights_are_those_of_an_unbroken_run(tmp_path: Path) -> None:
    moments = random.Random(5)
    with _start(tmp_path / "whole") as whole:
        assert whole.wait() == 0
    progress = [_kill(tmp_path / "killed", moments) for _ in range(KILLS)]
    assert progress == sorted(progress)  # no kill lost an epoch that was already safe
    assert 0 < progress[-1] < EPOCHS
    with _start(tmp_path / "killed") as last:
        assert last.wait() == 0
    weights = "weights.safetensors"
    assert (tmp_path / "killed" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
