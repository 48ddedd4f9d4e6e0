"""timm backbones as feature extractors for pictures of one size."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import timm
import torch
from timm.models._features import FeatureInfo
from torch import Tensor, nn

from netwright.errors import UserError
from netwright.models.static_body import drop_unread_layers, make_padding_static, map_shapes
from netwright.types import InputSpec

# timm sets these epsilons of batch norm only where it loads the weights itself
_NORM_EPSILON = {"fbnetc_100": 1e-3}


class Backbone(nn.Module):
    """A timm ``features_only`` network that returns the maps of the wanted strides, finest first.

    ``channels`` holds the channel count of each map.
    """

    def __init__(self, body: nn.Module, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body
        self.channels = channels

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Normalised pictures (B, 3, H, W) to maps (B, C_i, H / s_i, W / s_i)."""
        maps: list[Tensor] = self.body(pictures)
        return maps


def build_backbone(name: str, levels: tuple[int, ...], spec: InputSpec) -> Backbone:
    """A randomly initialised backbone for an input of ``spec``'s size.

    Raises UserError for an unknown name, a model without feature maps of (C, H / stride, W / stride), strides that it
    has not or that do not double, or a size that the largest stride does not divide.
    """
    if not levels or any(coarse != 2 * fine for fine, coarse in pairwise(levels)):
        raise UserError(f"model.levels is {list(levels)}: give strides that double, such as [8, 16, 32]")
    strides = _strides(name)
    missing = [stride for stride in levels if stride not in strides]
    if missing:
        raise UserError(f"model.levels asks for strides {missing}, {name} has {sorted(strides)}: choose among those")
    if spec.height % max(levels) or spec.width % max(levels):
        raise UserError(
            f"model.height x model.width is {spec.height}x{spec.width}: make both multiples of {max(levels)}, "
            "the largest of model.levels"
        )
    body, found = _built(name, tuple(strides[stride] for stride in levels), spec)
    channels = tuple(_feature_info(body).channels())
    wanted = [
        (1, count, spec.height // stride, spec.width // stride) for count, stride in zip(channels, levels, strict=True)
    ]
    if found != wanted:
        raise UserError(
            f"model.backbone {name!r} gives maps of {_sizes(found)} where strides {list(levels)} ask for "
            f"{_sizes(wanted)}: choose a convolutional model that pads its borders"
        )
    drop_unread_layers(body, spec.height, spec.width)
    return Backbone(body, channels)


def _built(name: str, indices: tuple[int, ...], spec: InputSpec) -> tuple[nn.Module, list[tuple[int, ...]]]:
    """The named body with fixed padding, and the shapes of its maps. Raises UserError where it does not run."""
    try:
        own: dict[str, Any] = {"bn_eps": _NORM_EPSILON[name]} if name in _NORM_EPSILON else {}
        body = timm.create_model(name, pretrained=False, features_only=True, out_indices=indices, **own)
        make_padding_static(body, spec.height, spec.width)
        return body, map_shapes(body, spec.height, spec.width)
    except (AssertionError, RuntimeError, ValueError, TypeError) as error:  # such as a transformer of another size
        raise UserError(
            f"model.backbone {name!r} does not run on pictures of {spec.height}x{spec.width} ({_first_line(error)}): "
            "choose a convolutional model"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _sizes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape[1:])) for shape in shapes)


def _feature_info(body: nn.Module) -> FeatureInfo:
    info = body.feature_info
    assert isinstance(info, FeatureInfo)
    return info


def _strides(name: str) -> dict[int, int]:
    """Stride to out_index of the named model's feature maps."""
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name[:6]}*")[:6]) or "see timm.list_models()"
        raise UserError(f"model.backbone asks for {name!r}, timm has no such model: try {close}")
    try:
        with torch.device("meta"):
            info = _feature_info(timm.create_model(name, pretrained=False, features_only=True))
    except (RuntimeError, AttributeError, ValueError, TypeError) as error:
        raise UserError(
            f"model.backbone {name!r} gives no feature maps ({error}): choose a convolutional model"
        ) from None
    return {reduction: index for index, reduction in zip(info.out_indices, info.reduction(), strict=True)}
