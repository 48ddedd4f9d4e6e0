"""Whole sweeps in a project whose stages write a few bytes: what runs, what is restored, what is left."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from pipelines.sweep import run
from pipelines.sweep.places import Places, locked, locked_at_once
from pipelines.sweep.slots import remove_slots
from pipelines.sweep.state import Trial, read_trial
from pipelines.tracking.store import DATABASE
from pipelines.tracking.sweeps import ERROR, SWEEP
from stages._training.alone import IN_SWEEP
from tests.pipelines.stub_project import DAG, environment, git, make_stub_project, started

if TYPE_CHECKING:
    from mlflow.entities import Run

pytestmark = pytest.mark.slow
SHARED = ["convert", "pretrain-init", "train"]
OWN = ["prune", "qat", "export", "benchmark"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_stub_project(tmp_path / "project")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipelines.sweep", "-m", *arguments]


def sweep(project: Path, *arguments: str, status: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*arguments), cwd=project, env=environment(**more), capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def trials(project: Path, name: str) -> dict[str, Trial]:
    found = [read_trial(path.parent) for path in sorted((project / "sweeps" / name).glob("*/trial.json"))]
    return {trial.name: trial for trial in found if trial is not None}


def hashes(project: Path, name: str) -> dict[str, dict[str, Any]]:
    """What each trial's dvc.lock says of its outs, stage by stage, the timed one left out."""
    found = {}
    for path in sorted((project / "sweeps" / name).glob("*/dvc.lock")):
        stages = yaml.safe_load(path.read_text("utf-8"))["stages"]
        found[path.parent.name] = {stage: stages[stage]["outs"] for stage in DAG if stage != "benchmark"}
    return found


def children(project: Path, name: str, uri: str = "") -> "list[Run]":
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri or f"sqlite:///{project / DATABASE}")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    query = f"tags.`{SWEEP}` = '{name}' and tags.`netwright.kind` = 'pipeline'"
    found: list[Run] = client.search_runs([experiment.experiment_id], query)
    return found


def nothing_is_left(project: Path) -> None:
    assert len(git(project, "worktree", "list").splitlines()) == 1
    assert not list((project / ".netwright/sweeps").glob("*/slots/*/"))


def test_a_sweep_runs_what_is_shared_once_goes_on_after_a_failure_and_does_only_what_is_missing(project: Path) -> None:
    (project / "fail").mkdir()
    (project / "fail/prune").write_text('"threshold": 0.5')
    asked = ["prune.threshold=0.1,0.5,0.3", "sweep.name=first"]
    said = sweep(project, *asked, status=1)
    assert "uncommitted edits in 1 files included" in said.stdout
    assert said.stderr.splitlines()[-1] == (
        "sweep: 1 of 3 trials failed; the same command runs them, and only them, again"
    )
    assert started(project) == [*SHARED, *OWN, "prune", *OWN]
    first = trials(project, "first")
    assert [first[f"prune.threshold={value}"].state for value in (0.1, 0.5, 0.3)] == ["done", "failed", "done"]
    assert first["prune.threshold=0.5"].error == "prune: no channel of layer stem would be left"
    failed = [run for run in children(project, "first") if run.info.status == "FAILED"]
    assert [run.data.tags[ERROR] for run in failed] == ["prune: no channel of layer stem would be left"]
    assert (project / "sweeps/first/prune.threshold=0.1/reports/benchmark.json").is_file()
    assert not (project / "models").exists()
    assert not (project / "dvc.lock").exists()
    assert git(project, "status", "--porcelain") == "?? fail/"
    nothing_is_left(project)

    (project / "fail/prune").unlink()
    sweep(project, *asked)
    assert started(project) == OWN
    assert sorted(run.info.status for run in children(project, "first")) == ["FINISHED"] * 3

    sweep(project, "prune.threshold=0.1,0.5,0.3", "sweep.name=second")
    assert started(project) == []
    assert [run.data.tags["restored"] for run in children(project, "second")] == ["true"] * 3
    assert len(children(project, "first")) == 3


def test_side_by_side_what_is_shared_runs_once_and_results_equal_those_of_trials_one_by_one(project: Path) -> None:
    asked = ["prune.threshold=0.1,0.3", "qat.epochs=1,2"]
    sweep(project, *asked, "sweep.name=together", "hydra/launcher=joblib", "hydra.launcher.n_jobs=4")
    rows = [json.loads(line) for line in (project / ".netwright/ledger.jsonl").read_text("utf-8").splitlines()]
    ran = [row["stage"] for row in rows]
    assert {stage: ran.count(stage) for stage in DAG} == dict.fromkeys(SHARED, 1) | {
        "prune": 2, "qat": 4, "export": 4, "benchmark": 4,
    }  # fmt: skip
    assert ran[-4:] == ["benchmark"] * 4  # nothing else ran beside a timing
    for path in (project / ".dvc/cache").rglob("*"):
        path.chmod(0o755)
    subprocess.run(["rm", "-rf", ".dvc/cache", ".netwright"], cwd=project, check=True)
    sweep(project, *asked, "sweep.name=alone")
    assert started(project).count("train") == 1
    together, alone = hashes(project, "together"), hashes(project, "alone")
    assert len(together) == 4
    assert together == alone
    nothing_is_left(project)


