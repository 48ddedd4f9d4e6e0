"""Named recipes: what has a result is not trained again, and results of other data or values are not taken for it."""

import json
import subprocess
import sys
from pathlib import Path

from stages import paths
from tests.benchmarks.toy_project import ROOT, make_project


def _run(project: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the command forks, which torch's threads in this one would not survive."""
    table = project / "table.yaml"
    table.write_text("recipes: {plain: {}, short: {train.epochs: 1}}\n")
    asked = f"--project {project} --out {project / 'runs'} --device cpu --seeds 1 1".split()
    command = [sys.executable, "-m", "benchmarks.recipes", "run", str(table), *asked]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_results_are_of_the_values_and_the_data_at_hand(tmp_path: Path) -> None:
    make_project(tmp_path)
    assert _run(tmp_path).returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "runs/results.jsonl").read_text().splitlines()]
    assert {line["recipe"]: line["epochs"] for line in lines} == {"plain": 2, "short": 1}
    assert len(lines) == 2
    assert all(0 <= line["test"]["map50_95"] <= 1 for line in lines)
    assert "0 to do" in _run(tmp_path).stdout
    manifest = tmp_path / paths.CONVERTED / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"fingerprint": "corrected labels"}))
    refused = _run(tmp_path)
    assert refused.returncode == 1
    assert "plain-1 has results of other values or data there" in refused.stderr
