"""Unfinished trainings: found again by the same call alone, held by one process, removed when the result is safe."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from netwright.errors import UserError
from netwright.training.checkpoints import Checkpoints, Snapshot
from netwright.types import NmsPolicy
from stages._training.alone import alone
from stages._training.resume import FOLDER, KEPT, resumable


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("data/manifest.json", "init/model.safetensors", "init/architecture.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def _leave_unfinished(project: Path, nms: NmsPolicy, epoch: int = 1) -> None:
    with contextlib.suppress(KeyboardInterrupt), _held(project, nms) as checkpoints:
        checkpoints.save(epoch, Snapshot({"a": torch.zeros(1)}, {"epoch": epoch}))
        raise KeyboardInterrupt


def _held(project: Path, nms: NmsPolicy):  # type: ignore[no-untyped-def]
    return resumable(
        "train",
        settings=(nms,),
        data=project / "data",
        source=project / "init",
        device="cpu",
        scratch=project / "scratch",
    )


def _found(checkpoints: Checkpoints) -> int | None:
    newest = checkpoints.newest()
    return newest.facts["epoch"] if newest else None


def test_an_interrupted_training_is_found_again_and_a_finished_one_is_not(project: Path) -> None:
    _leave_unfinished(project, NmsPolicy(), epoch=4)
    with _held(project, NmsPolicy()) as checkpoints:
        assert _found(checkpoints) == 4
    with _held(project, NmsPolicy()) as checkpoints:
        assert _found(checkpoints) is None


@pytest.mark.parametrize("changed", ["setting", "data", "network"])
def test_whatever_decides_the_outcome_belongs_to_the_key(project: Path, changed: str) -> None:
    nms = NmsPolicy()
    _leave_unfinished(project, nms)
    if changed == "setting":
        nms = replace(nms, iou_threshold=0.5)
    else:
        name = "data/manifest.json" if changed == "data" else "init/model.safetensors"
        (project / name).write_text("other")
    with _held(project, nms) as checkpoints:
        assert _found(checkpoints) is None


def test_only_the_latest_unfinished_trainings_are_kept(project: Path) -> None:
    for number in range(KEPT + 2):
        _leave_unfinished(project, NmsPolicy(max_detections=10 + number))
    folders = [path for path in (project / "scratch" / FOLDER).iterdir() if path.is_dir()]
    assert len(folders) == KEPT


def test_a_second_process_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    with (
        alone(tmp_path / "lock", "busy"),
        pytest.raises(UserError, match=f"busy \\(process {os.getpid()}\\)"),
        alone(tmp_path / "lock", "busy"),
    ):
        pass


HOLDER = """
import sys, time
from pathlib import Path
import stages._training.alone as module
module._runner = lambda: (2**22 + 1, 0.0)  # a dvc repro that is gone
with module.alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_process_whose_dvc_was_killed_is_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True) as forgotten:
        assert forgotten.stdout is not None
        assert forgotten.stdout.readline() == "held\n"
        with alone(lock, "busy"):
            assert json.loads(lock.read_text())["process"][0] == os.getpid()
            assert not psutil.pid_exists(forgotten.pid) or forgotten.poll() is not None
    assert "is stopped" in capsys.readouterr().err
