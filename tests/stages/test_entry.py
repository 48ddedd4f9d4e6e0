"""Bad input ends in one line on stderr and status 1; good input reaches the stage as typed, declared sections."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import OutOfMemoryError

from netwright.errors import UserError
from stages._entry.app import Host, Job, run_stage
from stages.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    for name in ("NETWRIGHT_DEVICE", "NETWRIGHT_WORKERS", "NETWRIGHT_SCRATCH", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.argv", ["stage"])
    return tmp_path


def edit_params(project: Path, edit: Edit) -> None:
    values = yaml.safe_load((project / "params.yaml").read_text("utf-8"))
    edit(values)
    (project / "params.yaml").write_text(yaml.safe_dump(values), "utf-8")


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def do_nothing(settings: Settings, host: Host) -> None:
    pass


def test_stage_gets_declared_sections_typed(project: Path) -> None:
    seen: list[Any] = []
    status = run_stage("prune", lambda settings, host: seen.extend([settings, host]), ["prune.threshold=1"])
    settings, host = seen
    assert status == 0
    assert settings.prune.threshold == 1.0
    assert isinstance(settings.prune.threshold, float)
    assert settings.train.augment.scale == (0.8, 1.25)
    assert host.scratch == project / ".netwright"


def test_undeclared_section_cannot_be_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_stage("prune", lambda settings, host: print(settings.qat), []) == 1
    assert "AttributeError: settings.qat is not handed over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda v: v["qat"].update(epoch=1), "unknown key qat.epoch (did you mean epochs?)"),
        (lambda v: v["prune"]["recover"].pop("epochs"), "missing key prune.recover.epochs"),
        (lambda v: v["train"]["augment"].update(flop=1), "unknown key train.augment.flop (did you mean flip?)"),
        (lambda v: v["train"].update(seed=2**64), "train.seed must be from 0 to 9223372036854775807"),
        (
            lambda v: v["train"]["augment"].update(scale=0.5),
            "train.augment.scale must be a list (of a number from 0.1 to 10, a number from 0.1 to 10), found 0.5",
        ),
        (
            lambda v: v["train"].update(compiled=True),
            "train.compiled must be a list (of augment or network or loss), found True (bool)",
        ),
        (lambda v: v["train"]["augment"].update(flip=2), "train.augment.flip must be from 0 to 1, found 2.0"),
        (
            lambda v: v["train"]["augment"].update(scale=[0, 1]),
            "augment.scale[0] must be from 0.1 to 10, found 0",
        ),
        (lambda v: v["nms"].update(iou_threshold=60), "nms.iou_threshold must be from 0 to 1, found 60"),
        (lambda v: v["nms"].update(max_detections=1.5), "nms.max_detections must be a whole number, found 1.5 (float)"),
        (lambda v: v["benchmark"].update(runtimes=["torch", 3]), "benchmark.runtimes[1] must be text, found 3 (int)"),
        (lambda v: v["export"].update(opset=12), "export.opset must be at least 13, found 12"),
        (lambda v: v["export"].update(simplify="yes"), "export.simplify must be true or false, found 'yes' (str)"),
        (lambda v: v.update(train=None), "train must be a mapping, found nothing (null)"),
        (lambda v: v.update(trian={}), "unknown key trian (did you mean train?)"),
        (lambda v: v["model"].update(resize="letterbx"), "model.resize must be one of letterbox, stretch"),
        (lambda v: v["train"].update(learning_rate=float("nan")), "train.learning_rate must be a finite number"),
        (lambda v: v["dataset"].update(class_mapping={3: "car"}), "class_mapping has the key 3 (int): keys are text"),
        (lambda v: v["dataset"].update(class_mapping={"a": 3}), "dataset.class_mapping.a must be text, found 3 (int)"),
        (lambda v: v["dataset"]["on_invalid"].update(tiny="clip"), "on_invalid.tiny must be one of keep, drop, fail"),
        (lambda v: v["train"].update(batch_size=0), "train.batch_size must be from 1 to 2147483647, found 0"),
        (
            lambda v: v["train"].update(class_weights={"3": -1.0}),
            "train.class_weights.3 must be at least 0, found -1.0",
        ),
    ],
)
def test_a_fault_anywhere_in_the_snapshot_stops_convert(
    project: Path, capsys: pytest.CaptureFixture[str], edit: Edit, message: str
) -> None:
    edit_params(project, edit)
    assert run_stage("convert", do_nothing, []) == 1
    assert message in one_line(capsys)
    assert not (project / ".netwright").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("prune.treshold=0.2", "unknown key prune.treshold (did you mean prune.threshold?)"),
        ("+prune.extra=1", "unknown key prune.extra"),
        ("~prune.threshold", "missing key prune.threshold"),
        ("qat.epochs=3", "prune does not read qat: qat.epochs would change nothing here; read by qat"),
        ("model.width=64", "read by pretrain-init"),
        ("experiment=bccd", "use python -m pipelines.repro experiment=..."),
        ("prune=default", "prune names a group of conf/"),
        ("prune.threshold=[", "cannot read the override"),
        ("prune.threshold", "cannot read the override"),
        ("prune.threshold=high", "prune.threshold must be a number, found 'high' (str)"),
        ("prune.threshold=1.5", "prune.threshold must be from 0 to 1, found 1.5"),
        ("hydra.nothing=1", "Could not override 'hydra.nothing'"),
        ("runtime.device=gpu", "runtime.device (NETWRIGHT_DEVICE) must be auto, cpu or cuda, found 'gpu'"),
        ("--bogus", "unrecognized arguments: --bogus"),
    ],
)
def test_bad_argument_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], argument: str, message: str
) -> None:
    assert run_stage("prune", do_nothing, [argument]) == 1
    assert message in one_line(capsys)


def raising(error: BaseException) -> Callable[[Settings, Host], None]:
    def body(settings: Settings, host: Host) -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("no manifest.json\nin data/converted"), 1, "train: no manifest.json in data/converted"),
        (KeyboardInterrupt(), 130, "train: interrupted"),
        (PermissionError(errno.EACCES, "Permission denied", "models/trained"), 1, "models/trained: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "reports"), 1, "reports: Read-only file system"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), 1, "cannot write: No space left on device"),
        (OutOfMemoryError("CUDA out of memory"), 1, "train: the GPU's memory does not suffice"),
    ],
)
def test_what_the_machine_or_user_causes_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str
) -> None:
    assert run_stage("train", raising(error), []) == status
    assert message in one_line(capsys)


def test_a_defect_keeps_its_traceback_without_hydras_frames(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_stage("train", raising(ZeroDivisionError("ours")), []) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: ours" in said
    assert "site-packages/hydra" not in said


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml"])
def test_outside_the_project_says_where_to_go(project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (project / name).unlink()
    assert run_stage("convert", do_nothing, []) == 1
    assert f"no {name} in {project}: run stages from the project's root" in one_line(capsys)


def test_unreadable_yaml_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "params.yaml").write_text("dataset: {name: [", "utf-8")
    assert run_stage("convert", do_nothing, []) == 1
    assert "params.yaml" in one_line(capsys)


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml"])
def test_text_of_another_encoding_is_one_line(project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with (project / name).open("ab") as file:
        file.write("# größer\n".encode("latin-1"))
    assert run_stage("convert", do_nothing, []) == 1
    assert f"{name} is no UTF-8 text (byte " in one_line(capsys)


def test_runtime_comes_from_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_WORKERS", "3")
    monkeypatch.setenv("NETWRIGHT_SCRATCH", str(project / "elsewhere"))
    hosts: list[Host] = []
    assert run_stage("train", lambda settings, host: hosts.append(host), ["runtime.device=cpu"]) == 0
    assert hosts == [
        Host(requested_device="cpu", workers=3, processes=1, tracking_uri="", scratch=project / "elsewhere")
    ]
    assert hosts[0].device == "cpu"


def test_ledger_has_one_line_for_each_real_start(project: Path) -> None:
    run_stage("train", do_nothing, [])
    run_stage("train", do_nothing, ["train.epochs=x"])
    run_stage("qat", do_nothing, [])
    rows = [json.loads(line) for line in (project / ".netwright/ledger.jsonl").read_text("utf-8").splitlines()]
    assert [row["stage"] for row in rows] == ["train", "qat"]


def test_multirun_reads_the_project_and_writes_below_its_own_folder(project: Path) -> None:
    source = project / "models/trained"
    source.mkdir(parents=True)
    (source / "model.safetensors").write_text("weights", "utf-8")

    def body(settings: Settings, host: Host) -> None:
        text = Path("models/trained/model.safetensors").read_text("utf-8")
        Path("models/pruned").mkdir(parents=True)
        Path("models/pruned/out").write_text(f"{text} {settings.prune.threshold}", "utf-8")

    assert run_stage("prune", body, ["-m", "prune.threshold=0.1,0.2", "hydra.sweep.dir=sweep"]) == 0
    found = sorted(path.read_text("utf-8") for path in project.glob("sweep/*/models/pruned/out"))
    assert found == ["weights 0.1", "weights 0.2"]
    assert not (project / "models/pruned").exists()


def test_a_multiruns_jobs_that_ended_well_are_reviewed(project: Path) -> None:
    def body(settings: Settings, host: Host) -> None:
        if settings.prune.threshold == 0.2:
            raise UserError("no")

    seen: list[Job] = []
    asked = ["-m", "prune.threshold=0.1,0.2,0.3", "prune.recover.epochs=0", "hydra.sweep.dir=sweep"]
    assert run_stage("prune", body, asked, seen.extend) == 1
    assert seen == [
        Job(overrides=(f"prune.threshold={value}", "prune.recover.epochs=0"), folder=project / f"sweep/{number}")
        for number, value in ((0, 0.1), (2, 0.3))
    ]
    assert run_stage("prune", body, ["prune.threshold=0.1"], seen.append) == 0
    assert len(seen) == 2


def test_one_failed_job_of_a_multirun_fails_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def body(settings: Settings, host: Host) -> None:
        if settings.prune.threshold > 0.5:
            raise UserError("a threshold that removes layer stem")

    assert run_stage("prune", body, ["-m", "prune.threshold=0.9,0.1", "hydra.sweep.dir=sweep"]) == 1
    assert one_line(capsys) == "prune: a threshold that removes layer stem"
