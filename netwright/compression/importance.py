"""How much every output channel of a layer matters."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Layer = nn.Conv2d | nn.Linear


def kernel_norms(layer: Layer) -> Tensor:
    """L2 norm of each output channel's kernel: (outputs,) float64, not below 0. Bias is ignored."""
    kernels: Tensor = layer.weight.detach().double().flatten(1)
    return kernels.square().sum(dim=1).sqrt()


def normalised_by_maximum(norms: Tensor) -> Tensor:
    """``norms`` over their largest value, 0..1; a layer of zeros stays at zero.

    Source: NVIDIA TAO's ``prune`` with its default normaliser ``max``.
    """
    return norms / norms.max().clamp(min=torch.finfo(norms.dtype).tiny)


def union(statistics: list[Tensor]) -> Tensor:
    """One statistic for layers that lose channels together: the largest of each channel (TAO's ``union``)."""
    return torch.stack(statistics).amax(dim=0)


CRITERIA: dict[str, Callable[[Layer], Tensor]] = {"l2": kernel_norms}