def test_submitit_runs_trials_as_jobs_of_their_own(project: Path) -> None:
    asked = ["prune.threshold=0.1,0.3", "sweep.name=jobs", "hydra/launcher=submitit_local"]
    sweep(project, *asked, "hydra.launcher.timeout_min=10")
    ran = started(project)
    assert [ran.count(stage) for stage in DAG] == [1, 1, 1, 2, 2, 2, 2]
    assert len(children(project, "jobs")) == 2
    nothing_is_left(project)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_ctrl_c_ends_every_process_and_leaves_no_workspace(project: Path, launcher: str) -> None:
    (project / "slow").mkdir()
    (project / "slow/train").write_text("120")
    asked = command("prune.threshold=0.1,0.3", "sweep.name=stopped", f"hydra/launcher={launcher}")
    process = subprocess.Popen(
        asked, cwd=project, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    ledger = project / ".netwright/ledger.jsonl"
    wait_for(lambda: ledger.exists() and '"train"' in ledger.read_text("utf-8"))
    stage = json.loads(ledger.read_text("utf-8").splitlines()[-1])["pid"]
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("sweep: interrupted")
    assert "Traceback" not in errors
    wait_for(lambda: not Path(f"/proc/{stage}").exists())
    assert {trial.state for trial in trials(project, "stopped").values()} <= {"interrupted", "waiting"}
    nothing_is_left(project)


def wait_for(true: Any) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_after_kill_9_the_trial_keeps_its_slot_and_its_folder_until_it_has_ended(project: Path) -> None:
    places = Places(project=project, name="killed")
    (project / "slow").mkdir()
    (project / "slow/train").write_text("120")
    asked = ["prune.threshold=0.1", "sweep.name=killed"]
    process = subprocess.Popen(
        command(*asked), cwd=project, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    ledger = project / ".netwright/ledger.jsonl"
    wait_for(lambda: ledger.exists() and '"train"' in ledger.read_text("utf-8"))
    (trial,) = (child for child in psutil.Process(process.pid).children() if "pipelines.sweep.trial" in child.cmdline())
    assert IN_SWEEP in trial.environ()
    trial.suspend()  # as one that takes its time to end
    try:
        process.kill()
        process.wait()
        remove_slots(places)
        assert (places.work / "slots/0/dvc.yaml").is_file()
        with locked_at_once(places.trial_lock("prune.threshold=0.1")) as free:
            assert not free
    finally:
        trial.resume()
    (project / "slow/train").unlink()
    sweep(project, *asked)
    assert trials(project, "killed")["prune.threshold=0.1"].state == "done"
    nothing_is_left(project)


def test_an_error_of_the_launcher_lets_all_trials_end_before_it_is_recorded(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(project=project, name="broken")
    begun, over, seen = threading.Event(), threading.Event(), []

    def work() -> None:
        with locked(places.trial_lock("prune.threshold=0.1")):
            begun.set()
            while not places.stop.exists() and not over.wait(0.1):
                pass
            seen.append((places.work / "conf").exists())

    def launch(*_: object) -> None:
        begun.wait()
        raise RuntimeError("the job ran into its time limit")

    trial = threading.Thread(target=work, daemon=True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(run, "multirun", launch)
    trial.start()
    with pytest.raises(RuntimeError, match="time limit"):
        run.sweep(project, ["prune.threshold=0.1,0.3", "sweep.name=broken"])
    over.set()
    trial.join()
    assert seen == [True]


def test_a_server_holds_the_runs_and_when_it_goes_nothing_is_lost(project: Path, tmp_path: Path) -> None:
    with server(tmp_path) as uri:
        sweep(project, "prune.threshold=0.1,0.3", "sweep.name=served", MLFLOW_TRACKING_URI=uri)
        runs = children(project, "served", uri)
        assert len(runs) == 2
        assert all("deployed/val/map50_95" in run.data.metrics for run in runs)
        assert not (project / DATABASE).exists()
    said = sweep(project, "prune.threshold=0.1,0.3", "sweep.name=later", MLFLOW_TRACKING_URI=uri)
    first, *_, last = said.stderr.splitlines()
    assert first.endswith("the sweep goes on, and is recorded at its end if the store is back")
    assert last.endswith("the results are kept: python -m pipelines.record sweeps/later does it later")
    assert "refused" in last
    again = [sys.executable, "-m", "pipelines.record", "sweeps/later"]
    with server(tmp_path) as uri:
        subprocess.run(again, cwd=project, env=environment(MLFLOW_TRACKING_URI=uri), check=True, capture_output=True)
        assert len(children(project, "later", uri)) == 2


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A real MLflow server over a store in ``folder``; its address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    asked = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    asked += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"{folder}/artifacts"]
    settings = environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    process = subprocess.Popen(
        asked, cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{uri}/health"))
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # as a server that goes away; its workers too
        process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
