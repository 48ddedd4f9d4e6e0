"""timm backbones as feature extractors with static padding."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import timm
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.models._features import FeatureInfo
from torch import Tensor, fx, nn

from netwright.errors import UserError
from netwright.types import InputSpec


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
    try:
        body = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=tuple(strides[stride] for stride in levels)
        )
        make_padding_static(body, spec.height, spec.width)
        found = [tuple(shape) for shape in _shapes(body, spec.height, spec.width)]
    except (AssertionError, RuntimeError, ValueError, TypeError) as error:  # such as a transformer of another size
        raise UserError(
            f"model.backbone {name!r} does not run on pictures of {spec.height}x{spec.width} ({_first_line(error)}): "
            "choose a convolutional model"
        ) from None
    channels = tuple(_feature_info(body).channels())
    wanted = [
        (1, count, spec.height // level, spec.width // level) for count, level in zip(channels, levels, strict=True)
    ]
    if found != wanted:
        raise UserError(
            f"model.backbone {name!r} gives maps of {_sizes(found)} where strides {list(levels)} ask for "
            f"{_sizes(wanted)}: choose a convolutional model that pads its borders"
        )
    drop_unread_layers(body, spec.height, spec.width)
    return Backbone(body, channels)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _sizes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape[1:])) for shape in shapes)


class _LayerTracer(fx.Tracer):
    """Takes batch norms whole, timm's with their activation too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.BatchNorm2d) or super().is_leaf_module(m, module_qualified_name)


def drop_unread_layers(body: nn.Module, height: int, width: int) -> None:
    """Replace in place, by nothing, the layers that no feature map depends on: timm keeps some behind the last one.

    They would run, count and never learn. A body that torch.fx cannot trace, or that needs what they give to run on
    pictures of ``height`` x ``width``, is left as it is.
    """
    try:
        traced = fx.GraphModule(body, _LayerTracer().trace(body))
    except (TypeError, ValueError, RuntimeError, AttributeError):  # TraceError is a ValueError
        return
    called = {str(node.target) for node in traced.graph.nodes if node.op == "call_module"}
    traced.graph.eliminate_dead_code()
    read = {str(node.target) for node in traced.graph.nodes if node.op == "call_module"}
    unread = {name: body.get_submodule(name) for name in called - read}
    if not unread:
        return
    shapes = _shapes(body, height, width)
    _put(body, {name: nn.Identity() for name in unread})
    try:
        same = _shapes(body, height, width) == shapes
    except (TypeError, ValueError, RuntimeError):  # a branch whose outcome nobody reads runs all the same
        same = False
    if not same:  # such as maps taken by hooks, which a trace does not see
        _put(body, unread)


def _put(body: nn.Module, layers: Mapping[str, nn.Module]) -> None:
    for name, layer in layers.items():
        parent, _, child = name.rpartition(".")
        setattr(body.get_submodule(parent), child, layer)


def _shapes(body: nn.Module, height: int, width: int) -> list[torch.Size]:
    """Of the feature maps of one picture."""
    training = body.training
    try:
        with torch.no_grad():
            return [feature_map.shape for feature_map in body.eval()(torch.zeros(1, 3, height, width))]
    finally:
        body.train(training)


def _feature_info(body: nn.Module) -> FeatureInfo:
    info = body.feature_info
    assert isinstance(info, FeatureInfo)
    return info


def make_padding_static(body: nn.Module, height: int, width: int) -> None:
    """Replace timm's size-dependent "SAME" convolutions in place by a fixed pad and a plain convolution.

    A trace finds the input size of each; the outcome is equal for pictures of ``height`` x ``width``.
    """
    same = {name: module for name, module in body.named_modules() if isinstance(module, Conv2dSame)}
    sizes: dict[str, tuple[int, int]] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, inputs, name=name: sizes.__setitem__(name, tuple(inputs[0].shape[-2:]))
        )
        for name, module in same.items()
    ]
    _shapes(body, height, width)
    for hook in hooks:
        hook.remove()
    _put(body, {name: _padded(module, sizes[name]) for name, module in same.items()})


def _padded(conv: Conv2dSame, size: tuple[int, int]) -> nn.Sequential:
    """TensorFlow's SAME rule: the odd pixel of padding goes to the right and the bottom."""
    pads: list[int] = []
    for axis in (1, 0):  # ZeroPad2d wants left, right, top, bottom
        kernel, stride, dilation = conv.kernel_size[axis], conv.stride[axis], conv.dilation[axis]
        total = max((-(size[axis] // -stride) - 1) * stride + (kernel - 1) * dilation + 1 - size[axis], 0)
        pads += [total // 2, total - total // 2]
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (conv.kernel_size[0], conv.kernel_size[1]),
        (conv.stride[0], conv.stride[1]),
        0,
        (conv.dilation[0], conv.dilation[1]),
        conv.groups,
        conv.bias is not None,
    )
    plain.weight, plain.bias = conv.weight, conv.bias
    return nn.Sequential(nn.ZeroPad2d((pads[0], pads[1], pads[2], pads[3])), plain)


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
