"""Optimizer and schedule: AdamW; linear warm-up, a hold, a cosine to the end.

A long hold is what lets one training follow another: a network that is trained, pruned and tuned again loses only the
short decays between, where a full cosine would be spent each time. Source: Hägele et al., "Scaling Laws and
Compute-Optimal Training Beyond Fixed Training Durations", 2024.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

FINAL_SHARE = 0.02  # of the peak learning rate, at the end


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The learning rate of each of ``steps``: up to ``peak`` in ``warmup_steps``, then held.

    In the last ``decay_share`` (0..1; 1: all after the warm-up) of the steps it falls along a cosine to FINAL_SHARE.
    """

    peak: float
    steps: int
    warmup_steps: int
    decay_share: float

    def rate(self, step: int) -> float:
        """The learning rate of the step with this number, from 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        decay_steps = max(min(round(self.steps * self.decay_share), self.steps - self.warmup_steps), 1)
        progress = min(max(step - (self.steps - decay_steps), 0) / decay_steps, 1.0)
        return self.peak * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2)


def build_optimizer(network: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays the weights of convolutions and linear layers, and neither biases, norms nor other scales.

    On a GPU its learning rate is a tensor there, which a captured step reads anew (see ``set_rate``).
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    kernels = set(_kernels(network))
    groups = [
        {"params": [parameter for parameter in trained if parameter in kernels], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter not in kernels], "weight_decay": 0.0},
    ]
    on_gpu = trained[0].device.type == "cuda"
    rate = torch.tensor(learning_rate, device=trained[0].device) if on_gpu else learning_rate
    chosen = [group for group in groups if group["params"]]
    return torch.optim.AdamW(chosen, lr=rate, fused=True, capturable=on_gpu)


def _kernels(network: nn.Module) -> Iterator[nn.Parameter]:
    for part in network.modules():
        if isinstance(part, _ConvNd | nn.Linear):
            yield from (value for name, value in part.named_parameters(recurse=False) if name == "weight")


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of ``optimizer`` the learning rate ``rate``."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
