"""Optimizer and schedule: AdamW, linear warm-up, cosine decay."""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

FINAL_SHARE = 0.02  # of the peak learning rate, at the end


def build_optimizer(network: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays weights of two or more axes, and neither biases nor norms."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, fused=True)


def build_schedule(optimizer: torch.optim.Optimizer, *, steps: int, warmup_steps: int) -> LambdaLR:
    """From 0 to the peak in ``warmup_steps``, then a cosine to FINAL_SHARE of it at ``steps``."""

    def share(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = (step - warmup_steps) / max(steps - warmup_steps, 1)
        return FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2

    return LambdaLR(optimizer, share)
