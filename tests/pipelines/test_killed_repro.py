"""`dvc repro` is killed while `train` runs: the next one stops the orphan and ends with the same weights."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("conf", "netwright", "stages", "pipelines", ".dvc", "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore")
SKIPPED = shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local", "*.pyc")
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=SKIPPED)
        else:
            shutil.copy(source, tmp_path / name)
    run(tmp_path, "git", "init", "-q")
    recipe = ["experiment=smoke", "train.epochs=60", "train.validate_every=20"]  # long enough for the orphan to be met
    run(tmp_path, str(BIN / "python"), "-m", "pipelines.compose", *recipe)
    run(tmp_path, str(BIN / "dvc"), "repro", "pretrain-init")
    return tmp_path


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true"}


def run(project: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def kill_after_epoch(project: Path, epoch: int) -> None:
    """Start `dvc repro train` and kill DVC alone, which leaves the stage behind."""
    log = project / "killed.log"
    with (
        log.open("w") as stream,
        subprocess.Popen(
            [BIN / "dvc", "repro", "train"],
            cwd=project,
            env=environment(),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        ) as repro,
    ):
        deadline = time.monotonic() + 300
        try:
            while f"epoch {epoch}/" not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                assert repro.poll() is None, log.read_text()
                time.sleep(0.1)
        finally:
            repro.kill()


def test_the_next_repro_goes_on_to_the_same_weights(project: Path) -> None:
    weights = project / "models/trained/model.safetensors"
    kill_after_epoch(project, 3)
    said = run(project, str(BIN / "dvc"), "repro", "train")
    assert "it is stopped" in said
    assert "goes on after epoch" in said
    resumed = weights.read_bytes()
    again = run(project, str(BIN / "dvc"), "repro", "--force", "--single-item", "train")
    assert "goes on after epoch" not in again
    assert weights.read_bytes() == resumed
