"""Who may work on what: a sweep on its name, one process on a trial, a trial as long as its sweep is there."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from netwright.errors import UserError
from pipelines.sweep import run
from pipelines.sweep.ending import ended_together, orderly_end
from pipelines.sweep.job import Job
from pipelines.sweep.places import LOCK, Places, locked, locked_at_once
from pipelines.sweep.snapshot import take_snapshot
from pipelines.sweep.state import read_trial
from tests.pipelines.stub_project import ROOT, git

VALUES = {"dataset": {"source": "raw"}, "pretrain_init": {"weights": "random"}}
ORPHAN = """
import sys, time
from pathlib import Path
from pipelines.sweep.places import Places
from pipelines.sweep.watch import Watch
Watch(Places(project=Path(sys.argv[1]), name="s"), int(sys.argv[2]))
time.sleep(60)
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.delenv("NETWRIGHT_SCRATCH", raising=False)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".gitignore").write_text(".netwright\nsweeps\n")
    git(tmp_path, "init", "-q")
    return Places(project=tmp_path, name="s")


def test_a_trial_whose_starter_died_before_it_could_look_ends(tmp_path: Path) -> None:
    gone = str(2**22 + 1)
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(tmp_path), gone],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == -signal.SIGINT


@pytest.mark.parametrize("timed", [True, False])
def test_a_trial_that_two_tasks_were_given_runs_once(
    places: Places, monkeypatch: pytest.MonkeyPatch, timed: bool
) -> None:
    job = Job(places=places, snapshot=take_snapshot(places.project, "s"), machine="m")
    starts: list[threading.Thread] = []

    def process(_: Job, __: Path, folder: Path, **___: Any) -> int:
        starts.append(threading.Thread(target=job.run, args=(["a=1"], VALUES), kwargs={"timed": timed}))
        if len(starts) == 1:
            starts[0].start()
            starts[0].join(1.0)  # it is over by then where nothing holds it back
        trial = read_trial(folder)
        assert trial is not None
        trial.now(folder, state="done" if timed else "untimed")
        return 0

    monkeypatch.setattr(Job, "_process", process)
    job.run(["a=1"], VALUES, timed=timed)
    starts[0].join()
    assert len(starts) == 1


def test_an_error_ends_a_sweep_only_when_its_trials_have_ended(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    with contextlib.ExitStack() as trial:

        def look(_: float) -> None:
            asked.append(places.stop.exists())
            trial.close()

        monkeypatch.setattr(time, "sleep", look)
        trial.enter_context(locked(places.trial_lock("a=1")))
        with pytest.raises(RuntimeError, match="time limit"), orderly_end(places), ended_together(places):
            raise RuntimeError("the job ran into its time limit")
    assert asked == [True]


def test_a_name_in_use_is_refused(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "IN_USE", 0.0)
    said = "^sweep s is running already: wait for it, or give this one another sweep.name$"
    with locked_at_once(places.work / LOCK), pytest.raises(UserError, match=said):
        run.sweep(places.project, ["prune.threshold=0.1,0.3", "sweep.name=s"])
    assert not places.results.exists()


def test_a_name_that_another_sweep_holds_to_remove_its_slots_is_waited_for(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(*_: object) -> None:
        raise UserError("the name was had")

    monkeypatch.setattr(run, "take_snapshot", reached)
    with contextlib.ExitStack() as other:
        other.enter_context(locked_at_once(places.work / LOCK))
        monkeypatch.setattr(time, "sleep", lambda _: other.close())
        with pytest.raises(UserError, match="the name was had"):
            run.sweep(places.project, ["prune.threshold=0.1,0.3", "sweep.name=s"])
