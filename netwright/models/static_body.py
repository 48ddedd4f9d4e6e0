"""A timm body for pictures of one size: fixed padding instead of timm's computed one, no layers that nobody reads."""

from collections.abc import Mapping

import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import fx, nn


def map_shapes(body: nn.Module, height: int, width: int) -> list[tuple[int, ...]]:
    """Shapes (1, C, H, W) of the feature maps of one picture."""
    training = body.training
    try:
        with torch.no_grad():
            return [tuple(feature_map.shape) for feature_map in body.eval()(torch.zeros(1, 3, height, width))]
    finally:
        body.train(training)


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
    map_shapes(body, height, width)
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


def _put(body: nn.Module, layers: Mapping[str, nn.Module]) -> None:
    for name, layer in layers.items():
        parent, _, child = name.rpartition(".")
        setattr(body.get_submodule(parent), child, layer)


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
    shapes = map_shapes(body, height, width)
    _put(body, {name: nn.Identity() for name in unread})
    try:
        same = map_shapes(body, height, width) == shapes
    except (TypeError, ValueError, RuntimeError):  # a branch whose outcome nobody reads runs all the same
        same = False
    if not same:  # such as maps taken by hooks, which a trace does not see
        _put(body, unread)
