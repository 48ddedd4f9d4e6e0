"""Merging batch norms into the convolutions before them: y = gamma * (conv(x) - mean) / sqrt(var + eps) + beta."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from netwright.errors import UserError
from netwright.models.detector import Detector


def fold_batch_norms(network: Detector) -> Detector:
    """A copy of ``network`` in evaluation mode without any batch norm; outputs are equal up to float rounding.

    A batch norm is merged into the convolution whose output it took in a trace. timm's ``BatchNormAct2d`` leaves its
    activation in its place. Raises UserError where a batch norm follows anything but one convolution.
    """
    folded = copy.deepcopy(network).eval()
    for conv_name, norm_name in _pairs(folded).items():
        conv, norm = folded.get_submodule(conv_name), folded.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        fused = fuse_conv_bn_eval(conv, norm).requires_grad_()  # a new bias would be frozen like the one that was not
        _replace(folded, conv_name, fused)
        _replace(folded, norm_name, _rest_of(norm))
    folded.architecture = replace(folded.architecture, folded=True)
    return folded


def _rest_of(norm: nn.BatchNorm2d) -> nn.Module:
    """What a batch norm does beside normalising: the activation of timm's ``BatchNormAct2d``, else nothing."""
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()


def _pairs(network: Detector) -> dict[str, str]:
    """Convolution name to the name of the batch norm that takes its output, for every batch norm of ``network``."""
    producers: dict[int, str] = {}
    alive: list[Tensor] = []  # an identity is only unique while its tensor lives
    pairs: dict[str, str] = {}

    def note(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            producers[id(output)] = name
            alive.append(output)
        elif id(inputs[0]) in producers and producers[id(inputs[0])] not in pairs:
            pairs[producers[id(inputs[0])]] = name

    norms = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    hooks = [
        module.register_forward_hook(lambda module, inputs, output, name=name: note(name, module, inputs, output))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    spec = network.architecture.input
    with torch.no_grad():
        network(torch.zeros(1, 3, spec.height, spec.width, device=network.points.device))
    for hook in hooks:
        hook.remove()
    if left := sorted(norms - set(pairs.values())):
        name = network.architecture.backbone
        raise UserError(
            f"batch norm {left[0]} of {name} follows no convolution, so it cannot be folded: choose another"
        )
    return pairs


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
