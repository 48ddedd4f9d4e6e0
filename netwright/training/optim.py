"""Optimizer and schedule: AdamW; linear warm-up, a long hold, a short cosine to the end.

The hold is what lets one training follow another: a network that is trained, pruned and tuned again loses only the
short decays between, where a full cosine would be spent each time. Source: Hägele et al., "Scaling Laws and
Compute-Optimal Training Beyond Fixed Training Durations", 2024.
"""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

FINAL_SHARE = 0.02  # of the peak learning rate, at the end
DECAY_SHARE = 0.3  # of all steps, at the end


def build_optimizer(network: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays weights of two or more axes, and neither biases nor norms."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, fused=True)


def build_schedule(optimizer: torch.optim.Optimizer, *, steps: int, warmup_steps: int) -> LambdaLR:
    """Up to the peak in ``warmup_steps``; in the last DECAY_SHARE of ``steps`` a cosine down to FINAL_SHARE of it."""
    decay_steps = max(min(round(steps * DECAY_SHARE), steps - warmup_steps), 1)

    def share(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(max(step - (steps - decay_steps), 0) / decay_steps, 1.0)
        return FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, share)
