"""How much every output channel of a layer matters."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netwright.compression.folding import fold_batch_norms
from netwright.models.detector import Detector

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


def _as_it_is(network: Detector) -> Detector:
    return network


# The network whose kernels are measured. TAO looks at the kernels alone: behind them, batch norm may scale any channel
# up or down, so the norms of a folded network say more about what a channel contributes.
CRITERIA: dict[str, Callable[[Detector], Detector]] = {"l2": _as_it_is, "folded_l2": fold_batch_norms}
