"""The real stages on what a user may leave undone: one line on stderr, status 1, and nothing written."""

import importlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from netwright.artifacts.dataset import Record, write_dataset
from netwright.artifacts.model import save_model_files
from netwright.errors import UserError
from netwright.models.build import build_network
from stages._entry.outputs import check_outputs
from tests.training.blocks import small_network

ROOT = Path(__file__).resolve().parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setenv("NETWRIGHT_DEVICE", "cpu")
    monkeypatch.setenv("NETWRIGHT_SCRATCH", "scratch")
    return tmp_path


def refused(stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the stage's own command and return its line on stderr."""
    monkeypatch.setattr("sys.argv", [stage, *arguments])
    with pytest.raises(SystemExit) as left:
        importlib.import_module(f"stages.{stage.replace('-', '_')}").main()
    assert left.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def files(project: Path) -> set[str]:
    return {str(path.relative_to(project)) for path in project.rglob("*") if "scratch" not in path.parts}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_before_its_inputs_names_what_is_missing_and_who_makes_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    before = files(project)
    said = refused(stage, monkeypatch, capsys)
    assert said.startswith(f"{stage}: ")
    assert "does not exist" in said or "run the" in said
    assert files(project) == before


def test_unknown_backbone_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "data/converted").mkdir(parents=True)
    manifest = {"name": "few", "classes": ["cat"], "shards": [], "fingerprint": "0" * 64}
    (project / "data/converted/manifest.json").write_text(json.dumps(manifest), "utf-8")
    arguments = ["model.backbone=resnet19", "pretrain_init.weights=random"]
    said = refused("pretrain-init", monkeypatch, capsys, *arguments)
    assert "model.backbone asks for 'resnet19', timm has no such model" in said
    assert not (project / "models").exists()


@pytest.mark.parametrize("classes", [("dog",), ("cat", "dog")])
def test_a_network_for_other_classes_is_not_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], classes: tuple[str, ...]
) -> None:
    """Another name for the only class would give a model that calls every cat a dog."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "PNG")
    nothing = {"boxes": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64)}
    records = [
        Record(name=split, split=split, image=picture.getvalue(), width=64, height=64, **nothing)
        for split in ("train", "val")
    ]
    write_dataset(project / "data/converted", "few", ("cat",), records, shards_per_split=1, fingerprint="0" * 64)
    architecture = replace(small_network().architecture, classes=classes)
    save_model_files(project / "models/init", architecture, build_network(architecture).state_dict())
    said = refused("train", monkeypatch, capsys)
    assert said.startswith(f"train: the network is for {', '.join(classes)}, and data/converted has cat: run dvc repro")
    assert not (project / "models/trained").exists()


def test_weights_of_another_network_are_not_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = small_network()
    (project / "data/converted").mkdir(parents=True)
    save_model_files(project / "models/init", replace(network.architecture, neck_channels=8), network.state_dict())
    said = refused("train", monkeypatch, capsys)
    assert said.startswith("train: models/init: tensor '")
    assert said.endswith(": run dvc repro")
    assert not (project / "models/trained").exists()


def test_an_output_that_cannot_be_written_is_said_before_the_work(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "models").write_text("a file where a folder belongs", "utf-8")
    said = refused("train", monkeypatch, capsys)
    assert said == "train: cannot write models/trained/model.safetensors: models is no folder; move it away"


@pytest.mark.parametrize("existing", ["models", "models/trained"])
def test_a_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: str) -> None:
    """Asked of os.access, since the superuser may write anywhere."""
    (tmp_path / existing).mkdir(parents=True)
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path / existing)
    with pytest.raises(UserError, match=rf"cannot write models/trained/\S+: the folder {existing} is read-only"):
        check_outputs(STAGES["train"], tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_may_write_in_a_fresh_project(tmp_path: Path, stage: str) -> None:
    check_outputs(STAGES[stage], tmp_path)
