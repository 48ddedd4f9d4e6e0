"""A sweep in MLflow: children under a parent, whatever happens to runs and store meanwhile."""

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netwright.errors import UserError
from pipelines.sweep.places import RESULTS, folder_name
from pipelines.sweep.state import Trial, trial_name
from pipelines.tracking.client import KIND, PARENT
from pipelines.tracking.store import DATABASE, open_store
from pipelines.tracking.sweeps import BEST, ERROR, SWEEP, TRIAL, SweepRecord, record_sweep
from pipelines.tracking.trials import trial_of
from tests.pipelines.made_result import make_result

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Break = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    yield folder
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture(scope="module")
def client(project: Path) -> "MlflowClient":
    with open_store(project) as opened:
        opened.search_experiments()
    return opened


def make_trial(project: Path, sweep: str, threshold: float, **said: object) -> Path:
    overrides = (f"prune.threshold={threshold}", "model.name='a b'")
    name = trial_name(overrides)
    folder = project / RESULTS / sweep / folder_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    make_result(folder, threshold=threshold)
    facts: dict[str, object] = {"state": "done", "ran": ("prune", "qat"), "started": 100.0, "finished": 160.0}
    trial = Trial(
        sweep=sweep, name=name, overrides=overrides, inputs=f"{threshold}", tags={"netwright.snapshot": "abc"},
        **(facts | said),  # type: ignore[arg-type]
    )  # fmt: skip
    trial.write(folder)
    return folder


def runs(client: "MlflowClient", sweep: str, kind: str = "pipeline") -> "list[Run]":
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    query = f"tags.`{KIND}` = '{kind}' and tags.`{SWEEP}` = '{sweep}'"
    found: list[Run] = client.search_runs([experiment.experiment_id], query)
    return found


def test_a_run_is_called_by_what_sets_its_trial_apart(project: Path, client: "MlflowClient") -> None:
    record = SweepRecord(project, "named")
    named, plain = (make_trial(project, "named", 0.1, label="prune.threshold=0.1"), make_trial(project, "named", 0.2))
    runs_ = [client.get_run(record.trial(folder)) for folder in (named, plain)]
    assert [run.info.run_name for run in runs_] == ["prune.threshold=0.1", "model.name='a b',prune.threshold=0.2"]
    assert [trial_of(run).told for run in runs_] == ["prune.threshold=0.1", "model.name='a b', prune.threshold=0.2"]


