"""pretrain-init as a plain function: manifest and settings in, a rebuildable model folder out."""

import json
from pathlib import Path

import pytest
import torch

from netwright.artifacts.dataset import write_dataset
from netwright.artifacts.model import load_model_files
from netwright.errors import UserError
from netwright.models.build import build_network
from stages.pretrain_init import run
from stages.settings import Model, PretrainInit

MODEL = Model(
    backbone="tf_efficientnet_lite0",
    levels=[8, 16, 32],
    neck_channels=16,
    box_convs=1,
    height=64,
    width=96,
    resize="letterbox",
)
WEIGHTS = PretrainInit(weights="efficientnet_lite0_imagenet", seed=3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "data", "tiny", ("cat", "dog", "cow"), [])
    return tmp_path / "data"


def test_writes_a_model_for_the_manifests_classes_with_the_catalogs_statistics(data: Path, tmp_path: Path) -> None:
    run(model=MODEL, pretrain_init=WEIGHTS, data=data, out=tmp_path / "init")
    architecture, tensors = load_model_files(tmp_path / "init")
    assert architecture.classes == ("cat", "dog", "cow")
    assert (architecture.input.height, architecture.input.width, architecture.input.mean) == (64, 96, (0.5, 0.5, 0.5))
    network = build_network(architecture).eval()
    network.load_state_dict(tensors)
    boxes, scores = network(torch.zeros(1, 3, 64, 96))
    assert boxes.shape[:2] == scores.shape[:2]
    assert scores.shape[2] == 3
    report = json.loads((tmp_path / "init/init.json").read_text())
    assert len(report["tensors"]) == len(tensors) == sum(report["counts"].values())
    assert report["licence"] == "Apache-2.0"
    assert report["sha256"].startswith("57934424")


def test_same_settings_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(model=MODEL, pretrain_init=WEIGHTS, data=data, out=tmp_path / name)
    for file in ("model.safetensors", "architecture.json", "init.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_before_convert_it_names_the_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro convert"):
        run(model=MODEL, pretrain_init=WEIGHTS, data=tmp_path, out=tmp_path / "init")


def test_unknown_weights_write_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the catalog has"):
        run(model=MODEL, pretrain_init=PretrainInit(weights="best", seed=0), data=data, out=tmp_path / "init")
    assert not (tmp_path / "init").exists()
