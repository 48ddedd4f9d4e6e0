"""A result is recorded once, with its stages' curves linked; a restored one too; a store that is down loses nothing."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netwright.errors import UserError
from pipelines.tracking.result import flat, read_result
from pipelines.tracking.runs import record
from pipelines.tracking.store import open_store, without_secrets
from tests.pipelines.made_result import make_result, note_start

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One project and store for the module: opening a new SQLite store takes seconds."""
    folder = tmp_path_factory.mktemp("project")
    (folder / ".netwright").mkdir()
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    yield folder
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def client(project: Path) -> "MlflowClient":
    with open_store(project) as opened:
        pass  # the lock is released: record takes it itself
    return opened


def runs(client: "MlflowClient", kind: str) -> list["Run"]:
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    found: list[Run] = client.search_runs([experiment.experiment_id], f"tags.`netwright.kind` = '{kind}'")
    return found


@pytest.fixture(scope="module")
def first(project: Path) -> str:
    """The run id of a result for which three stages ran."""
    make_result(project, threshold=0.3)
    note_start(project, "train", "prune", "benchmark")
    run = record(project)
    assert run is not None
    return run


def test_a_result_becomes_one_run_with_params_metrics_artifacts_and_tags(client: "MlflowClient", first: str) -> None:
    run = client.get_run(first)
    assert run.info.status == "FINISHED"
    assert run.data.params["train.levels"] == "[8, 16]"
    assert run.data.params["prune.threshold"] == "0.3"
    assert run.data.metrics["deployed/test/map50_95"] == pytest.approx(0.4)
    assert run.data.metrics["parity/passed"] == 1
    assert "speedup" not in run.data.metrics
    assert run.data.tags["restored"] == "false"
    assert run.data.tags["stages_ran"] == "train, prune, benchmark"
    assert len(run.data.tags["dvc.lock.sha256"]) == 64
    files = {file.path for folder in ("reports", "exports", "") for file in client.list_artifacts(first, folder)}
    assert {"reports/index.html", "reports/benchmark.json", "exports/bundle.json", "params.yaml"} <= files


def test_a_run_names_its_dataset_and_what_was_found_in_it(client: "MlflowClient", first: str) -> None:
    run = client.get_run(first)
    assert run.data.metrics["data/train/images"] == 1
    assert run.data.metrics["data/test/boxes"] == 1
    assert run.data.metrics["data/boxes_dropped"] == 5
    assert run.data.metrics["data/rules/not_finite"] == 2
    assert "data/rules/tiny" not in run.data.metrics
    assert run.data.metrics["data/groups_cut"] == 1
    assert run.data.tags["dataset.fingerprint"] == "ab" * 32
    assert run.data.tags["dataset.split_origin"] == "grouped by video"
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", "ab" * 18)
    files = {file.path for file in client.list_artifacts(first, "data/converted")}
    assert files == {"data/converted/report.json", "data/converted/index.html"}


def test_a_result_whose_data_was_never_described_is_read_all_the_same(tmp_path: Path) -> None:
    make_result(tmp_path)
    (tmp_path / "data/converted/report.json").unlink()
    result = read_result(tmp_path)
    assert result is not None
    assert result.fingerprint == ""
    assert not [name for name in result.metrics if name.startswith("data/")]


def test_a_damaged_data_report_is_one_line(tmp_path: Path) -> None:
    make_result(tmp_path)
    (tmp_path / "data/converted/report.json").write_text("{")
    with pytest.raises(UserError, match=r"report\.json is damaged"):
        read_result(tmp_path)


def test_stage_runs_hold_the_curves_and_are_children(client: "MlflowClient", first: str) -> None:
    pipeline = client.get_run(first)
    children = [run for run in runs(client, "stage") if run.data.tags["mlflow.parentRunId"] == first]
    stages = {run.data.tags["stage"]: run for run in children}
    assert set(stages) == {"train", "prune"}
    for name, run in stages.items():
        assert pipeline.data.tags[f"stage.{name}"] == run.info.run_id
        assert run.info.end_time - run.info.start_time == 9000
    curve = client.get_metric_history(stages["train"].info.run_id, "loss")
    assert [(sample.step, sample.value) for sample in curve] == [(1, 2.5), (2, 1.5)]
    assert [sample.step for sample in client.get_metric_history(stages["train"].info.run_id, "map50_95")] == [2]
    assert stages["train"].data.metrics["val/map50_95"] == 0.4
    assert set(stages["train"].data.params) == {"train.epochs", "train.levels", "nms.iou_threshold"}