def test_trials_are_children_of_the_sweep_with_what_compare_reads(project: Path, client: "MlflowClient") -> None:
    record = SweepRecord(project, "first")
    record.begin(["digits"])
    (parent,) = runs(client, "first", "sweep")
    assert parent.info.status == "RUNNING"
    folders = [make_trial(project, "first", 0.1), make_trial(project, "first", 0.3, ran=())]
    numbers = [record.trial(folder) for folder in folders]
    record.end(folders)
    first, second = (client.get_run(number) for number in numbers)
    assert {run.data.tags[PARENT] for run in (first, second)} == {parent.info.run_id}
    assert first.data.tags[TRIAL] == "model.name='a b',prune.threshold=0.1"
    assert first.data.tags["restored"] == "false"
    assert first.data.tags["stages_ran"] == "prune, qat"
    assert first.data.tags["netwright.snapshot"] == "abc"
    assert second.data.tags["restored"] == "true"
    assert first.data.params["prune.threshold"] == "0.1"
    assert first.data.metrics["deployed/test/map50_95"] == pytest.approx(0.6)
    assert first.info.start_time == 100_000
    assert "reports/index.html" in {file.path for file in client.list_artifacts(numbers[0], "reports")}
    parent = client.get_run(parent.info.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["sweep/done"] == 2


def test_recording_again_changes_nothing_and_another_name_gives_as_many_children(
    project: Path, client: "MlflowClient"
) -> None:
    folder = make_trial(project, "again", 0.1)
    first = SweepRecord(project, "again").trial(folder)
    assert SweepRecord(project, "again").trial(folder) == first
    other = SweepRecord(project, "other").trial(make_trial(project, "other", 0.1, ran=()))
    assert other != first
    assert client.get_run(other).data.tags["restored"] == "true"
    assert [len(runs(client, name)) for name in ("again", "other")] == [1, 1]


def test_a_failed_trial_is_marked_with_its_error_and_replaced_when_it_succeeds(
    project: Path, client: "MlflowClient"
) -> None:
    record = SweepRecord(project, "fails")
    folder = make_trial(project, "fails", 0.9, state="failed", error="prune: no channel of layer stem would be left")
    number = record.trial(folder)
    record.end([folder])
    failed = client.get_run(number)
    assert failed.info.status == "FAILED"
    assert failed.data.tags[ERROR] == "prune: no channel of layer stem would be left"
    assert failed.data.params["prune.threshold"] == "0.9"
    assert not failed.data.metrics
    assert runs(client, "fails", "sweep")[0].info.status == "FAILED"
    assert record.trial(folder) == number
    record.trial(make_trial(project, "fails", 0.9))
    record.end([folder])
    assert [run.info.status for run in runs(client, "fails")] == ["FINISHED"]
    assert runs(client, "fails", "sweep")[0].info.status == "FINISHED"


def test_an_interrupted_sweep_is_killed_and_taken_up_again(project: Path, client: "MlflowClient") -> None:
    record = SweepRecord(project, "stopped")
    folder = make_trial(project, "stopped", 0.1)
    record.begin(["digits"])
    record.trial(folder)
    record.end([folder], interrupted=True)
    (parent,) = runs(client, "stopped", "sweep")
    assert parent.info.status == "KILLED"
    SweepRecord(project, "stopped").begin(["digits"])
    (again,) = runs(client, "stopped", "sweep")
    assert (again.info.run_id, again.info.status) == (parent.info.run_id, "RUNNING")


def test_runs_that_somebody_deleted_are_made_again(project: Path, client: "MlflowClient") -> None:
    record = SweepRecord(project, "deleted")
    folders = [make_trial(project, "deleted", threshold) for threshold in (0.1, 0.2)]
    first, second = (record.trial(folder) for folder in folders)
    (parent,) = runs(client, "deleted", "sweep")
    client.delete_run(parent.info.run_id)
    client.delete_run(first)
    assert record.trial(folders[0]) != first
    assert record.trial(folders[1]) == second
    record.end(folders)
    (again,) = runs(client, "deleted", "sweep")
    assert again.info.run_id != parent.info.run_id
    assert {run.data.tags[PARENT] for run in runs(client, "deleted")} == {again.info.run_id}
    assert len(runs(client, "deleted")) == 2


def test_the_best_on_val_is_named(project: Path, client: "MlflowClient") -> None:
    folders = [make_trial(project, "best", threshold) for threshold in (0.1, 0.2)]
    for folder, score in zip(folders, (0.3, 0.4), strict=True):
        (folder / "reports/metrics.json").write_text(f'{{"deployed/val/map50_95": {score}}}')
    assert record_sweep(project, project / RESULTS / "best") == 2
    (parent,) = runs(client, "best", "sweep")
    assert parent.data.tags[BEST] == "model.name='a b',prune.threshold=0.2"
    assert parent.data.metrics["best/deployed/val/map50_95"] == pytest.approx(0.4)


def test_a_folder_without_trials_is_refused(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trials in .*: give the folder of a sweep"):
        record_sweep(project, tmp_path)


def gone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{unused.getsockname()[1]}")


def newer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(project / DATABASE) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def refusing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a database on a full or read-only disk: it can be read, and every write fails."""
    with sqlite3.connect(project / DATABASE) as database:
        said = "attempt to write a readonly database"
        database.execute(f"CREATE TRIGGER no BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, '{said}'); END")


def no_database(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / DATABASE).write_bytes(b"no database, but long enough to be looked at" * 100)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (gone, "refused"),
        (newer, "ffffffffffff|out-of-date|newer"),
        (refusing, "readonly"),
        (no_database, "not a database"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line_and_recording_works_later(
    project: Path,
    client: "MlflowClient",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Break,
    reason: str,
) -> None:
    shutil.copy(project / DATABASE, tmp_path / DATABASE)
    folder = make_trial(tmp_path, sweep := f"later-{broken.__name__}", 0.1)
    broken(tmp_path, monkeypatch)
    with pytest.raises(UserError, match=reason) as raised:
        SweepRecord(tmp_path, sweep).trial(folder)
    assert "\n" not in str(raised.value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert record_sweep(project, tmp_path / RESULTS / sweep) == 1
