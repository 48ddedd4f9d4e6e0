"""Processes that train with a leader end with it, and leave the saying to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_where_the_leader_fails_there_is_one_line_and_no_process_left(tmp_path: Path) -> None:
    for name in ("data/manifest.json", "init/model.safetensors", "init/architecture.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.stages.failing_leader"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,  # the pipes close when the follower has ended too
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == "train: no room for what is scored"
