"""Named recipes: what has a result is not trained again, and results of other data or values are not taken for it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recipe_lock import alone_in
from stages import paths
from tests.benchmarks.toy_project import ROOT, make_project

LONG = ("--only", "plain", "--set", "train.epochs=100000")


def _command(project: Path, *more: str) -> list[str]:
    """For a process of its own: the command forks, which torch's threads in this one would not survive."""
    table = project / "table.yaml"
    table.write_text("recipes: {plain: {}, short: {train.epochs: 1}}\n")
    asked = f"--project {project} --out {project / 'runs'} --device cpu --seeds 1 1".split()
    return [sys.executable, "-m", "benchmarks.recipes", "run", str(table), *asked, *more]


def _run(project: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(project, *more), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def _wait_for(log: Path, words: str) -> None:
    until = time.monotonic() + 60
    while not log.is_file() or words not in log.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)


def _lines(project: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / "runs/results.jsonl").read_text().splitlines()]


def test_results_are_of_the_values_and_the_data_at_hand(tmp_path: Path) -> None:
    make_project(tmp_path)
    assert _run(tmp_path).returncode == 0
    lines = _lines(tmp_path)
    assert {line["recipe"]: line["epochs"] for line in lines} == {"plain": 2, "short": 1}
    assert len(lines) == 2
    assert all(0 <= line["test"]["map50_95"] <= 1 for line in lines)
    again = _run(tmp_path, "--keep-models")
    assert "0 to do" in again.stdout
    assert "--keep-models comes too late for plain-1, short-1" in again.stdout
    manifest = tmp_path / paths.CONVERTED / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"fingerprint": "corrected labels"}))
    refused = _run(tmp_path)
    assert refused.returncode == 1
    assert "plain-1 has results of other values or data there" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="children learn of their parent's end from Linux")
def test_a_killed_command_leaves_no_training_behind_that_would_count_twice(tmp_path: Path) -> None:
    make_project(tmp_path)
    with subprocess.Popen(_command(tmp_path, *LONG), cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert any(line.startswith("started plain-1") for line in killed.stdout)
        _wait_for(tmp_path / "runs/logs/plain-1.log", "epoch 2 ")
        killed.send_signal(signal.SIGKILL)
    with alone_in(tmp_path / "runs"):  # which a living child would still hold
        pass
    assert _run(tmp_path).returncode == 0
    assert [line["recipe"] for line in _lines(tmp_path)] == ["plain", "short"]
