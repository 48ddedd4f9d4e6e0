"""What a network costs: parameters, and multiply-accumulates of one picture."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netwright.models.detector import Detector


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Trainable values, and multiply-accumulates for one picture."""

    parameters: int
    macs: int


def cost_of(network: Detector) -> Cost:
    """Parameters and multiply-accumulates of ``network`` for one picture."""
    return Cost(parameters=parameters_of(network), macs=macs_of(network))


def parameters_of(network: nn.Module) -> int:
    """Number of values in the network's parameters; buffers (running statistics, ``amax``) do not count."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs_of(network: Detector) -> int:
    """Multiply-accumulates of all convolutions and linear layers for one picture of the network's input size.

    A convolution takes ``kernel height x kernel width x inputs / groups`` for each output value, a linear layer its
    inputs. Biases, normalisation, activations and fake quantizers count nothing. The mode of every module is kept.
    """
    spec, device = network.architecture.input, network.points.device
    with _counting(network) as counts, torch.no_grad():
        network(torch.zeros(1, 3, spec.height, spec.width, device=device))
    return sum(counts)


@contextmanager
def _counting(network: nn.Module) -> Iterator[list[int]]:
    """Forward passes inside append one count for each layer run; batch norms are left as they are."""
    counts: list[int] = []

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(output.numel() * _macs_per_output(module))

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    modes = [(module, module.training) for module in network.modules()]
    network.eval()  # in training mode the zeros would move the running statistics
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training


def _macs_per_output(layer: nn.Module) -> int:
    if isinstance(layer, nn.Linear):
        return layer.in_features
    assert isinstance(layer, nn.Conv2d)
    return layer.in_channels // layer.groups * math.prod(layer.kernel_size)