def test_recording_again_changes_nothing(project: Path, client: "MlflowClient", first: str) -> None:
    before = (len(runs(client, "pipeline")), len(runs(client, "stage")))
    make_result(project, threshold=0.3)
    assert record(project) == first
    assert (len(runs(client, "pipeline")), len(runs(client, "stage"))) == before


def test_a_new_threshold_repeats_no_training_run(project: Path, client: "MlflowClient", first: str) -> None:
    before = client.get_run(first).data.tags
    make_result(project, threshold=0.2)
    note_start(project, "prune", "benchmark")
    second = record(project)
    assert second is not None
    tags = client.get_run(second).data.tags
    assert second != first
    assert tags["stage.train"] == before["stage.train"]
    assert tags["stage.prune"] != before["stage.prune"]
    assert tags["stages_ran"] == "prune, benchmark"


@pytest.mark.usefixtures("first")
def test_a_result_from_the_cache_alone_is_recorded_as_restored(project: Path, client: "MlflowClient") -> None:
    make_result(project, threshold=0.1)
    restored = record(project)
    assert restored is not None
    assert client.get_run(restored).data.tags["restored"] == "true"


@pytest.mark.usefixtures("first")
def test_what_an_interrupted_recording_left_is_replaced(project: Path, client: "MlflowClient") -> None:
    make_result(project, threshold=0.05)
    result = read_result(project)
    experiment = client.get_experiment_by_name("digits")
    assert result is not None
    assert experiment is not None
    half = client.create_run(experiment.experiment_id, tags={"netwright.key": result.key, "netwright.kind": "pipeline"})
    whole = record(project)
    assert whole is not None
    assert whole != half.info.run_id
    assert client.get_run(half.info.run_id).info.lifecycle_stage == "deleted"
    assert client.get_run(whole).info.status == "FINISHED"


def test_store_down_is_one_line_and_what_ran_is_still_known_later(
    project: Path, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    make_result(project, threshold=0.15)
    note_start(project, "benchmark")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(
            UserError, match=r"^MLflow store http://127\.0\.0\.1:\d+ cannot be used .*refused"
        ) as raised:
            record(project)
    assert "\n" not in str(raised.value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    later = record(project)
    assert later is not None
    assert client.get_run(later).data.tags["restored"] == "false"


def test_without_a_result_there_is_nothing_to_record(tmp_path: Path) -> None:
    assert record(tmp_path) is None
    assert not (tmp_path / "mlflow.db").exists()


def test_nested_settings_become_flat_names() -> None:
    assert flat({"a": {"b": 1, "c": [1, "x"]}, "d": "text", "e": None}, ".") == {
        "a.b": "1",
        "a.c": '[1, "x"]',
        "d": "text",
        "e": "null",
    }


def test_secrets_of_a_store_address_are_not_printed() -> None:
    assert without_secrets("postgresql://me:word@db:5432/mlflow?sslpassword=x") == "postgresql://db:5432/mlflow"
    assert without_secrets("sqlite:////a/mlflow.db") == "sqlite:////a/mlflow.db"


@pytest.mark.slow
def test_ui_serves_the_recorded_experiments_on_loopback(project: Path) -> None:
    make_result(project)
    assert record(project) is not None
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipelines.ui", "--port", str(port)]
    server = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith(f"ui: http://127.0.0.1:{port}/")
        names = {entry["name"] for entry in _experiments(port)}
    finally:
        server.terminate()
        server.wait(timeout=60)
    assert "digits" in names


def _experiments(port: int) -> list[dict[str, str]]:
    """Ask until the server answers."""
    address = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search"
    body = json.dumps({"max_results": 10}).encode()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                experiments: list[dict[str, str]] = json.load(answer)["experiments"]
                return experiments
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the MLflow server did not answer within 300 seconds")
