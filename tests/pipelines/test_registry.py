"""The champion goes into MLflow's registry with its certificate's summary; the alias moves as the rule says."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from netwright.errors import UserError
from pipelines.compare.__main__ import Request, compare
from pipelines.compare.classes import Draws
from pipelines.registry import ALIAS, crown, lines_of
from pipelines.sweep.outcome import tell_outcome
from pipelines.tracking.runs import record
from pipelines.tracking.store import open_store
from stages._certificate.build import leave_certificate
from stages._entry.app import validated
from tests.certificates.project import build_project
from tests.pipelines.recorded_trials import ROOT, Point, make_sweep

if TYPE_CHECKING:
    from mlflow import MlflowClient

FAST = Point(overrides={"prune.threshold": "0.7"}, accuracy=0.01, latency=0.001, size=10.0)
WRONG = Point(overrides={"prune.threshold": "0.8"}, accuracy=0.99, tags={"deployed.disturbed": "true"})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A certified result, recorded, and beside it a sweep of a fast trial and of a better one that was disturbed."""
    folder = build_project(tmp_path_factory.mktemp("registry") / "project")
    shutil.copy(ROOT / "dvc.yaml", folder / "dvc.yaml")
    snapshot = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))
    leave_certificate(validated(snapshot), folder)
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    run = record(folder)
    with open_store(folder) as client:
        fingerprint = client.get_run(run).data.tags["dataset.fingerprint"]
        for point in (FAST, WRONG):
            told = Point(**{**vars(point), "tags": {**(point.tags or {}), "dataset.fingerprint": fingerprint}})
            (made,) = make_sweep(client, folder, "others", [told], dataset="smoke", files=True)
            client.log_artifact(made, str(next(folder.glob("exports/*.onnx"))), "exports")
    yield folder
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def client(project: Path) -> "MlflowClient":
    with open_store(project) as opened:
        pass
    return opened


def set_rule(project: Path, **values: Any) -> None:
    path = project / "params.yaml"
    snapshot = yaml.safe_load(path.read_text("utf-8"))
    snapshot["champion"] |= values
    path.write_text(yaml.safe_dump(snapshot, sort_keys=False))


def test_the_champion_is_registered_with_its_certificate_and_its_very_file(
    project: Path, client: "MlflowClient", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = crown(project)
    assert (done.model, done.version, done.moved) == ("smoke", "1", True)
    assert "1 disturbed" in done.choice.told
    version = client.get_model_version_by_alias("smoke", ALIAS)
    assert version.run_id == done.trial.run
    assert version.description.startswith("Chosen for accuracy on val: ")
    assert "`quantized_int8@openvino` certified." in version.description
    assert "Limitations:" in version.description
    assert version.tags["deployed.disturbed"] == "false"
    from mlflow.artifacts import download_artifacts

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")

    place = download_artifacts(f"models:/smoke@{ALIAS}", dst_path=str(tmp_path))
    (model,) = Path(place).glob("*.onnx")
    assert model.read_bytes() == (project / "exports" / model.name).read_bytes()
    assert (Path(place) / "bundle.json").is_file()


def test_asked_again_nothing_moves(project: Path, client: "MlflowClient") -> None:
    first, second = crown(project), crown(project)
    assert (first.version, second.moved) == (second.version, False)
    assert len(client.search_model_versions("name = 'smoke'")) == 1
    assert "stays champion" in lines_of(second)[0]


def test_another_rule_moves_the_alias_and_back_without_a_third_version(project: Path, client: "MlflowClient") -> None:
    before = crown(project)
    set_rule(project, prefer="latency")
    fast = crown(project)
    assert (fast.moved, fast.trial.told) == (True, "prune.threshold=0.7")
    described = client.get_model_version("smoke", fast.version).description
    assert "Not certified: the run keeps no certificate." in described
    assert "mAP50-95 0.0100 on val" in described
    set_rule(project, prefer="accuracy")
    assert crown(project).version == before.version
    assert len(client.search_model_versions("name = 'smoke'")) == 2


def test_the_reigning_champion_competes_against_a_sweep(project: Path) -> None:
    reigning = crown(project)
    assert crown(project, sweep="others").trial.run == reigning.trial.run


def test_a_rule_that_refuses_all_changes_nothing(project: Path, client: "MlflowClient") -> None:
    before = crown(project)
    set_rule(project, max_size_bytes=1)
    with pytest.raises(UserError, match=r"no champion, the rule in conf/champion refuses all \(2 larger than 1 bytes"):
        crown(project)
    set_rule(project, max_size_bytes=None)
    assert str(client.get_model_version_by_alias("smoke", ALIAS).version) == before.version


def test_a_recorded_result_keeps_what_a_comparison_needs(project: Path, client: "MlflowClient") -> None:
    """The recorded run's own raw results give its classes, against itself under another name."""
    run = crown(project).trial.run
    tags = client.get_run(run).data.tags
    assert tags["deployed.row"] == "quantized_int8@openvino"
    assert tags["deployed.parity"] == "passed"
    kept = {file.path for file in client.list_artifacts(run, "reports/raw")}
    assert kept == {"reports/raw/deployed.parquet", "reports/raw/truth"}
    other = client.search_runs(["1"], "tags.`netwright.trial` = 'prune.threshold=0.7'")[0].info.run_id
    with pytest.raises(UserError, match=r"the detections of run .* do not fit its labels"):
        compare(project, Request(runs=(run, other), draws=Draws(resamples=100)))


def test_no_params_and_no_store_are_one_line(tmp_path: Path, project: Path) -> None:
    with pytest.raises(UserError, match=r"no params.yaml in .*: run this from the project's root"):
        crown(tmp_path)
    shutil.copy(project / "params.yaml", tmp_path / "params.yaml")
    with pytest.raises(UserError, match=r"no MLflow store at .*: nothing has been recorded here yet"):
        crown(tmp_path)


def test_a_sweeps_end_names_the_champion_and_the_links(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell_outcome(project, "others", ["smoke"])
    told = capsys.readouterr()
    assert told.err == ""
    first, *rest = told.out.splitlines()
    assert first.startswith("registry: smoke version 1 stays champion: ")
    assert any(
        line.startswith("sweep: charts (make ui serves it): http://127.0.0.1:5000/#/experiments/") for line in rest
    )
    assert any(line.startswith("sweep: side by side: http://127.0.0.1:5000/#/compare-runs?runs=") for line in rest)


def test_a_sweep_of_which_nothing_is_known_ends_with_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_outcome(project, "unknown", ["smoke"])
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("sweep: no trial of sweep 'unknown' of dataset smoke in sqlite")
    assert len(told.err.splitlines()) == 1
