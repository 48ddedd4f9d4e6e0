"""Unfinished trainings: found again by the same call alone, held by one process, removed when the result is safe."""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from netwright.errors import UserError
from netwright.training.checkpoints import Checkpoints, Snapshot
from netwright.types import NmsPolicy
from stages._training import resume
from stages._training.alone import IN_SWEEP, alone, if_free, in_use
from stages._training.resume import FOLDER, KEPT, RECENT, resumable

HOLDER = """
import sys, time
from pathlib import Path
import stages._training.alone as module
module._runner = lambda: (2**22 + 1, 0.0)  # a dvc repro that is gone
with module.alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(IN_SWEEP, raising=False)
    for name in ("data/manifest.json", "init/model.safetensors", "init/architecture.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def _leave_unfinished(project: Path, nms: NmsPolicy, epoch: int = 1) -> None:
    with contextlib.suppress(KeyboardInterrupt), _held(project, nms) as checkpoints:
        checkpoints.save(epoch, Snapshot({"a": torch.zeros(1)}, {"epoch": epoch}))
        raise KeyboardInterrupt


def _held(project: Path, nms: NmsPolicy, processes: int = 1):  # type: ignore[no-untyped-def]
    return resumable(
        "train",
        settings=(nms,),
        data=project / "data",
        source=project / "init",
        device="cpu",
        processes=processes,
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


def test_what_a_kill_left_half_written_is_removed(project: Path) -> None:
    _leave_unfinished(project, NmsPolicy(), epoch=4)
    (folder,) = _folders(project)
    (folder / ".epoch-000005.safetensors.x7").write_bytes(bytes(100))
    with _held(project, NmsPolicy()) as checkpoints:
        assert [path.name for path in sorted(folder.iterdir())] == ["epoch-000004.safetensors", "epoch-000004.sha256"]
        assert _found(checkpoints) == 4
    assert not folder.exists()


@pytest.mark.parametrize("changed", ["setting", "data", "network", "processes"])
def test_whatever_decides_the_outcome_belongs_to_the_key(project: Path, changed: str) -> None:
    nms = NmsPolicy()
    _leave_unfinished(project, nms)
    if changed == "setting":
        nms = replace(nms, iou_threshold=0.5)
    elif changed != "processes":
        name = "data/manifest.json" if changed == "data" else "init/model.safetensors"
        (project / name).write_text("other")
    with _held(project, nms, processes=2 if changed == "processes" else 1) as checkpoints:
        assert _found(checkpoints) is None


def _folders(project: Path) -> set[Path]:
    return {path for path in (project / "scratch" / FOLDER).iterdir() if path.is_dir()}


def _leave_old(project: Path, number: int) -> list[Path]:
    """Unfinished trainings that nobody touched for longer than any is kept, the oldest first."""
    left: list[Path] = []
    for index in range(number):
        _leave_unfinished(project, NmsPolicy(max_detections=10 + index))
        (folder,) = _folders(project).difference(left)
        left.append(folder)
    for index, folder in enumerate(left):
        moment = time.time() - RECENT - 1000 + index
        os.utime(folder, (moment, moment))
    return left


def test_of_old_unfinished_trainings_only_the_latest_are_kept(project: Path) -> None:
    old = _leave_old(project, KEPT + 2)
    _leave_unfinished(project, NmsPolicy(max_detections=5))
    assert _folders(project).intersection(old) == set(old[-KEPT + 1 :])


def test_unfinished_trainings_of_the_last_day_are_kept_however_many(project: Path) -> None:
    for number in range(KEPT + 2):
        _leave_unfinished(project, NmsPolicy(max_detections=10 + number))
    assert len(_folders(project)) == KEPT + 2


def test_an_old_training_that_is_taken_up_while_others_are_forgotten_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _leave_old(project, KEPT + 1)
    lock = old[0].with_suffix(".lock")
    with contextlib.ExitStack() as taking:

        def look(path: Path) -> bool:  # the other process takes its lock just after the look
            if path == lock:
                taking.enter_context(alone(lock, "busy"))
            return False

        monkeypatch.setattr(resume, "in_use", look)
        with _held(project, NmsPolicy(max_detections=5)):
            assert old[0].is_dir()
            assert not old[1].exists()


def test_a_lock_file_stays_when_its_training_is_forgotten(project: Path) -> None:
    old = _leave_old(project, KEPT + 1)
    with _held(project, NmsPolicy(max_detections=5)):
        assert not old[0].exists()
        assert old[0].with_suffix(".lock").is_file()


def test_a_second_process_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    with (
        alone(tmp_path / "lock", "busy"),
        pytest.raises(UserError, match=f"busy \\(process {os.getpid()}\\)"),
        alone(tmp_path / "lock", "busy"),
    ):
        pass


def test_a_process_that_only_looks_at_the_lock_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as looking:
        with alone(tmp_path / "lock", "busy"):
            pass
        assert looking.enter_context(if_free(tmp_path / "lock"))
        monkeypatch.setattr(time, "sleep", lambda _: looking.close())
        with alone(tmp_path / "lock", "busy"):
            assert in_use(tmp_path / "lock")


def test_a_trial_of_a_sweep_waits_for_whoever_trains_exactly_this(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(IN_SWEEP, "1")
    with contextlib.ExitStack() as other:
        other.enter_context(_held(project, NmsPolicy()))
        monkeypatch.setattr(time, "sleep", lambda _: other.close())
        with _held(project, NmsPolicy()) as checkpoints:
            assert _found(checkpoints) is None
    assert f"train: another run trains exactly this (process {os.getpid()}): this one waits" in capsys.readouterr().out


def test_a_trial_of_a_sweep_waits_for_nobody_whose_runner_died_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True) as forgotten:
        assert forgotten.stdout is not None
        assert forgotten.stdout.readline() == "held\n"
        said = json.loads(lock.read_text())
        lives = said | {"runner": said["process"]}
        monkeypatch.setattr(time, "sleep", lambda _: lock.write_text(json.dumps(said)))
        lock.write_text(json.dumps(lives))
        with alone(lock, "busy", waits=True):
            assert json.loads(lock.read_text())["process"][0] == os.getpid()
    assert "is stopped" in capsys.readouterr().err


def test_a_process_whose_dvc_was_killed_is_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True) as forgotten:
        assert forgotten.stdout is not None
        assert forgotten.stdout.readline() == "held\n"
        with alone(lock, "busy"):
            assert json.loads(lock.read_text())["process"][0] == os.getpid()
            assert not psutil.pid_exists(forgotten.pid) or forgotten.poll() is not None
    assert "is stopped" in capsys.readouterr().err
